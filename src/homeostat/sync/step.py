"""The state machine of a sync: from what is recorded and what is live, what comes next. Pure and re-entrant.

All that a sync remembers is ``OperationState.results``; asked again with the same answers, :func:`step` says the same, so any process can go on
with a sync that another one began. Rules: reference 2.5 and ``recorded/argocd``. A wave starts when what earlier waves applied is healthy, their hooks
are done, and what they pruned is gone; a last wave without hooks is not waited for. Who waits, and how, is not decided here.

A hook's object carries the mark of the attempt and phase that made it. One with the mark of a task that has no result was made by a process that
could not record it: it is not made twice. One with another mark is of an earlier run: it goes first, if its policy says so. Our finalizer holds
an object until its end has been judged *and recorded*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec.structs import replace

from homeostat.model.health import Health, HealthStatus
from homeostat.model.hooks import DeletePolicy
from homeostat.model.objects import Key
from homeostat.model.sync import Action, OperationPhase, Phase, Plan, ResultCode, Task, TaskResult, Wave
from homeostat.sync.hooks import run_mark
from homeostat.sync.images import images_of
from homeostat.sync.messages import named

ALL_RUN = "successfully synced (all tasks run)"
NOTHING_TO_DO = "successfully synced (no more tasks)"
DRY_RUN = "successfully synced (dry run)"
FAILED = "one or more synchronization tasks completed unsuccessfully"
TERMINATED = "Operation terminated"
SYNC_FAIL_FAILED = "one or more SyncFail hooks failed"
TERMINATING = "operation is terminating"
DELETED = "Deleted"
GONE = "the object is gone from the cluster: somebody else deleted it after it was applied"
HOOK_GONE = "the hook is gone from the cluster: somebody else deleted it before it was done"
FOREIGN = "another app has an object of this name: it is not deleted to make place for this hook"


class Observed(msgspec.Struct, frozen=True):
    """A live object as far as a sync cares. ``health`` is ``None`` where no rule judges its kind; ``deleting``: it has a deletion timestamp.

    ``run`` (:data:`homeostat.model.hooks.RUN`), ``held`` (it has our hook finalizer) and ``foreign`` (another app tracks it) matter for hooks.
    """

    health: Health | None = None
    deleting: bool = False
    uid: str = ""
    run: str = ""
    held: bool = False
    foreign: bool = False


LiveHealth = Callable[[Key], Observed | None]
"""What is live under a key, ``None`` when nothing is: an object that was applied and is gone fails the sync.

So it must be no older than the answers to our own applies, and kinds that came with this very sync have to be watched before they are asked for.
"""


class RunWave(msgspec.Struct, frozen=True):
    """Carry out ``wave``, which holds only what is still to do of it, then :func:`record` what became of it."""

    results: tuple[TaskResult, ...]
    wave: Wave


class Wait(msgspec.Struct, frozen=True):
    """Ask again when something about ``keys`` changes. ``reason`` is the operation's message meanwhile."""

    results: tuple[TaskResult, ...]
    reason: str
    keys: tuple[Key, ...]


class Finish(msgspec.Struct, frozen=True):
    """The attempt is over; whether another one follows is :mod:`homeostat.sync.retry`'s business."""

    results: tuple[TaskResult, ...]
    phase: OperationPhase
    message: str


class Cleanup(msgspec.Struct, frozen=True):
    """What becomes of a hook's object: ``release`` takes our finalizer off, ``delete`` deletes it. ``uid``: that very object and no namesake."""

    key: Key
    version: str
    uid: str
    delete: bool = False
    release: bool = False


class Tidy(msgspec.Struct, frozen=True):
    """Carry out ``cleanups``, then ask again at once. ``reason`` is the operation's message meanwhile.

    Write ``results`` down before: an object that is let go may vanish, and whoever goes on then must know how it ended.
    """

    results: tuple[TaskResult, ...]
    cleanups: tuple[Cleanup, ...]
    reason: str


Step = RunWave | Tidy | Wait | Finish
"""What comes next. ``results`` are the recorded ones brought up to date: they replace what is recorded."""

