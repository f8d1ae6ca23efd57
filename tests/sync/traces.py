"""A small language for traces of a sync in which nothing is real but the planner and the stepper.

    trace = Trace(plan(...))
    trace >> runs("ConfigMap/first") >> waits("healthy state of") << healthy("ConfigMap/first") >> succeeds("all tasks run")

``>>`` says what the sync does next, ``<<`` what the world does then. A :class:`World` answers for the cluster and can be asked at the end.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import Key
from homeostat.model.sync import Action, OperationPhase, Plan, ResultCode, Task, TaskResult
from homeostat.sync.images import images_of
from homeostat.sync.messages import named
from homeostat.sync.step import Finish, Observed, RunWave, Step, Wait, record, step, to_observe

Change = Callable[["Trace"], None]
Expect = Callable[["Trace", Step], None]


class World:
    """What is live, as far as a sync looks at it. Applies and deletes take place at once unless told otherwise."""

    def __init__(self) -> None:
        self.objects: dict[Key, Observed] = {}
        self.failing: dict[str, str] = {}
        self.lingering: set[str] = set()
        self.progressing: set[str] = set()
        self.log: list[Task] = []

    def look(self, key: Key) -> Observed | None:
        return self.objects.get(key)

    def carry_out(self, task: Task) -> TaskResult:
        self.log.append(task)
        key, short = task.key, short_name(task.key)

        def result(status: ResultCode, message: str, phase: OperationPhase) -> TaskResult:
            images = images_of(task.desired or task.live)
            return TaskResult(key, task.version, task.phase, status, message, hook_phase=phase, images=images)

        if short in self.failing:
            return result(ResultCode.SYNC_FAILED, self.failing[short], OperationPhase.FAILED)
        if task.action is Action.SKIP_PRUNE:
            return result(ResultCode.PRUNE_SKIPPED, task.reason, OperationPhase.SUCCEEDED)
        if task.action is Action.PRUNE:
            uid = str((task.live or {})["metadata"].get("uid") or "")
            if short in self.lingering:
                self.objects[key] = Observed(deleting=True, uid=uid)
            else:
                self.objects.pop(key, None)
            return result(ResultCode.PRUNED, "pruned", OperationPhase.SUCCEEDED)
        status = HealthStatus.PROGRESSING if short in self.progressing else HealthStatus.HEALTHY
        self.objects[key] = Observed(Health(status))
        return result(ResultCode.SYNCED, f"{named(key)} created", OperationPhase.RUNNING)


class Trace:
    """One sync. ``>>`` asks the stepper for the next step and lets the expectation look at it; a wave that is to run is then run."""

    def __init__(self, plan: Plan, world: World | None = None, *, dry_run: bool = False) -> None:
        self.plan = plan
        self.world = world or World()
        self.results: tuple[TaskResult, ...] = ()
        self.dry_run = dry_run

    def __rshift__(self, expect: Expect) -> Trace:
        looked: set[Key] = set()

        def look(key: Key) -> Observed | None:
            looked.add(key)
            return self.world.look(key)

        asked_for = to_observe(self.plan, self.results)
        now = step(self.plan, self.results, look, dry_run=self.dry_run)
        assert looked <= set(asked_for)
        self.results = now.results
        expect(self, now)
        return self

    def __lshift__(self, change: Change) -> Trace:
        change(self)
        return self

    def phase_of(self, short: str) -> OperationPhase:
        return next(result.hook_phase for result in self.results if short_name(result.key) == short)


def short_name(key: Key) -> str:
    return f"{key.kind}/{key.name}"


def runs(*names: str) -> Expect:
    """The next step is a wave with exactly these tasks, in this order; they are carried out."""

    def expect(trace: Trace, now: Step) -> None:
        assert isinstance(now, RunWave), now
        assert [short_name(task.key) for task in now.wave.tasks] == list(names)
        trace.results = record(trace.plan, trace.results, [trace.world.carry_out(task) for task in now.wave.tasks])

    return expect


def waits(text: str) -> Expect:
    def expect(_: Trace, now: Step) -> None:
        assert isinstance(now, Wait), now
        assert now.reason.startswith("waiting for ")
        assert text in now.reason
        assert now.keys

    return expect


def succeeds(message: str) -> Expect:
    def expect(_: Trace, now: Step) -> None:
        assert isinstance(now, Finish), now
        assert (now.phase, now.message) == (OperationPhase.SUCCEEDED, message)

    return expect


def fails(message: str) -> Expect:
    def expect(_: Trace, now: Step) -> None:
        assert isinstance(now, Finish), now
        assert (now.phase, now.message) == (OperationPhase.FAILED, message)

    return expect


def becomes(short: str, status: HealthStatus, message: str = "") -> Change:
    """The object's health is ``status`` from now on."""

    def change(trace: Trace) -> None:
        key = next(key for key in trace.world.objects if short_name(key) == short)
        trace.world.objects[key] = msgspec.structs.replace(trace.world.objects[key], health=Health(status, message))

    return change


def vanishes(short: str) -> Change:
    def change(trace: Trace) -> None:
        trace.world.objects = {key: seen for key, seen in trace.world.objects.items() if short_name(key) != short}

    return change


def is_killed(plan: Plan) -> Change:
    """Another process goes on with the recorded results and a plan of its own."""

    def change(trace: Trace) -> None:
        trace.plan = plan

    return change
