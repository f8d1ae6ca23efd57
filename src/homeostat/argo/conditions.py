"""The condition types of an Application (reference 2.7), and how their times are kept.

A condition whose message stays the same keeps its time: it says since when. Errors end in ``Error``, what merely ought to be known in ``Warning``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from homeostat.model.report import Condition

DELETION_ERROR = "DeletionError"
INVALID_SPEC_ERROR = "InvalidSpecError"
COMPARISON_ERROR = "ComparisonError"
SYNC_ERROR = "SyncError"
UNKNOWN_ERROR = "UnknownError"
SHARED_RESOURCE_WARNING = "SharedResourceWarning"
REPEATED_RESOURCE_WARNING = "RepeatedResourceWarning"
EXCLUDED_RESOURCE_WARNING = "ExcludedResourceWarning"
ORPHANED_RESOURCE_WARNING = "OrphanedResourceWarning"
DELETION_HELD_WARNING = "DeletionHeldWarning"
"""Ours: a deletion guard holds prunes until somebody confirms them."""

TYPES = (
    DELETION_ERROR,
    INVALID_SPEC_ERROR,
    COMPARISON_ERROR,
    SYNC_ERROR,
    UNKNOWN_ERROR,
    SHARED_RESOURCE_WARNING,
    REPEATED_RESOURCE_WARNING,
    EXCLUDED_RESOURCE_WARNING,
    ORPHANED_RESOURCE_WARNING,
    DELETION_HELD_WARNING,
)


def build(conditions: Iterable[Condition], old: Any, *, now: str) -> list[dict[str, str]]:
    """``status.conditions`` for ``conditions``, sorted by type and message; ``old`` is the list that stands there now."""
    since = {}
    for one in old if isinstance(old, list) else ():
        if isinstance(one, dict) and one.get("lastTransitionTime"):
            since[one.get("type"), one.get("message")] = one["lastTransitionTime"]
    return [
        {"lastTransitionTime": since.get((type_, message), now), "message": message, "type": type_}
        for type_, message in sorted({(condition.type, condition.message) for condition in conditions})
    ]