_NO_PLAN = Plan()
_UNSUCCESSFUL = frozenset({OperationPhase.FAILED, OperationPhase.ERROR})
_SUCCEEDED = frozenset({DeletePolicy.HOOK_SUCCEEDED})
_ENDED_BADLY = frozenset({DeletePolicy.HOOK_SUCCEEDED, DeletePolicy.HOOK_FAILED})
_NO_POLICY: frozenset[DeletePolicy] = frozenset()


def step(plan: Plan, results: Sequence[TaskResult], live: LiveHealth, *, dry_run: bool = False) -> Step:
    """What to do next in a sync of ``plan`` of which ``results`` are recorded.

    ``plan`` may have been made anew since (with these results as its ``recorded``). A dry run waits for nothing, and nothing is judged.
    """
    if dry_run:
        return _dry_step(plan, tuple(results))
    here = _Place(plan, _with_unrecorded(plan, results, live))
    done = tuple(here.judge(result, live(result.key)) if here.is_judged(result) else result for result in here.results)
    failed = [result for result in done if result.hook_phase in _UNSUCCESSFUL and result.phase is not Phase.SYNC_FAIL]
    if failed:
        return _fail(here, done, failed, live)
    waiting = [result for result in done if here.is_waited_for(result)]
    if waiting:
        return _wait_for_end(done, waiting)
    if here.current is not None:
        going = [result.key for result in done if result.status is ResultCode.PRUNED and here.is_going(result, live(result.key))]
        if going:
            return Wait(done, waiting_message("deletion of", going), tuple(going))
    cleanups = _cleanups(here, done, live, _SUCCEEDED if here.current is None else _NO_POLICY)
    if cleanups:
        return _tidy(done, cleanups)
    if here.current is not None:
        return _start(here, here.current, done, live)
    all_run = plan.waves and not here.ends_with_hooks
    return Finish(done, OperationPhase.SUCCEEDED, ALL_RUN if all_run else NOTHING_TO_DO)


def terminate(results: Sequence[TaskResult], live: LiveHealth, plan: Plan = _NO_PLAN, *, message: str = TERMINATED) -> Tidy | Finish:
    """The end of a sync that somebody called off: hooks that still run are deleted, those that are done are let go, then it is over.

    ``live`` is asked about the keys of :func:`hooks_of`. Without ``plan``, what was made and not recorded is not known.
    """
    here = _Place(plan, _with_unrecorded(plan, results, live))
    done = []
    cleanups = []
    for result in here.results:
        observed = live(result.key) if result.hook_type else None
        if observed is None or not here.is_made_by(result, observed):
            done.append(here.judge(result, None) if result.hook_type and _is_open(result) else result)
            continue
        running = outcome_of(observed.health) is OperationPhase.RUNNING
        delete = running and not observed.deleting
        if delete or observed.held:
            cleanups.append(Cleanup(result.key, result.version, observed.uid, delete=delete, release=observed.held))
        if running:
            done.append(replace(result, hook_phase=OperationPhase.SUCCEEDED, message=DELETED))
        else:
            done.append(here.judge(result, observed) if _is_open(result) else result)
    if cleanups:
        return Tidy(tuple(done), tuple(cleanups), TERMINATING)
    return Finish(tuple(done), OperationPhase.FAILED, message)


def to_observe(plan: Plan, results: Sequence[TaskResult]) -> tuple[Key, ...]:
    """The keys that :func:`step` would look at, for callers that have to judge health beforehand. Mostly none: one wave gates nothing.

    The kinds of hooks have to be watched before they are asked for, those that have not run yet included.
    """
    hooks = hooks_of(plan, results)
    here = _Place(plan, results)
    if not hooks and here.current is None and not here.failing:
        return ()
    # What was made and not recorded may move the sync on, so that with hooks more is looked at than what is recorded would ask for.
    judged = (r.key for r in results if r.status is ResultCode.PRUNED or (_is_open(r) if hooks else here.is_judged(r)))
    return tuple(dict.fromkeys((*hooks, *judged)))


def hooks_of(plan: Plan, results: Sequence[TaskResult]) -> tuple[Key, ...]:
    """The keys of all hooks, of the plan and of what is recorded."""
    keys = [task.key for task in plan.tasks if task.hook_type]
    return tuple(dict.fromkeys((*keys, *(result.key for result in results if result.hook_type))))


