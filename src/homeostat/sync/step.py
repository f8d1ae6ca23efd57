"""The state machine of a sync: from what is recorded and what is live, what comes next. Pure and re-entrant.

All that a sync remembers is ``OperationState.results``; asked again with the same answers, :func:`step` says the same, so any process can go on
with a sync that another one began. Rules: reference 2.5 and ``recorded/argocd``. A wave starts when what earlier waves applied is healthy and what
they pruned is gone; the last wave is not waited for. Who waits, and how, is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec.structs import replace

from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import Key
from homeostat.model.sync import Action, OperationPhase, Plan, ResultCode, Task, TaskResult, Wave

ALL_RUN = "successfully synced (all tasks run)"
NOTHING_TO_DO = "successfully synced (no more tasks)"
DRY_RUN = "successfully synced (dry run)"
FAILED = "one or more synchronization tasks completed unsuccessfully"
TERMINATED = "Operation terminated"
GONE = "the object is gone from the cluster: somebody else deleted it after it was applied"


class Observed(msgspec.Struct, frozen=True):
    """A live object as far as a sync cares. ``health`` is ``None`` where no rule judges its kind; ``deleting``: it has a deletion timestamp.

    ``run`` (:data:`homeostat.model.hooks.RUN`) and ``held`` (it has our hook finalizer) matter for hooks.
    """

    health: Health | None = None
    deleting: bool = False
    uid: str = ""
    run: str = ""
    held: bool = False


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
    """Carry out ``cleanups``, then ask again at once. ``reason`` is the operation's message meanwhile."""

    results: tuple[TaskResult, ...]
    cleanups: tuple[Cleanup, ...]
    reason: str


Step = RunWave | Tidy | Wait | Finish
"""What comes next. ``results`` are the recorded ones brought up to date: they replace what is recorded."""


def step(plan: Plan, results: Sequence[TaskResult], live: LiveHealth, *, dry_run: bool = False) -> Step:
    """What to do next in a sync of ``plan`` of which ``results`` are recorded.

    ``plan`` may have been made anew since (with these results as its ``recorded``). A dry run waits for nothing.
    """
    here = _Place(plan, results)
    current = here.current
    updated: list[TaskResult] = []
    unhealthy: list[Key] = []
    going: list[Key] = []
    for result in results:
        if not dry_run and current is not None and _is_going(here, result, live):
            going.append(result.key)
        if dry_run or not here.is_gated_by(result):
            updated.append(result)
            continue
        judged = _judge(result, live(result.key))
        if judged.hook_phase is OperationPhase.RUNNING:
            unhealthy.append(result.key)
        updated.append(judged)
    done = tuple(updated)

    rest = None if current is None else here.rest_of(plan.waves[current])
    failed = [result for result in done if result.hook_phase in _UNSUCCESSFUL]
    if failed:
        if rest is not None and all(here.wave_of(result) == current for result in failed):
            return RunWave(done, rest)
        return Finish(done, OperationPhase.FAILED, failure_message(failed, dry_run=dry_run))
    if rest is None:
        if dry_run:
            return Finish(done, OperationPhase.SUCCEEDED, DRY_RUN)
        return Finish(done, OperationPhase.SUCCEEDED, ALL_RUN if plan.waves else NOTHING_TO_DO)
    if unhealthy:
        return Wait(done, waiting_message("healthy state of", unhealthy), tuple(unhealthy))
    if going:
        return Wait(done, waiting_message("deletion of", going), tuple(going))
    return RunWave(done, rest)


def to_observe(plan: Plan, results: Sequence[TaskResult]) -> tuple[Key, ...]:
    """The keys that :func:`step` would look at, for callers that have to judge health beforehand. Mostly none: one wave gates nothing."""
    here = _Place(plan, results)
    if here.current is None and not any(result.hook_phase in _UNSUCCESSFUL for result in results):
        return ()
    return tuple(result.key for result in results if result.status is ResultCode.PRUNED or here.is_gated_by(result))


