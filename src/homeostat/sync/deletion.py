"""The planner of an app's deletion: which of its live objects go and in which order, and the hooks that run before and after. Pure.

Nothing goes that the app does not own (reference 1.6, 2.8; ``controller/{appcontroller,hook}.go``). A deletion remembers nothing: what hooks have run
is read off their live objects, which our finalizer keeps until all of them are done. Who carries it out is ``loop/deleting.py``'s business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from homeostat.model import times
from homeostat.model.hooks import DELETE_POLICY, HELM_DELETE_POLICY, DeletePolicy, HookType, delete_policies, has_finalizer, hook_types
from homeostat.model.manifest import Desired
from homeostat.model.objects import Key, Object, annotations_of, key_of, version_of
from homeostat.model.sync import Action, OperationPhase, Phase, Plan, Task, Wave
from homeostat.model.tracking import Tracking
from homeostat.sync import options as opt
from homeostat.sync.hooks import Attempt, hook_task, run_mark
from homeostat.sync.order import CRD, adjust_dependencies, into_waves, sort_key, wave_or_zero
from homeostat.sync.plan import is_own
from homeostat.sync.step import Cleanup, LiveHealth, Observed, RunWave, Tidy, Wait, makes_place, outcome_of, waiting_message

TYPES = frozenset({HookType.PRE_DELETE, HookType.POST_DELETE})

_TRACKING = Tracking()
_NOWHERE = Key("", "", "", "")


class Failed(msgspec.Struct, frozen=True):
    """Hooks failed. ``cleanups`` take away what is in the way of another attempt."""

    message: str
    cleanups: tuple[Cleanup, ...]


class Finished(msgspec.Struct, frozen=True):
    """All hooks ran and are well. ``cleanups`` let go of those that are still held."""

    cleanups: tuple[Cleanup, ...]


HookStep = RunWave | Tidy | Wait | Failed | Finished


def plan_deletion(
    live: Iterable[Object], *, app_id: str, own: Key = _NOWHERE, options: Sequence[str] = (), tracking: Tracking = _TRACKING
) -> Plan:
    """The deletion of an app's objects: the highest wave first (reference 2.8), what a sync's hooks left behind included.

    CRDs, the app itself (``own``), the hooks of its deletion, objects that are not its own, and those that ``Delete=false`` or Helm's ``keep`` protect
    are left where they are.
    """
    tasks = [
        Task(action=Action.PRUNE, phase=Phase.SYNC, wave=wave_or_zero(obj), key=key, version=version_of(obj), live=obj)
        for obj in live
        if (key := key_of(obj)) != own
        and key.group_kind != CRD
        and is_own(key, obj, app_id, tracking)
        and not opt.deletion_forbidden(obj, options)
        and TYPES.isdisjoint(hook_types(obj))
    ]
    tasks.sort(key=lambda task: (-task.wave, sort_key(task)))
    return Plan(tuple(Wave(Phase.SYNC, number, (tuple(members),)) for number, members in groupby(tasks, key=lambda task: task.wave)))


def to_confirm(plan: Plan, options: Sequence[str]) -> tuple[Key, ...]:
    """The objects of ``plan`` that may go only after somebody has said so (``Delete=confirm``)."""
    return tuple(task.key for task in plan.tasks if task.live is not None and opt.deletion_needs_confirmation(task.live, options))


def held_hooks(live: Iterable[Object], *, app_id: str, tracking: Tracking = _TRACKING) -> tuple[Cleanup, ...]:
    """Lets go of the hooks that the app's last sync left: our own finalizer would keep them for ever."""
    return tuple(
        Cleanup(key, version_of(obj), uid=_uid(obj), release=True)
        for obj in live
        if has_finalizer(obj) and TYPES.isdisjoint(hook_types(obj)) and is_own(key := key_of(obj), obj, app_id, tracking)
    )


def needed(hooks: Iterable[Desired]) -> frozenset[HookType]:
    """Which hooks of a deletion there are among the ``hooks`` of an app."""
    return frozenset(found for hook in hooks for found in hook_types(hook.object) if found in TYPES)


def attempt_of(*, app_id: str, namespace: str, tracking: Tracking, revision: str, deleted_at: float) -> Attempt:
    """By what the hooks of one deletion are told from those of another; always the same for one deletion, whoever goes on with it."""
    began = times.stamp(deleted_at)
    return Attempt(app_id=app_id, namespace=namespace, tracking=tracking, run=f"{began}/0", revision=revision, started_at=began)


