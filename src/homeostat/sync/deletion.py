"""The planner of an app's deletion: which of its live objects go, and in which order. Pure.

Nothing goes that the app does not own (reference 1.6, 2.8). Hooks that run before and after are planned here too; who carries it all out, and what is
waited for, is ``loop/deleting.py``'s business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from homeostat.model.objects import Object, key_of, version_of
from homeostat.model.sync import Action, Phase, Plan, Task, Wave
from homeostat.model.tracking import Tracking
from homeostat.sync import options as opt
from homeostat.sync.order import CRD, sort_key, wave_or_zero
from homeostat.sync.plan import is_own

_TRACKING = Tracking()


def plan_deletion(live: Iterable[Object], *, app_id: str, options: Sequence[str] = (), tracking: Tracking = _TRACKING) -> Plan:
    """The deletion of an app's objects: the highest wave first (reference 2.8), what a sync's hooks left behind included.

    CRDs, objects that are not the app's own, and those that ``Delete=false`` or Helm's ``keep`` protect are left where they are.
    """
    tasks = [
        Task(action=Action.PRUNE, phase=Phase.SYNC, wave=wave_or_zero(obj), key=key, version=version_of(obj), live=obj)
        for obj in live
        if (key := key_of(obj)).group_kind != CRD and is_own(key, obj, app_id, tracking) and not opt.deletion_forbidden(obj, options)
    ]
    tasks.sort(key=lambda task: (-task.wave, sort_key(task)))
    return Plan(tuple(Wave(Phase.SYNC, number, (tuple(members),)) for number, members in groupby(tasks, key=lambda task: task.wave)))