def record(plan: Plan, results: Sequence[TaskResult], new: Iterable[TaskResult]) -> tuple[TaskResult, ...]:
    """``results`` with ``new`` ones added or put in place of older ones, in the order of the plan; what it has no word of comes first."""
    merged = {(result.key, result.phase): result for result in results}
    merged.update(((result.key, result.phase), result) for result in new)
    known = [(task.key, task.phase) for task in plan.tasks]
    in_plan = set(known)
    ordered = [result for key, result in merged.items() if key not in in_plan]
    ordered.extend(merged[key] for key in known if key in merged)
    return tuple(ordered)


def terminate(results: Sequence[TaskResult]) -> Finish:
    """The end of a sync that somebody called off."""
    return Finish(tuple(results), OperationPhase.FAILED, TERMINATED)


def waiting_message(what: str, keys: Sequence[Key]) -> str:
    """``waiting for healthy state of apps/Deployment/second and 2 more resources``."""
    first = f"{keys[0].group_kind}/{keys[0].name}"
    more = f" and {len(keys) - 1} more resources" if len(keys) > 1 else ""
    return f"waiting for {what} {first}{more}"


def failure_message(failed: Sequence[TaskResult], *, dry_run: bool = False) -> str:
    """Why a sync failed, in the words of what failed; each reason once."""
    reasons = list(dict.fromkeys(result.message for result in failed if result.message))
    text = f"{FAILED} (dry run)" if dry_run else FAILED
    return f"{text}, reason: {', '.join(reasons)}" if reasons else text


_UNSUCCESSFUL = frozenset({OperationPhase.FAILED, OperationPhase.ERROR})


class _Place:
    """Where in a plan a sync stands. ``current`` is the place of the first wave that is not done, ``None`` when all are."""

    def __init__(self, plan: Plan, results: Sequence[TaskResult]) -> None:
        self._tasks = {(task.key, task.phase): (place, task) for place, wave in enumerate(plan.waves) for task in wave.tasks}
        self._recorded = {(result.key, result.phase) for result in results}
        self._failing = any(result.hook_phase in _UNSUCCESSFUL for result in results)
        self.current = min((place for key, (place, _) in self._tasks.items() if key not in self._recorded), default=None)

    def task_of(self, result: TaskResult) -> Task | None:
        return self._tasks.get((result.key, result.phase), (0, None))[1]

    def wave_of(self, result: TaskResult) -> int | None:
        """The place of the result's wave, ``None`` for a result that the plan has no word of."""
        return self._tasks.get((result.key, result.phase), (None, None))[0]

    def is_gated_by(self, result: TaskResult) -> bool:
        """Whether the health of the result's object is still to be judged: it was applied in a wave that is done, and is not the end.

        What the plan has no word of gates nothing, and neither does the namespace of the app.
        """
        if result.status is not ResultCode.SYNCED or result.hook_phase is not OperationPhase.RUNNING:
            return False
        if self.current is None and not self._failing:
            return False
        task = self.task_of(result)
        return task is not None and task.action is not Action.CREATE_NAMESPACE and self.wave_of(result) != self.current

    def rest_of(self, wave: Wave) -> Wave:
        groups = (tuple(task for task in group if (task.key, task.phase) not in self._recorded) for group in wave.groups)
        return Wave(wave.phase, wave.number, tuple(group for group in groups if group))


def _judge(result: TaskResult, observed: Observed | None) -> TaskResult:
    """The result with the phase that the health of its object means. A message of the health goes before "created"."""
    if observed is None:
        return replace(result, hook_phase=OperationPhase.FAILED, message=GONE)
    health = observed.health
    if health is None or health.status is HealthStatus.HEALTHY:
        message = health.message if health is not None else ""
        return replace(result, hook_phase=OperationPhase.SUCCEEDED, message=message or result.message)
    if health.status is HealthStatus.DEGRADED:
        return replace(result, hook_phase=OperationPhase.FAILED, message=health.message or f"{result.key} is Degraded")
    return result


def _is_going(here: _Place, result: TaskResult, live: LiveHealth) -> bool:
    """Whether what was pruned is still there: on its way out, or the very object that was deleted and not yet seen to go."""
    if result.status is not ResultCode.PRUNED:
        return False
    observed = live(result.key)
    if observed is None:
        return False
    task = here.task_of(result)
    uid = task.live["metadata"].get("uid") if task is not None and task.live is not None else None
    return observed.deleting or (bool(uid) and observed.uid == uid)