def record(plan: Plan, results: Sequence[TaskResult], new: Iterable[TaskResult]) -> tuple[TaskResult, ...]:
    """``results`` with ``new`` ones added or put in place of older ones, in the order of the plan; what it has no word of comes first."""
    merged = {(result.key, result.phase): result for result in results}
    merged.update(((result.key, result.phase), result) for result in new)
    ordered = [result for key, result in merged.items() if key not in plan.places]
    ordered.extend(merged[key] for key in plan.places if key in merged)
    return tuple(ordered)


def outcome_of(health: Health | None) -> OperationPhase:
    """What the health of a hook's object says of the hook: Running, Succeeded or Failed (reference 2.5)."""
    if health is None or health.status is HealthStatus.HEALTHY:
        return OperationPhase.SUCCEEDED
    if health.status in {HealthStatus.DEGRADED, HealthStatus.UNKNOWN}:
        return OperationPhase.FAILED
    return OperationPhase.RUNNING


def waiting_message(what: str, keys: Sequence[Key], more: str = "resources") -> str:
    """``waiting for healthy state of apps/Deployment/second and 2 more resources``."""
    return f"waiting for {what} {_and_more([f'{key.group_kind}/{key.name}' for key in keys], more)}"


def failure_message(failed: Sequence[TaskResult], *, dry_run: bool = False) -> str:
    """Why a sync failed, in the words of what failed; each reason once."""
    return _with_reasons(f"{FAILED} (dry run)" if dry_run else FAILED, failed)


def _with_reasons(text: str, failed: Iterable[TaskResult]) -> str:
    reasons = list(dict.fromkeys(result.message for result in failed if result.message))
    return f"{text}, reason: {', '.join(reasons)}" if reasons else text


def _and_more(names: Sequence[str], more: str) -> str:
    return f"{names[0]} and {len(names) - 1} more {more}" if len(names) > 1 else names[0]


def _dry_step(plan: Plan, results: tuple[TaskResult, ...]) -> Step:
    """Every wave in its turn, those of SyncFail too: what would be refused is to be found."""
    here = _Place(plan, results)
    place = here.first_open(failing=False) if here.current is not None else here.first_open(failing=True)
    failed = [result for result in results if result.hook_phase in _UNSUCCESSFUL]
    if place is not None and all(here.wave_of(result) == place for result in failed):
        return RunWave(results, here.rest_of(place))
    if failed:
        return Finish(results, OperationPhase.FAILED, failure_message(failed, dry_run=True))
    return Finish(results, OperationPhase.SUCCEEDED, DRY_RUN)


def _fail(here: _Place, done: tuple[TaskResult, ...], failed: Sequence[TaskResult], live: LiveHealth) -> Step:
    """What follows a failure: the rest of its wave, the end of the hooks that still run, then SyncFail, wave by wave, then the end.

    Plain objects are not waited for: the answer is known.
    """
    if here.current is not None and all(here.wave_of(result) == here.current for result in failed):
        return _start(here, here.current, done, live)
    running = [result for result in done if result.hook_type and result.hook_phase is OperationPhase.RUNNING]
    if running:
        return _wait_for_end(done, running)
    cleanups = _cleanups(here, done, live, _ENDED_BADLY)
    if cleanups:
        return _tidy(done, cleanups)
    place = here.first_open(failing=True)
    if place is not None:
        return _start(here, place, done, live)
    message = failure_message(failed)
    also = [result for result in done if result.hook_phase in _UNSUCCESSFUL and result.phase is Phase.SYNC_FAIL]
    return Finish(done, OperationPhase.FAILED, "\n".join([message, *([_with_reasons(SYNC_FAIL_FAILED, also)] if also else [])]))


