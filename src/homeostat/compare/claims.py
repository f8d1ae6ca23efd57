"""Which of the fields that a manager owns count as claimed, where the API server's bookkeeping is not the whole truth.

- ``status`` is claimed only where the settings say so (Argo CD's ``ignoreResourceStatusField``): see :func:`without_status`.
- ``stringData`` of a Secret is only ever written: the API server turns it into ``data`` and keeps the ownership under the old name.
- The ``rules`` of an aggregated ClusterRole are filled in by the control plane, whatever its author wrote there (``ignoreAggregatedRoles`` or not).

Pure. Any knowledge of one kind that drift needs belongs here, and there should be little: no table of defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homeostat.compare import fields
from homeostat.compare.fields import FieldSet


def is_secret(obj: Mapping[str, Any]) -> bool:
    """Whether ``obj`` is a Secret of the core API."""
    return obj.get("kind") == "Secret" and "/" not in (obj.get("apiVersion") or "")


def claims(owned: FieldSet, obj: Mapping[str, Any]) -> FieldSet:
    """What of ``owned``, a field set of ``obj``, counts as claimed. ``owned`` stays as it is."""
    left_out = set()
    if _is_aggregated(obj):
        left_out.add("f:rules")
    texts = owned.get("f:stringData") if is_secret(obj) else None
    if texts is not None:
        left_out.add("f:stringData")
    if left_out.isdisjoint(owned):
        return owned
    result = {element: node for element, node in owned.items() if element not in left_out}
    if texts is not None:
        result["f:data"] = fields.union(result.get("f:data", {}), texts)
    return result


def without_status(owned: FieldSet) -> FieldSet:
    """``owned`` but for what is in ``status``; ``owned`` itself where nothing is."""
    return {element: node for element, node in owned.items() if element != "f:status"} if "f:status" in owned else owned


def _is_aggregated(obj: Mapping[str, Any]) -> bool:
    return (
        obj.get("kind") == "ClusterRole"
        and bool(obj.get("aggregationRule"))
        and str(obj.get("apiVersion")).startswith("rbac.authorization.k8s.io/")
    )
