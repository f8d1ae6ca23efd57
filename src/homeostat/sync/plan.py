"""The planner: desired, live and policy → the ordered tasks that would bring live to desired. Pure.

A diff, a preview and a sync use this same function. Rules: reference 1.3, 1.4, 2.5, 2.8. Nothing is pruned that this app does not track, whose mark
speaks of another object, that belongs to an owner, that is a hook, or that the cluster shows under another API group as something desired.
Hooks have their place (phase, wave) and are not supported yet: a full sync of an app with hooks raises, a partial one leaves them out as in Argo CD.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from homeostat.model.hooks import is_hook, takes_part
from homeostat.model.manifest import Desired
from homeostat.model.objects import Key, Object, annotations_of, key_of, version_of
from homeostat.model.sync import Action, Operation, Phase, Plan, Task, TaskResult, Wave
from homeostat.model.tracking import Tracking
from homeostat.sync import options as opt
from homeostat.sync.errors import HooksNotSupportedError
from homeostat.sync.hooks import sort_out
from homeostat.sync.order import adjust_dependencies, into_waves, sort_key, wave_of, wave_or_zero
from homeostat.sync.select import is_selected

REQUIRES_PRUNING = "ignored (requires pruning)"
NO_PRUNE = "ignored (no prune)"


class Target(msgspec.Struct, frozen=True):
    """One desired object and what is known of it. ``live`` is the object as the cluster has it now, ``None`` when it is not there."""

    desired: Desired
    live: Object | None = None
    out_of_sync: bool = True


class PlanInput(msgspec.Struct, frozen=True):
    """Everything a plan depends on.

    ``targets`` are the app's desired objects, hooks included. ``managed`` are live objects to think of pruning: those that the index has for the
    app; desired ones among them are passed over. ``namespace`` is the destination's. ``options`` are the sync options that hold
    (:func:`homeostat.sync.options.effective`). ``recorded`` are the results of the sync so far: a task that has one stays in the plan,
    so that a plan made anew in the middle of a sync is the same plan. ``revision`` and ``started_at`` (RFC 3339) name ``generateName`` hooks, ``run``
    marks the hooks of this attempt. ``approved``: somebody confirmed the deletions that ask for it. ``held`` are prunes that a deletion guard
    holds, with the reason: they are skipped.
    """

    app_id: str
    targets: Sequence[Target]
    managed: Iterable[Object] = ()
    namespace: str = ""
    namespace_exists: bool = True
    operation: Operation = Operation()
    options: tuple[str, ...] = ()
    tracking: Tracking = Tracking()
    recorded: tuple[TaskResult, ...] = ()
    revision: str = ""
    started_at: str = ""
    run: str = ""
    approved: bool = False
    held: Mapping[Key, str] = {}


def plan(given: PlanInput) -> Plan:
    """The waves of a sync in the order in which they run; none when there is nothing to do.

    Keep the plan of an attempt while you can. Made anew in the middle of it (after a restart), applies stand in the same waves and prunes in the
    same order, but a prune that is left may stand in another wave: the waves of prunes are mirrored among those that there are (as in Argo CD).
    Raises :class:`homeostat.sync.errors.HooksNotSupportedError` and :class:`homeostat.sync.errors.WaveError`.
    """
    tasks = _applies(given)
    prunes = _prunes(given)
    tasks.extend(_in_reverse(prunes, given.options, last=max((task.wave for task in tasks), default=0)))
    tasks.sort(key=sort_key)
    waves = into_waves(adjust_dependencies(tasks))
    return Plan((*_namespace(given), *waves))


def _applies(given: PlanInput) -> list[Task]:
    only_differing = opt.OUT_OF_SYNC_ONLY in given.options
    done = {result.key for result in given.recorded} if only_differing else set()
    selections = given.operation.resources
    tasks = []
    hooks = []
    for target in given.targets:
        desired = target.desired
        if not takes_part(desired.object):
            hooks.append(desired)
            continue
        if only_differing and not target.out_of_sync and desired.key not in done and not opt.always_applied(desired.object):
            continue
        if selections and not is_selected(selections, desired.key):
            continue
        tasks.append(
            Task(
                action=Action.APPLY,
                phase=Phase.SYNC,
                wave=wave_of(desired.object, desired.origin),
                key=desired.key,
                version=version_of(desired.object),
                desired=desired.object,
                live=target.live,
                origin=desired.origin,
            )
        )
    if not selections and (refused := sort_out(hooks).hooks):
        raise HooksNotSupportedError(refused)
    return tasks


def _prunes(given: PlanInput) -> list[Task]:
    wanted = {target.desired.key for target in given.targets}
    uids = {target.live["metadata"].get("uid") for target in given.targets if target.live is not None}
    tasks = []
    for obj in given.managed:
        key = key_of(obj)
        if key in wanted or is_hook(obj) or not is_own(key, obj, given.app_id, given.tracking):
            continue
        if obj["metadata"].get("uid") in uids or not is_selected(given.operation.resources, key):
            continue
        reason = ""
        if not given.operation.prune:
            reason = REQUIRES_PRUNING
        elif opt.prune_forbidden(obj, given.options):
            reason = NO_PRUNE
        tasks.append(_prune_task(key, obj, wave_or_zero(obj), reason))
    return tasks


def _prune_task(key: Key, obj: Object, wave: int, reason: str = "") -> Task:
    action = Action.SKIP_PRUNE if reason else Action.PRUNE
    return Task(action=action, phase=Phase.SYNC, wave=wave, key=key, version=version_of(obj), live=obj, reason=reason)


def is_own(key: Key, obj: Object, app_id: str, tracking: Tracking) -> bool:
    """Whether ``obj`` is this app's to delete: tracked by it, its mark its own, no child of another object."""
    if not app_id or tracking.app_of(obj) != app_id or not tracking.is_own(key, annotations_of(obj)):
        return False
    return not obj["metadata"].get("ownerReferences")


def _in_reverse(prunes: list[Task], options: Sequence[str], *, last: int) -> list[Task]:
    """Prunes in the opposite order of their waves, by swapping the first wave with the last and so on; ``PruneLast`` ones behind wave ``last``.

    ``last`` is the highest wave that is applied; the reversed prunes that are not put last count as well.
    """
    waves = sorted({task.wave for task in prunes})
    opposite = dict(zip(waves, reversed(waves), strict=True))
    reverse = [replace(task, wave=opposite[task.wave]) for task in prunes]
    behind = max([last, 0, *(task.wave for task in reverse)]) + 1
    everything = opt.PRUNE_LAST in options
    return [
        replace(task, wave=behind) if everything or (task.live is not None and opt.PRUNE_LAST in opt.resource_options(task.live)) else task
        for task in reverse
    ]


def _namespace(given: PlanInput) -> tuple[Wave, ...]:
    """The wave that makes the destination's namespace, before everything else; it is not tracked, for nobody may prune it."""
    if opt.CREATE_NAMESPACE not in given.options or given.namespace_exists or not given.namespace:
        return ()
    key = Key("", "Namespace", "", given.namespace)
    if any(target.desired.key == key for target in given.targets):
        return ()
    desired: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": given.namespace}}
    task = Task(action=Action.CREATE_NAMESPACE, phase=Phase.PRE_SYNC, wave=0, key=key, version="v1", desired=desired)
    return (Wave(Phase.PRE_SYNC, 0, ((task,),)),)
