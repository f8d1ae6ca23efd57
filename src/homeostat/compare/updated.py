"""The echo of an object that is patched or replaced, not applied (``ServerSideApply=false``, ``Replace=true``).

Here managedFields do not tell what of the answer desired claims: an update is recorded with all defaults, and only where it changed something. So
claimed is what desired names, of all that anybody owns (which says how the items of a list are told apart). Fields that we wrote before and that
desired names no more are drift where the answer does not have them, or has another value: a patch or a replacement takes them away.

Pure. With the dry run of the very write that a sync would do, drift is exactly what that write would change of ours.
"""

from __future__ import annotations

from homeostat.compare import fields, predecessors
from homeostat.compare.claims import claims, without_status
from homeostat.compare.drift import Echo, find_present, unchanged
from homeostat.compare.fields import EMPTY, MISSING, FieldSet, Path
from homeostat.model.objects import Object


def echo_of_update(answer: Object, *, desired: Object, before: Object | None = None, applied: bool = False) -> Echo:
    """The echo in the ``answer`` to a create, patch or replacement with ``desired``.

    ``before`` is the live object before a dry run, ``applied`` is true when it was none (as for :func:`homeostat.compare.drift.echo`).
    """
    entries = predecessors.entries_of(answer)
    everybodys: FieldSet = {}
    for entry in entries:
        everybodys = fields.union(everybodys, predecessors.fields_of(entry))
    claimed = fields.restrict(without_status(claims(everybodys, answer)), desired)
    values = fields.project(answer, claimed) if claimed else {}
    present: set[Path] = set()
    find_present(claimed, values, desired, [], (), present)
    # What is ours by the server's defaults stays as it is: neither a patch nor a replacement takes it away.
    if before is None or applied:
        kept = fields.difference(predecessors.owned(entries, answer), claimed)
    else:
        ours = predecessors.owned(predecessors.entries_of(before), before)
        kept = unchanged(fields.difference(ours, claimed), answer, before)
    metadata = answer.get("metadata") or EMPTY
    return Echo(
        api_version=answer.get("apiVersion") or "",
        fields=claimed,
        values={} if values is MISSING else values,
        resource_version=str(metadata.get("resourceVersion") or "") if applied else "",
        present=frozenset(present),
        kept=kept,
        updates=True,
    )
