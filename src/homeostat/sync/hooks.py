"""Sorts the desired objects of an app into plain ones, hooks, and those that take part in nothing.

Hooks are not run yet: an app that has some is refused with an error that names them. How and when a hook runs will be the planner's business,
which already knows phases. What makes an object a hook is said in ``model/hooks.py``.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from homeostat.model.hooks import is_ignored, takes_part
from homeostat.model.manifest import Desired


class Sorted(msgspec.Struct, frozen=True):
    """The objects of an app by what they are to a sync. ``ignored`` ones (Skip, Helm's tests and rollback hooks) take no part in anything."""

    plain: tuple[Desired, ...]
    hooks: tuple[Desired, ...] = ()
    ignored: tuple[Desired, ...] = ()


def sort_out(objects: Iterable[Desired]) -> Sorted:
    """Tells plain objects, hooks and ignored ones apart; each keeps its order."""
    plain: list[Desired] = []
    hooks: list[Desired] = []
    ignored: list[Desired] = []
    for desired in objects:
        if takes_part(desired.object):
            plain.append(desired)
        elif is_ignored(desired.object):
            ignored.append(desired)
        else:
            hooks.append(desired)
    return Sorted(tuple(plain), tuple(hooks), tuple(ignored))
