"""Partial syncs: which objects ``operation.sync.resources`` names, and how a self-heal names the objects that it heals.

Rules: reference 1.1, 1.4, 2.4. Argo CD leaves the namespace out of its own self-heal operations, so that a namesake in another namespace is
synced too; here the namespace is named where the app has such a namesake, and else the shape is Argo CD's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from fnmatch import fnmatchcase

from homeostat.model.objects import Key
from homeostat.model.sync import SyncSelection


def is_selected(selections: tuple[SyncSelection, ...], key: Key) -> bool:
    """Whether ``key`` takes part in a sync of ``selections``; none of them selects everything.

    An entry with ``exclude`` takes objects out whatever the others say; with nothing but such entries the rest is in. ``*`` stands for any text.
    """
    if not selections:
        return True
    named = False
    selected = False
    for selection in selections:
        if selection.exclude:
            if _matches(selection, key):
                return False
            continue
        named = True
        selected = selected or _matches(selection, key)
    return selected or not named


def heal_selection(keys: Iterable[Key], of: Iterable[Key]) -> tuple[SyncSelection, ...]:
    """The selection that names exactly ``keys``, among the objects ``of`` an app; in the order of the keys."""
    wanted = sorted(set(keys))
    namespaces: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
    for key in (*wanted, *of):
        namespaces[key.group, key.kind, key.name].add(key.namespace)
    return tuple(
        SyncSelection(
            group=key.group,
            kind=key.kind,
            name=key.name,
            namespace=key.namespace if len(namespaces[key.group, key.kind, key.name]) > 1 else "",
        )
        for key in wanted
    )


def _matches(selection: SyncSelection, key: Key) -> bool:
    return (
        _like(selection.group, key.group)
        and _like(selection.kind, key.kind)
        and _like(selection.name, key.name)
        and (not selection.namespace or _like(selection.namespace, key.namespace))
    )


def _like(pattern: str, text: str) -> bool:
    if "*" in pattern:
        return fnmatchcase(text, pattern.replace("[", "[[]").replace("?", "[?]"))
    return pattern == text
