"""The deletion guards by name: what can hold a prune until somebody confirms it. What each of them looks for is ``sync/guards.py``'s business."""

from __future__ import annotations

from enum import StrEnum


class DeletionGuard(StrEnum):
    """The names of the guards in the setting for all apps (``homeostat.deletion.guards``) and in an app's annotation (``homeostat/deletion-guards``).

    Both list the guards that are on; only those of both are.
    """

    MASS_DELETION = "mass-deletion"
    NAMESPACE = "namespace"
    CRD = "crd"
    VOLUME = "volume"


ALL_GUARDS = frozenset(DeletionGuard)
NO_GUARD: frozenset[DeletionGuard] = frozenset()


def read_guards(text: str) -> frozenset[DeletionGuard]:
    """``off`` and nothing are no guards, ``on`` all of them, else a list such as ``namespace,crd``. Raises ``ValueError`` with what was expected."""
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    if words in ([], ["off"]):
        return NO_GUARD
    if words == ["on"]:
        return ALL_GUARDS
    unknown = [word for word in words if word not in ALL_GUARDS]
    if unknown:
        raise ValueError(f"expected on, off or a list of {', '.join(DeletionGuard)}, found {text[:100]!r}")
    return frozenset(map(DeletionGuard, words))
