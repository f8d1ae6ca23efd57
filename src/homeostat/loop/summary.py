"""What the summary of an app takes from one live object: the addresses under which it answers (``status.summary.externalURLs``).

Rules: Argo CD's ``populateIngressInfo`` and ``populateServiceInfo``. Images are read by ``sync/images.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from homeostat.model.objects import Object, key_of


def slim(obj: Object) -> Object:
    """As much of a live object as the health of its app asks for once the object itself has been judged."""
    metadata = obj.get("metadata") or {}
    return {"apiVersion": obj.get("apiVersion"), "kind": obj.get("kind"), "metadata": {"annotations": metadata.get("annotations") or {}}}


def urls_of(obj: Object) -> Iterator[str]:
    """Where an Ingress says that it answers: ``https`` where TLS names the host. Nothing for other kinds and malformed rules."""
    key = key_of(obj)
    if key.kind != "Ingress" or key.group not in {"networking.k8s.io", "extensions"}:
        return
    spec = obj.get("spec") or {}
    secured = {host for tls in spec.get("tls") or () for host in tls.get("hosts") or ()}
    addresses = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    default = next((address.get("hostname") or address.get("ip") or "" for address in addresses), "")
    for rule in spec.get("rules") or ():
        host = rule.get("host") or default
        if host:
            scheme = "https" if host in secured or (spec.get("tls") and not secured) else "http"
            yield from (f"{scheme}://{host}{path}" for path in _paths(rule))


def _paths(rule: dict[str, Any]) -> list[str]:
    paths = [str(path.get("path") or "").rstrip("*").rstrip("/") for path in (rule.get("http") or {}).get("paths") or ()]
    return paths or [""]
