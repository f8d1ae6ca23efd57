"""Who wrote an object before us, and what of it they declared.

Data, and the reading of ``metadata.managedFields``. A tool that applied whole manifests is a **predecessor**: what it declared becomes ours
when we take an object over. People and controllers who change single fields (``kubectl-edit``, ``kube-controller-manager``) are none: what they
own stays theirs.

What a predecessor declared is its field set where it used server-side apply. A client-side apply is recorded as an Update, and the field set
of an Update holds the server's defaults as well; so there it is what the ``last-applied-configuration`` annotation still names. Where there is
no such annotation nobody can tell, and nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from homeostat.compare import fields
from homeostat.compare.claims import claims, is_secret, without_status
from homeostat.compare.fields import FieldSet
from homeostat.model.objects import Object, annotations_of

MANAGER: Final = "homeostat"
UPDATER: Final = "homeostat-update"
"""The field manager of what we patch or replace (``ServerSideApply=false``, ``Replace=true``): such writes are recorded with all defaults in them, and
must not be mixed up with what was applied."""
NAMESPACE_MANAGER: Final = "homeostat-namespace"
"""The field manager of the metadata that an app gives its namespace (``managedNamespaceMetadata``), so that whoever else writes to it is left alone."""

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
LAST_APPLIED_PATH: Final = ("f:metadata", "f:annotations", f"f:{LAST_APPLIED}")

PREDECESSORS: Final = frozenset(
    {
        UPDATER,  # ourselves, before the object went over to server-side apply
        "argocd-controller",  # Argo CD, client side and server side
        "argocd-application-controller",  # Argo CD before 2.5 used the name of its program
        "kubectl-client-side-apply",
        "kubectl-last-applied",  # what kubectl calls the annotation's owner when it goes over to server-side apply
        "kubectl",  # kubectl apply --server-side
        "kustomize-controller",
        "helm-controller",
        "helm",
        "flux-client-side-apply",
        "flux",  # flux install, flux push
        "before-first-apply",  # what the API server calls everyone before the first server-side apply
    }
)


_ANNOTATION: Final = fields.single(LAST_APPLIED_PATH)


def is_predecessor(entry: Mapping[str, Any]) -> bool:
    """Whether this entry of managedFields was written by a tool that applied whole manifests. Subresources are others' business.

    Whoever wrote the annotation of client-side apply is one, whatever its name (client-go's ``csaupgrade`` has the same rule).
    """
    if entry.get("subresource"):
        return False
    if entry.get("manager") in PREDECESSORS:
        return True
    return entry.get("operation") == "Update" and fields.contains(fields_of(entry), LAST_APPLIED_PATH)


def fields_of(entry: Mapping[str, Any]) -> FieldSet:
    """The field set of an entry; empty when there is none or it is no field set."""
    found = entry.get("fieldsV1")
    return found if isinstance(found, dict) else {}


def entries_of(obj: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of managedFields; those that are no mapping are left out."""
    metadata = obj.get("metadata")
    found = metadata.get("managedFields") if isinstance(metadata, dict) else None
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def own_entry(entries: list[dict[str, Any]], manager: str = MANAGER) -> dict[str, Any] | None:
    """Our own entry: what we applied."""
    for entry in entries:
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return entry
    return None


def owned(entries: list[dict[str, Any]], obj: Object) -> FieldSet:
    """What we wrote of an object that is patched or replaced, the server's defaults among it; the annotation of client-side apply left out."""
    result: FieldSet = {}
    for entry in entries:
        applied = entry.get("manager") == MANAGER and entry.get("operation") == "Apply"
        if (applied or entry.get("manager") == UPDATER) and not entry.get("subresource"):
            result = fields.union(result, without_status(claims(fields_of(entry), obj)))
    return fields.difference(result, _ANNOTATION) if fields.contains(result, LAST_APPLIED_PATH) else result


def declared(entry: Mapping[str, Any], live: Object) -> FieldSet:
    """What this predecessor declared, status left out. The annotation of client-side apply itself is not part of it."""
    found = without_status(claims(fields_of(entry), live))
    if entry.get("operation") != "Apply":
        config = last_applied(live)
        found = fields.restrict(found, config) if config is not None else {}
    if fields.contains(found, LAST_APPLIED_PATH):
        found = fields.difference(found, _ANNOTATION)
    return found


def last_applied(live: Object) -> dict[str, Any] | None:
    """What client-side apply last declared, or ``None``. The texts of a Secret count as its data, as they do for the API server."""
    text = annotations_of(live).get(LAST_APPLIED)
    if not text:
        return None
    try:
        config = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(config, dict):
        return None
    texts = config.get("stringData")
    if is_secret(live) and isinstance(texts, dict):
        data = config.get("data")
        config["data"] = {**(data if isinstance(data, dict) else {}), **texts}
    return config
