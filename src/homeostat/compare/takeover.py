"""Taking an object over: the change of managedFields that makes what predecessors declared ours.

Server-side apply removes from an object what its manager applied before and applies no more. So once a predecessor's fields are ours, what is
dropped from Git is dropped from the cluster, and the annotation of client-side apply goes with the first apply. The same is done by
client-go's ``csaupgrade`` and by Flux; on purpose different: of an Update only what the annotation declares becomes ours, for the rest of
such an entry are the server's defaults, and giving those up could change them (``imagePullPolicy``, say) and restart pods.

Pure: who sends the patch, and when, is decided in ``sync``.
"""

from __future__ import annotations

from typing import Any

from homeostat.compare import fields, predecessors
from homeostat.compare.fields import FieldSet
from homeostat.compare.predecessors import LAST_APPLIED_PATH, MANAGER
from homeostat.model.objects import Object


def takeover(live: Object, manager: str = MANAGER, *, also: str = "") -> list[dict[str, Any]] | None:
    """The JSON patch that makes the predecessors' fields ours, or ``None`` when there is no predecessor.

    ``also`` is a manager of the user's choice (``argocd.argoproj.io/client-side-apply-migration-manager``): what it wrote by updates becomes ours
    without exception, since that is what was asked for.

    To be sent as ``application/json-patch+json`` before the apply. It tests resourceVersion: when the object was written in between, the API server
    refuses with 422 and the live object has to be read again.
    """
    entries = predecessors.entries_of(live)
    before = [entry for entry in entries if (predecessors.is_predecessor(entry) or _is_named(entry, also)) and not _is_own(entry, manager)]
    if not before:
        return None
    own = predecessors.own_entry(entries, manager)
    ours: FieldSet = predecessors.fields_of(own) if own is not None else {}
    for entry in before:
        whole = _is_named(entry, also)
        ours = fields.union(ours, predecessors.fields_of(entry) if whole else predecessors.declared(entry, live))
        if fields.contains(predecessors.fields_of(entry), LAST_APPLIED_PATH):
            ours = fields.union(ours, fields.single(LAST_APPLIED_PATH))
    rest = [entry for entry in entries if entry is not own and entry not in before]
    if ours:
        latest = max([*before, *([own] if own is not None else [])], key=lambda entry: str(entry.get("time") or ""))
        mine = {
            "manager": manager,
            "operation": "Apply",
            "apiVersion": latest.get("apiVersion") or live.get("apiVersion"),
            "fieldsType": "FieldsV1",
            "fieldsV1": ours,
        }
        rest.append(mine | ({"time": latest["time"]} if latest.get("time") else {}))
    return [
        {"op": "test", "path": "/metadata/resourceVersion", "value": live["metadata"].get("resourceVersion")},
        # NB: an empty list would be read as «leave managedFields alone», a list of one empty entry clears it.
        {"op": "replace", "path": "/metadata/managedFields", "value": rest or [{}]},
    ]


def _is_named(entry: dict[str, Any], also: str) -> bool:
    return bool(also) and entry.get("manager") == also and entry.get("operation") == "Update" and not entry.get("subresource")


def _is_own(entry: dict[str, Any], manager: str) -> bool:
    return entry.get("manager") == manager and entry.get("operation") == "Apply"