def _start(here: _Place, place: int, done: tuple[TaskResult, ...], live: LiveHealth) -> Step:
    """Runs what is left of a wave, when nothing is in its way: a confirmation that is wanted, objects of earlier hooks that have to go first."""
    wave = here.rest_of(place)
    unconfirmed = [f"{_api_version(task)}/{task.key.kind}/{task.key.name}" for task in wave.tasks if task.needs_confirmation]
    if unconfirmed:
        return Wait(done, f"waiting for pruning confirmation of {_and_more(unconfirmed, 'resources')}", ())
    refused: list[TaskResult] = []
    cleanups: list[Cleanup] = []
    going: list[Key] = []
    for task in wave.tasks:
        observed = live(task.key) if task.hook_type else None
        if observed is None or not (observed.deleting or makes_place(task, observed)):
            continue
        if observed.deleting and (observed.foreign or not observed.held):
            going.append(task.key)
        elif observed.foreign:
            refused.append(_made(task, ResultCode.SYNC_FAILED, OperationPhase.FAILED, f"{task.key}: {FOREIGN}"))
        else:
            cleanups.append(Cleanup(task.key, task.version, observed.uid, delete=not observed.deleting, release=observed.held))
    if refused:
        return step(here.plan, record(here.plan, done, refused), live)
    if cleanups:
        return Tidy(done, tuple(cleanups), waiting_message("deletion of", [one.key for one in cleanups], "hooks"))
    if going:
        return Wait(done, waiting_message("deletion of", going, "hooks"), tuple(going))
    return RunWave(done, wave)


def makes_place(task: Task, observed: Observed) -> bool:
    """Whether an object of an earlier run goes before the hook is run; else it is applied over.

    What the same attempt made in another phase goes in any case: a hook that names two phases runs twice.
    """
    attempt = run_mark(task).rpartition("/")[0]
    return DeletePolicy.BEFORE_HOOK_CREATION in task.delete_policies or (bool(attempt) and observed.run.rpartition("/")[0] == attempt)


def _cleanups(here: _Place, done: Iterable[TaskResult], live: LiveHealth, policies: frozenset[DeletePolicy]) -> tuple[Cleanup, ...]:
    """Hooks that are done are let go, and deleted where one of ``policies`` is theirs. One that failed stays with ``HookSucceeded``."""
    cleanups = []
    for result in done:
        if not result.hook_type or result.hook_phase is OperationPhase.RUNNING:
            continue
        observed = live(result.key)
        if observed is None or not here.is_made_by(result, observed):
            continue
        task = here.task_of(result)
        own = policies.intersection(task.delete_policies if task is not None else ())
        if result.hook_phase in _UNSUCCESSFUL:
            own -= _SUCCEEDED
        delete = bool(own) and not observed.deleting
        if delete or observed.held:
            cleanups.append(Cleanup(result.key, result.version, observed.uid, delete=delete, release=observed.held))
    return tuple(cleanups)


def _wait_for_end(done: tuple[TaskResult, ...], waiting: Sequence[TaskResult]) -> Wait:
    """As in Argo CD, the first one decides what the message speaks of."""
    keys = tuple(result.key for result in waiting)
    if waiting[0].hook_type:
        return Wait(done, waiting_message("completion of hook", keys, "hooks"), keys)
    return Wait(done, waiting_message("healthy state of", keys), keys)


def _tidy(done: tuple[TaskResult, ...], cleanups: tuple[Cleanup, ...]) -> Tidy:
    return Tidy(done, cleanups, f"tidying up hook {_and_more([f'{one.key.group_kind}/{one.key.name}' for one in cleanups], 'hooks')}")


def _with_unrecorded(plan: Plan, results: Sequence[TaskResult], live: LiveHealth) -> tuple[TaskResult, ...]:
    """``results`` with those of hooks that were made in this attempt by somebody who could not record it."""
    recorded = {(result.key, result.phase) for result in results}
    new = []
    for task in plan.tasks:
        if not task.hook_type or (task.key, task.phase) in recorded:
            continue
        observed = live(task.key)
        if observed is not None and observed.run and observed.run == run_mark(task):
            new.append(_made(task, ResultCode.SYNCED, OperationPhase.RUNNING, f"{named(task.key)} created"))
    return record(plan, results, new) if new else tuple(results)


def _made(task: Task, status: ResultCode, phase: OperationPhase, message: str) -> TaskResult:
    images = images_of(task.desired)
    return TaskResult(task.key, task.version, task.phase, status, message, hook_phase=phase, hook_type=task.hook_type, images=images)


def _api_version(task: Task) -> str:
    return f"{task.key.group}/{task.version}" if task.key.group else task.version


def _is_open(result: TaskResult) -> bool:
    """Whether the end of what was applied is still to be judged."""
    return result.status is ResultCode.SYNCED and result.hook_phase is OperationPhase.RUNNING