def plan_hooks(hooks: Iterable[Desired], hook_type: HookType, attempt: Attempt) -> Plan:
    """The hooks of ``hook_type`` in the order in which they run: by wave, kind and name. Raises :class:`homeostat.sync.errors.WaveError`.

    The phase of the tasks says nothing: deletions have none.
    """
    tasks = [hook_task(hook, Phase.SYNC, str(hook_type), attempt) for hook in hooks if hook_type in hook_types(hook.object)]
    tasks.sort(key=sort_key)
    return Plan(into_waves(adjust_dependencies(tasks)))


def hook_step(plan: Plan, live: LiveHealth) -> HookStep:
    """What to do next about the hooks of ``plan``, by what is live alone. A wave begins when all hooks of the one before are well."""
    held: list[Cleanup] = []
    for wave in plan.waves:
        seen = _Seen()
        for task in wave.tasks:
            seen.add(task, live(task.key))
        if seen.failed:
            return Failed("; ".join(seen.failed), tuple(seen.failures))
        if seen.stale:
            return Tidy((), tuple(seen.stale), waiting_message("deletion of", [one.key for one in seen.stale], "hooks"))
        if seen.leaving:
            return Wait((), waiting_message("deletion of", seen.leaving, "hooks"), tuple(seen.leaving))
        if seen.missing:
            groups = (tuple(task for task in group if task.key in seen.missing) for group in wave.groups)
            return RunWave((), Wave(wave.phase, wave.number, tuple(group for group in groups if group)))
        if seen.running:
            return Wait((), waiting_message("completion of", seen.running, "hooks"), tuple(seen.running))
        held += seen.held
    return Finished(tuple(held))


class _Seen:
    """The hooks of one wave, sorted by what is to be done about them."""

    def __init__(self) -> None:
        self.missing: set[Key] = set()
        self.stale: list[Cleanup] = []
        self.leaving: list[Key] = []
        self.running: list[Key] = []
        self.failed: list[str] = []
        self.failures: list[Cleanup] = []
        self.held: list[Cleanup] = []

    def add(self, task: Task, observed: Observed | None) -> None:
        if observed is None:
            self.missing.add(task.key)
            return
        away = Cleanup(task.key, task.version, uid=observed.uid, delete=not observed.deleting, release=observed.held)
        if observed.run != run_mark(task):
            self._add_old(task, observed, away)
            return
        phase = outcome_of(observed.health)
        if phase is OperationPhase.FAILED or (phase is OperationPhase.RUNNING and observed.deleting):
            health = observed.health.message if observed.health is not None else ""
            self.failed.append(f"{task.key}: {'somebody deleted it while it ran' if observed.deleting else health}")
            self.failures.append(away)
        elif phase is OperationPhase.RUNNING:
            self.running.append(task.key)
        elif observed.held:
            self.held.append(Cleanup(task.key, task.version, uid=observed.uid, release=True))

    def _add_old(self, task: Task, observed: Observed, away: Cleanup) -> None:
        """An object that something else than this deletion made: it goes first, or is applied over, as its policies say."""
        if observed.deleting and not observed.held:
            self.leaving.append(task.key)
        elif observed.deleting or makes_place(task, observed):
            self.stale.append(away)
        else:
            self.missing.add(task.key)


def hooks_among(live: Iterable[Object], hook_type: HookType, *, app_id: str, tracking: Tracking = _TRACKING) -> list[Object]:
    """The app's own hooks of ``hook_type`` among live objects."""
    return [obj for obj in live if hook_type in hook_types(obj) and is_own(key_of(obj), obj, app_id, tracking)]


def clean_up(hooks: Sequence[Object], live: LiveHealth) -> tuple[Cleanup, ...]:
    """What becomes of the hooks once the app is gone. Those without a delete policy go; those that stay are let go of.

    HookSucceeded means that all went well, HookFailed that one of them did not (``controller/hook.go`` ``cleanupHooks``).
    """
    outcomes = {outcome_of(observed.health) for hook in hooks if (observed := live(key_of(hook))) is not None}
    due = {DeletePolicy.HOOK_SUCCEEDED} if outcomes <= {OperationPhase.SUCCEEDED} else set()
    if OperationPhase.FAILED in outcomes:
        due = {DeletePolicy.HOOK_FAILED}
    cleanups = []
    for hook in hooks:
        annotations = annotations_of(hook)
        goes = not (DELETE_POLICY in annotations or HELM_DELETE_POLICY in annotations) or not due.isdisjoint(delete_policies(hook))
        delete, release = goes and "deletionTimestamp" not in hook["metadata"], has_finalizer(hook)
        if delete or release:
            cleanups.append(Cleanup(key_of(hook), version_of(hook), uid=_uid(hook), delete=delete, release=release))
    return tuple(cleanups)


def _uid(obj: Object) -> str:
    return str(obj["metadata"].get("uid") or "")
