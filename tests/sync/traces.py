"""A small language for traces of a sync in which nothing is real but the planner and the stepper.

    trace = Trace(plan(...))
    trace >> runs("Job/migrate") >> waits("completion of hook batch/Job/migrate") << finishes("Job/migrate")
    trace >> tidies("release Job/migrate") >> runs("ConfigMap/first") >> succeeds("all tasks run")

``>>`` says what the sync does next, ``<<`` what the world does then. A :class:`World` answers for the cluster and can be asked at the end; its time
passes only when it is told to.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import Key
from homeostat.model.sync import Action, OperationPhase, Plan, ResultCode, Task, TaskResult
from homeostat.sync.hooks import run_mark
from homeostat.sync.images import images_of
from homeostat.sync.messages import named
from homeostat.sync.step import Cleanup, Finish, Observed, RunWave, Step, Tidy, Wait, record, step, terminate, to_observe

Change = Callable[["Trace"], None]
Expect = Callable[["Trace", Step], None]

HEALTHY = Health(HealthStatus.HEALTHY)
PROGRESSING = Health(HealthStatus.PROGRESSING)


class World:
    """What is live, as far as a sync looks at it. Applies and deletes take place at once unless told otherwise; a Job runs until it is told to end.

    ``ttl``: seconds after its end at which a Job is deleted, by the short name.
    """

    def __init__(self) -> None:
        self.objects: dict[Key, Observed] = {}
        self.failing: dict[str, str] = {}
        self.lingering: set[str] = set()
        self.progressing: set[str] = set()
        self.log: list[Task] = []
        self.ttl: dict[str, float] = {}
        self.now = 0.0
        self._ended: dict[Key, float] = {}
        self._uids = 0

    def look(self, key: Key) -> Observed | None:
        return self.objects.get(key)

    def find(self, short: str) -> Key:
        return next(key for key in self.objects if short_name(key) == short)

    def carry_out(self, task: Task) -> TaskResult:
        self.log.append(task)
        key, short = task.key, short_name(task.key)

        def result(status: ResultCode, message: str, phase: OperationPhase) -> TaskResult:
            images = images_of(task.desired or task.live)
            return TaskResult(key, task.version, task.phase, status, message, hook_phase=phase, hook_type=task.hook_type, images=images)

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
        self._write(task, key, short)
        return result(ResultCode.SYNCED, f"{named(key)} created", OperationPhase.RUNNING)

    def _write(self, task: Task, key: Key, short: str) -> None:
        old = self.objects.get(key)
        self._uids += 1
        health = PROGRESSING if short in self.progressing or key.kind == "Job" else HEALTHY
        if old is not None and not old.deleting:
            # Applied over: a Job that has ended does not run again.
            self.objects[key] = replace(old, run=run_mark(task), held=bool(task.hook_type))
            return
        self.objects[key] = Observed(health, uid=f"uid-{self._uids}", run=run_mark(task), held=bool(task.hook_type))

    def tidy(self, cleanup: Cleanup) -> None:
        seen = self.objects.get(cleanup.key)
        if seen is None or seen.uid != cleanup.uid:
            return
        seen = replace(seen, held=seen.held and not cleanup.release, deleting=seen.deleting or cleanup.delete)
        self.objects[cleanup.key] = seen
        self._collect()

    def delete(self, key: Key) -> None:
        """By somebody else."""
        self.objects[key] = replace(self.objects[key], deleting=True)
        self._collect()

    def become(self, key: Key, health: Health | None) -> None:
        self.objects[key] = replace(self.objects[key], health=health)
        if health is not None and health.status is not HealthStatus.PROGRESSING:
            self._ended[key] = self.now

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        for key, ended in self._ended.items():
            limit = self.ttl.get(short_name(key))
            if limit is not None and key in self.objects and ended + limit <= self.now:
                self.objects[key] = replace(self.objects[key], deleting=True)
        self._collect()

    def _collect(self) -> None:
        self.objects = {
            key: seen for key, seen in self.objects.items() if not seen.deleting or seen.held or short_name(key) in self.lingering
        }


class Trace:
    """One sync. ``>>`` asks the stepper for the next step and lets the expectation look at it; a wave that is to run is then run."""

    def __init__(self, plan: Plan, world: World | None = None, *, dry_run: bool = False) -> None:
        self.plan = plan
        self.world = world or World()
        self.results: tuple[TaskResult, ...] = ()
        self.dry_run = dry_run
        self.called_off = False

    def __rshift__(self, expect: Expect) -> Trace:
        looked: set[Key] = set()

        def look(key: Key) -> Observed | None:
            looked.add(key)
            return self.world.look(key)

        asked_for = to_observe(self.plan, self.results)
        if self.called_off:
            now: Step = terminate(self.results, look, self.plan)
        else:
            now = step(self.plan, self.results, look, dry_run=self.dry_run)
            assert step(self.plan, now.results, self.world.look, dry_run=self.dry_run) == now, "asked again it says something else"
        assert looked <= set(asked_for)
        self.results = now.results
        expect(self, now)
        return self

    def __lshift__(self, change: Change) -> Trace:
        change(self)
        return self

    def phase_of(self, short: str) -> OperationPhase:
        return next(result.hook_phase for result in self.results if short_name(result.key) == short)

    def message_of(self, short: str) -> str:
        return next(result.message for result in self.results if short_name(result.key) == short)


def short_name(key: Key) -> str:
    return f"{key.kind}/{key.name}"


def runs(*names: str) -> Expect:
    """The next step is a wave with exactly these tasks, in this order; they are carried out."""

    def expect(trace: Trace, now: Step) -> None:
        assert isinstance(now, RunWave), now
        assert [short_name(task.key) for task in now.wave.tasks] == list(names)
        trace.results = record(trace.plan, trace.results, [trace.world.carry_out(task) for task in now.wave.tasks])

    return expect


def tidies(*cleanups: str) -> Expect:
    """The next step is to ``release``, to ``delete`` or to ``release and delete`` exactly these hooks, in this order; it is done."""

    def expect(trace: Trace, now: Step) -> None:
        assert isinstance(now, Tidy), now
        assert [f"{_what(one)} {short_name(one.key)}" for one in now.cleanups] == list(cleanups)
        assert now.reason
        for one in now.cleanups:
            trace.world.tidy(one)

    return expect


def _what(cleanup: Cleanup) -> str:
    return " and ".join([*(["release"] if cleanup.release else []), *(["delete"] if cleanup.delete else [])])


def waits(text: str) -> Expect:
    def expect(_: Trace, now: Step) -> None:
        assert isinstance(now, Wait), now
        assert now.reason.startswith("waiting for ")
        assert text in now.reason
        assert now.keys

    return expect


def waits_for_confirmation(text: str) -> Expect:
    """Nothing about an object would change that."""

    def expect(_: Trace, now: Step) -> None:
        assert isinstance(now, Wait), now
        assert (now.reason, now.keys) == (f"waiting for pruning confirmation of {text}", ())

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
        trace.world.become(trace.world.find(short), Health(status, message))

    return change


def finishes(short: str) -> Change:
    return becomes(short, HealthStatus.HEALTHY, "Reached expected number of succeeded pods")


def breaks(short: str) -> Change:
    return becomes(short, HealthStatus.DEGRADED, "Job has reached the specified backoff limit")


def is_deleted(short: str) -> Change:
    """By somebody else; a finalizer holds it."""

    def change(trace: Trace) -> None:
        trace.world.delete(trace.world.find(short))

    return change


def vanishes(short: str) -> Change:
    """Whatever held it."""

    def change(trace: Trace) -> None:
        trace.world.objects = {key: seen for key, seen in trace.world.objects.items() if short_name(key) != short}

    return change


def passes(seconds: float) -> Change:
    """Time, and what is due by then happens."""

    def change(trace: Trace) -> None:
        trace.world.pass_time(seconds)

    return change


def is_killed(plan: Plan, *, results: tuple[TaskResult, ...] | None = None) -> Change:
    """Another process goes on with a plan of its own and the ``results`` that were written down, or all of them."""

    def change(trace: Trace) -> None:
        trace.plan = plan
        trace.results = trace.results if results is None else results

    return change


def is_tried_again(plan: Plan) -> Change:
    """A new attempt, in the same world."""
    return is_killed(plan, results=())


def is_called_off() -> Change:
    def change(trace: Trace) -> None:
        trace.called_off = True

    return change