class _Place:
    """Where in a plan a sync stands. ``current`` is the place of the first wave that is not done, those of SyncFail apart; ``None`` when all are."""

    def __init__(self, plan: Plan, results: Sequence[TaskResult]) -> None:
        self.plan = plan
        self.results = results
        self._recorded = {(result.key, result.phase) for result in results}
        self.failing = any(result.hook_phase in _UNSUCCESSFUL for result in results)
        self.current = self.first_open(failing=False)
        ordinary = [wave for wave in plan.waves if wave.phase is not Phase.SYNC_FAIL]
        self.ends_with_hooks = bool(ordinary) and any(task.hook_type for task in ordinary[-1].tasks)
        made_namespace = bool(ordinary) and ordinary[0].tasks[0].action is Action.CREATE_NAMESPACE
        self._several = len(ordinary) - made_namespace > 1

    def first_open(self, *, failing: bool) -> int | None:
        """The place of the first wave that is not done, among those of SyncFail or among the others."""
        for place, wave in enumerate(self.plan.waves):
            if (wave.phase is Phase.SYNC_FAIL) is failing:
                for group in wave.groups:
                    if any((task.key, task.phase) not in self._recorded for task in group):
                        return place
        return None

    def task_of(self, result: TaskResult) -> Task | None:
        return self.plan.places.get((result.key, result.phase), (0, None))[1]

    def wave_of(self, result: TaskResult) -> int | None:
        """The place of the result's wave, ``None`` for a result that the plan has no word of."""
        return self.plan.places.get((result.key, result.phase), (None, None))[0]

    def rest_of(self, place: int) -> Wave:
        """What is still to do of the wave at ``place``."""
        wave = self.plan.waves[place]
        groups = (tuple(task for task in group if (task.key, task.phase) not in self._recorded) for group in wave.groups)
        return Wave(wave.phase, wave.number, tuple(group for group in groups if group))

    def is_made_by(self, result: TaskResult, observed: Observed) -> bool:
        """Whether ``observed`` is what the hook of ``result`` made, and not a namesake of another run."""
        task = self.task_of(result)
        mark = run_mark(task) if task is not None else ""
        return not mark or observed.run == mark

    def is_judged(self, result: TaskResult) -> bool:
        """Whether the end of the result's object is still to be judged: a hook that runs, or what was applied in a wave that is done and not the end.

        What the plan has no word of gates nothing, and neither does the namespace of the app. A last wave with hooks is no end yet.
        """
        if not _is_open(result):
            return False
        if result.hook_type:
            return True
        if self.current is None and not self.failing and not self.ends_with_hooks:
            return False
        task = self.task_of(result)
        return task is not None and task.action is not Action.CREATE_NAMESPACE and self.wave_of(result) != self.current

    def is_waited_for(self, result: TaskResult) -> bool:
        """Whether the sync goes no further before the end of the result's object. The objects beside the hooks of an only wave are not waited for."""
        return self.is_judged(result) and (bool(result.hook_type) or self._several)

    def judge(self, result: TaskResult, observed: Observed | None) -> TaskResult:
        """The result with the phase that the health of its object means. A message of the health goes before "created"."""
        hook = bool(result.hook_type)
        if observed is None or (hook and not self.is_made_by(result, observed)):
            phase, message = (OperationPhase.ERROR, HOOK_GONE) if hook else (OperationPhase.FAILED, GONE)
            return replace(result, hook_phase=phase, message=message)
        health = observed.health
        phase = outcome_of(health)
        if hook and observed.deleting and phase is OperationPhase.RUNNING:
            # Our finalizer keeps what is being deleted until its end is seen; of one that was not done there is no end to be seen.
            return replace(result, hook_phase=OperationPhase.ERROR, message=HOOK_GONE)
        if not hook and health is not None and (phase is OperationPhase.RUNNING or health.status is HealthStatus.UNKNOWN):
            return result
        ill = f"{result.key} is {health.status}" if health is not None and phase is OperationPhase.FAILED else result.message
        return replace(result, hook_phase=phase, message=(health.message if health is not None else "") or ill)

    def is_going(self, result: TaskResult, observed: Observed | None) -> bool:
        """Whether what was pruned is still there: on its way out, or the very object that was deleted and not yet seen to go."""
        if observed is None:
            return False
        task = self.task_of(result)
        uid = task.live["metadata"].get("uid") if task is not None and task.live is not None else None
        return observed.deleting or (bool(uid) and observed.uid == uid)
