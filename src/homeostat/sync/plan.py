"""The planner: desired, live and policy → the ordered tasks that would bring live to desired. Pure.

A diff, a preview and a sync use this same function. Rules: reference 1.3, 1.4, 2.5, 2.8. Nothing is pruned that this app does not track, whose mark
speaks of another object, that belongs to an owner, that is a hook, or that the cluster shows under another API group as something desired.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from homeostat.compare import predecessors
from homeostat.compare.predecessors import NAMESPACE_MANAGER
from homeostat.model.hooks import is_hook, takes_part
from homeostat.model.manifest import Desired
from homeostat.model.objects import Key, Object, annotations_of, key_of, version_of
from homeostat.model.sync import Action, Operation, Phase, Plan, Task, TaskResult, Wave
from homeostat.model.tracking import Tracking
from homeostat.sync import options as opt
from homeostat.sync.hooks import Attempt, hook_tasks
from homeostat.sync.order import NAMESPACE, adjust_dependencies, into_waves, sort_key, wave_of, wave_or_zero
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
    app; desired ones among them are passed over. ``namespace`` is the destination's, ``namespace_live`` its
    object, ``None`` when it is not there; ``namespace_labels`` and ``namespace_annotations`` are what it should have.
    ``options`` are the sync options that hold (:func:`homeostat.sync.options.effective`). ``recorded`` are the results of the sync so far: a task that
    has one stays in the plan, so that a plan made anew in the middle of a sync is the same plan. ``revision`` and ``started_at`` (RFC 3339) name
    ``generateName`` hooks, ``run`` (``<started at>/<retry>``) marks the hooks of this attempt. ``approved``: somebody confirmed the deletions that ask
    for it. ``held`` are prunes that a deletion guard holds, with the reason: they are skipped.
    """

    app_id: str
    targets: Sequence[Target]
    managed: Iterable[Object] = ()
    namespace: str = ""
    namespace_live: Object | None = None
    namespace_labels: Mapping[str, str] = {}
    namespace_annotations: Mapping[str, str] = {}
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
    """The waves of a sync in the order in which they run; none when there is nothing to do. Those of SyncFail, which run when it fails, stand last.

    Keep the plan of an attempt while you can. Made anew in the middle of it (after a restart), applies and hooks stand in the same waves and prunes in
    the same order, but a prune that is left may stand in another wave: the waves of prunes are mirrored among those that there are (as in Argo CD).
    Raises :class:`homeostat.sync.errors.WaveError`.
    """
    tasks = [*_applies(given), *_hooks(given)]
    namespace = _namespace(given, tasks)
    tasks += _in_reverse(_prunes(given), given.options, last=max((task.wave for task in tasks if task.phase is Phase.SYNC), default=0))
    tasks.sort(key=sort_key)
    waves = into_waves(adjust_dependencies(tasks))
    return Plan((*namespace, *waves))


def _applies(given: PlanInput) -> list[Task]:
    only_differing = opt.OUT_OF_SYNC_ONLY in given.options
    done = {result.key for result in given.recorded} if only_differing else set()
    selections = given.operation.resources
    tasks = []
    for target in given.targets:
        desired = target.desired
        if not takes_part(desired.object):
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
                writing=opt.writing(desired.object, target.live, given.options, given.operation),
            )
        )
    return tasks


def _hooks(given: PlanInput) -> list[Task]:
    """Partial syncs and the strategy ``apply`` run none (reference 1.4)."""
    if given.operation.resources or given.operation.skip_hooks:
        return []
    attempt = Attempt(given.app_id, given.namespace, given.tracking, given.run, given.revision, given.started_at)
    return [
        replace(task, writing=opt.writing(target.desired.object, None, given.options, given.operation))
        for target in given.targets
        if not takes_part(target.desired.object)
        for task in hook_tasks(target.desired, attempt)
    ]


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
        reason = _why_not(key, obj, given)
        tasks.append(
            Task(
                action=Action.SKIP_PRUNE if reason else Action.PRUNE,
                phase=Phase.SYNC,
                wave=wave_or_zero(obj),
                key=key,
                version=version_of(obj),
                live=obj,
                reason=reason,
                needs_confirmation=not reason and not given.approved and opt.prune_needs_confirmation(obj, given.options),
            )
        )
    return tasks


def _why_not(key: Key, obj: Object, given: PlanInput) -> str:
    """Why ``obj`` is not pruned; empty when it is."""
    if not given.operation.prune:
        return REQUIRES_PRUNING
    if opt.prune_forbidden(obj, given.options):
        return NO_PRUNE
    return given.held.get(key, "")


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


def _namespace(given: PlanInput, tasks: Iterable[Task]) -> tuple[Wave, ...]:
    """The wave that makes the destination's namespace, before everything else; it is not tracked, for nobody may prune it.

    An app that declares the namespace itself, be it as a hook that runs before what lives in it, makes it so.
    """
    if opt.CREATE_NAMESPACE not in given.options or not given.namespace or _is_as_declared(given):
        return ()
    key = Key(*NAMESPACE, "", given.namespace)
    if any(target.desired.key == key and takes_part(target.desired.object) for target in given.targets):
        return ()
    if any(task.key == key and task.phase in {Phase.PRE_SYNC, Phase.SYNC} for task in tasks):
        return ()
    metadata: Object = {"name": given.namespace}
    if given.namespace_labels:
        metadata["labels"] = dict(given.namespace_labels)
    if given.namespace_annotations:
        metadata["annotations"] = dict(given.namespace_annotations)
    desired: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    task = Task(
        action=Action.CREATE_NAMESPACE, phase=Phase.PRE_SYNC, wave=0, key=key, version="v1", desired=desired, live=given.namespace_live
    )
    return (Wave(Phase.PRE_SYNC, 0, ((task,),)),)


def _is_as_declared(given: PlanInput) -> bool:
    """Whether the namespace is there with the labels and annotations that it should have, and with none that an app gave it and no longer wants.

    An app that says nothing of them takes nothing away: what is there may be another app's.
    """
    if given.namespace_live is None:
        return False
    own = predecessors.own_entry(predecessors.entries_of(given.namespace_live), NAMESPACE_MANAGER)
    owned = predecessors.fields_of(own or {}).get("f:metadata") or {}
    for wanted, field in ((given.namespace_labels, "f:labels"), (given.namespace_annotations, "f:annotations")):
        given_before = {element[2:] for element in owned.get(field) or () if element != "."}
        if (given.namespace_labels or given.namespace_annotations) and not given_before <= wanted.keys():
            return False
    metadata = given.namespace_live["metadata"]
    declared = ((given.namespace_labels, metadata.get("labels")), (given.namespace_annotations, metadata.get("annotations")))
    return all((there or {}).get(name) == value for wanted, there in declared for name, value in wanted.items())
