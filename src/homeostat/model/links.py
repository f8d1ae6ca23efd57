"""Addresses at which an object can be reached from outside, as Argo CD lists them in ``status.summary.externalURLs``.

Pure. Rules: Argo CD's resource info of an Ingress (one URL per path of each rule, ``https`` where TLS is set for it) and its link annotations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from homeostat.model.objects import Object, annotations_of, key_of

LINK_PREFIX = "link.argocd.argoproj.io/"
IGNORE_DEFAULT = "argocd.argoproj.io/ignore-default-links"
_TRUE = {"1", "t", "T", "TRUE", "true", "True"}
_INGRESS_GROUPS = {"networking.k8s.io", "extensions"}


def external_urls(live: Object) -> tuple[str, ...]:
    """The URLs of a live object, sorted, each once. What is malformed in it has none."""
    annotations = annotations_of(live)
    urls = {url for name, url in annotations.items() if name.startswith(LINK_PREFIX) and isinstance(url, str)}
    key = key_of(live)
    if key.kind == "Ingress" and key.group in _INGRESS_GROUPS and annotations.get(IGNORE_DEFAULT) not in _TRUE:
        urls.update(_of_ingress(live))
    return tuple(sorted(urls))


def _of_ingress(live: Object) -> Iterator[str]:
    spec = _mapping(live.get("spec"))
    tls = [entry for entry in _list(spec.get("tls")) if isinstance(entry, dict)]
    for rule in _list(spec.get("rules")):
        host = _mapping(rule).get("host") or _balancer(live)
        if not isinstance(host, str) or not host:
            continue
        secure = any(entry.get("secretName") or host in _list(entry.get("hosts")) for entry in tls)
        for path in _list(_mapping(_mapping(rule).get("http")).get("paths")):
            below = _mapping(path).get("path")
            yield f"{'https' if secure else 'http'}://{host}{below.removesuffix('*') if isinstance(below, str) else ''}"


def _balancer(live: Object) -> str:
    """The first address that a load balancer gave the object."""
    balancer = _mapping(_mapping(live.get("status")).get("loadBalancer"))
    found = (entry.get("hostname") or entry.get("ip") for entry in map(_mapping, _list(balancer.get("ingress"))))
    return next((address for address in found if isinstance(address, str) and address), "")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
