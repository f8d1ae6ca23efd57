"""For any objects, waves, hooks, failures and kills: order is kept, the end is the same, nobody else's object is touched."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import Key, Object, key_of
from homeostat.model.sync import Action, Operation, OperationPhase, Phase, Plan, Task, TaskResult
from homeostat.model.tracking import Tracking
from homeostat.sync.hooks import run_mark
from homeostat.sync.options import prune_forbidden
from homeostat.sync.plan import PlanInput, Target, plan
from homeostat.sync.step import Finish, Observed, RunWave, Tidy, Wait, record, step
from tests.sync.objects import APP, crd, desired, hook, live, obj
from tests.sync.traces import HEALTHY, World, short_name

KINDS = [("", "ConfigMap"), ("apps", "Deployment"), ("", "Service"), ("example.org", "Gadget"), ("", "Namespace")]
OWNERS = [APP, APP, "other", ""]
OPTIONS = ["", "", "Prune=false", "PruneLast=true", "Prune=true", "Prune=confirm"]
TYPES = ["PreSync", "Sync", "PostSync", "SyncFail", "PreSync,PostSync", "Sync,SyncFail", "Skip", "PreDelete"]
POLICIES = ["", "HookSucceeded", "HookFailed", "BeforeHookCreation", "HookSucceeded,HookFailed", "BeforeHookCreation,HookSucceeded"]
ENDS = ["well", "well", "well", "ill", "deleted", "cut off", "gone"]
BEGAN = "2026-11-21T07:53:25Z"


class Case(NamedTuple):
    """``ends`` says how hooks end, by name; ``left`` are hooks of an earlier run; ``kills`` count the effects that a process lives for."""

    wanted: tuple[Object, ...]
    present: tuple[Object, ...]
    hooks: tuple[Object, ...]
    left: tuple[Key, ...]
    options: tuple[str, ...]
    prune: bool
    failing: frozenset[str]
    lingering: frozenset[str]
    ends: dict[str, str]
    kills: tuple[int, ...]
    saves_often: bool


class KilledError(Exception):
    """The process is no more."""


@st.composite
def objects(draw: st.DrawFn) -> Object:
    group, kind = draw(st.sampled_from(KINDS))
    name = draw(st.sampled_from("abcdef"))
    namespace = None if kind == "Namespace" else draw(st.sampled_from(["apps", "a", "b"]))
    wave = draw(st.one_of(st.none(), st.integers(-2, 3)))
    return obj(kind, name, namespace=namespace, group=group, wave=wave, options=draw(st.sampled_from(OPTIONS)))


@st.composite
def hooks(draw: st.DrawFn) -> tuple[Object, ...]:
    made = []
    for name in draw(st.lists(st.sampled_from("uvwxyz"), max_size=4, unique=True)):
        kind = draw(st.sampled_from(["Job", "Job", "ConfigMap"]))
        named = draw(st.integers(0, 3)) > 0
        naming = {} if named else {"generateName": f"{name}-"}
        wave = draw(st.one_of(st.none(), st.integers(-2, 3)))
        types, policies = draw(st.sampled_from(TYPES)), draw(st.sampled_from(POLICIES))
        made.append(hook(types, name if named else "", kind=kind, policies=policies, wave=wave, **naming))
    return tuple(made)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    wanted = {key_of(thing): thing for thing in draw(st.lists(objects(), max_size=12))}
    if draw(st.booleans()):
        definition = crd("Gadget", wave=draw(st.integers(-2, 3)))
        wanted[key_of(definition)] = definition
    present = {}
    for thing in draw(st.lists(objects(), max_size=10)):
        owner = draw(st.sampled_from(OWNERS))
        owned = {"ownerReferences": [{"kind": "X", "name": "y"}]} if draw(st.integers(0, 9)) == 0 else {}
        present[key_of(thing)] = live(thing, app=owner, uid=str(key_of(thing)), **owned)
    of_app = draw(hooks())
    names = sorted({short_name(key) for key in (*wanted, *present, *map(key_of, of_app))})
    some = st.frozensets(st.sampled_from(names), max_size=2) if names else st.just(frozenset[str]())
    return Case(
        wanted=tuple(wanted.values()),
        present=tuple(present.values()),
        hooks=of_app,
        left=tuple(key for key in map(key_of, of_app) if key.name and draw(st.integers(0, 2)) == 0),
        options=draw(st.sampled_from([(), ("PruneLast=true",), ("Prune=false",), ("CreateNamespace=true",), ("ApplyOutOfSyncOnly=true",)])),
        prune=draw(st.booleans()),
        failing=draw(some) if draw(st.integers(0, 3)) == 0 else frozenset(),
        lingering=draw(some),
        ends={name: draw(st.sampled_from(ENDS)) for name in "uvwxyz"},
        kills=tuple(draw(st.lists(st.integers(0, 15), max_size=4))),
        saves_often=draw(st.booleans()),
    )


class Run:
    """Syncs of one app in a world that knows whole objects. A kill loses what was not written down, and the plan."""

    def __init__(self, case: Case, *, kills: tuple[int, ...]) -> None:
        self.case = case
        self.kills = list(kills)
        self.world = World()
        self.world.failing = dict.fromkeys(case.failing, "no")
        self.world.lingering = set(case.lingering)
        self.live = {key_of(thing): thing for thing in case.present}
        self.world.objects = {key: Observed(uid=thing["metadata"]["uid"]) for key, thing in self.live.items()}
        for thing in case.hooks:
            if (key := key_of(thing)) in case.left:
                self.live[key] = live(thing, uid=f"left {key}")
                self.world.objects[key] = Observed(HEALTHY, uid=f"left {key}", run="before/0/PreSync", held=True)
        self.results: tuple[TaskResult, ...] = ()
        self.saved: tuple[TaskResult, ...] = ()
        self.applied: set[Key] = set()
        self.approved = False
        self.retry = 0

    def make(self) -> Plan:
        targets = [
            Target(desired(thing), live=self.live.get(key_of(thing)), out_of_sync=key_of(thing) not in self.applied)
            for thing in self.case.wanted
        ]
        return plan(
            PlanInput(
                app_id=APP,
                targets=[*targets, *(Target(desired(thing)) for thing in self.case.hooks)],
                managed=list(self.live.values()),
                namespace="apps",
                namespace_live=self.live.get(Key("", "Namespace", "", "apps")),
                operation=Operation(prune=self.case.prune),
                options=self.case.options,
                recorded=self.results,
                revision="8a403151eed47078bc94b936e03747e1fce73266",
                started_at=BEGAN,
                run=f"{BEGAN}/{self.retry}",
                approved=self.approved,
            )
        )

    def carry_out(self, made: Plan, task: Task) -> TaskResult:
        self.check_place(made, task)
        result = self.world.carry_out(task)
        if result.hook_phase is OperationPhase.FAILED:
            return result
        if task.action is Action.PRUNE:
            gone = self.live.get(task.key)
            if gone is not None and short_name(task.key) in self.world.lingering:
                self.live[task.key] = {**gone, "metadata": {**gone["metadata"], "deletionTimestamp": "2026-11-21T07:53:24Z"}}
        elif task.desired is not None:
            owner = "" if task.action is Action.CREATE_NAMESPACE else APP
            self.live[task.key] = live(task.desired, app=owner, uid=self.world.objects[task.key].uid)
            self.applied.add(task.key)
        self.effect()
        return result

    def check_place(self, made: Plan, task: Task) -> None:
        """Nothing that stands before the task is still under way, but for plain objects when something has failed."""
        for wave in made.waves:
            if task in wave.tasks:
                return
            for other in wave.tasks:
                seen = self.world.objects.get(other.key)
                if seen is None or (other.hook_type and seen.run != run_mark(other)) or other.action is Action.CREATE_NAMESPACE:
                    continue
                # A hook that is deleted before it is done counts as ended, however long its object stays.
                under_way = seen.health is not None and seen.health.status is HealthStatus.PROGRESSING and not seen.deleting
                assert not under_way or (task.phase is Phase.SYNC_FAIL and not other.hook_type), f"{task.key} runs beside {other.key}"
        raise AssertionError(f"{task.key} is not in the plan")

    def effect(self) -> None:
        """Something has been done in the cluster: here a process may die, before it can say so."""
        self.live = {key: thing for key, thing in self.live.items() if key in self.world.objects}
        if self.kills:
            self.kills[0] -= 1
            if self.kills[0] < 0:
                self.kills.pop(0)
                raise KilledError

    def finish(self) -> Finish:
        while True:
            try:
                return self.process()
            except KilledError:
                self.results = self.saved

    def process(self) -> Finish:
        """What one process does until the sync ends or it is killed."""
        made = self.make()
        first = True
        for _ in range(300):
            now = step(made, self.results, self.world.look)
            self.results = now.results
            if isinstance(now, Finish):
                return now
            if first or self.case.saves_often or not isinstance(now, RunWave):
                self.saved = self.results
            if isinstance(now, Wait):
                made = self.relent(made, now)
            elif isinstance(now, Tidy):
                assert now.cleanups
                for cleanup in now.cleanups:
                    self.world.tidy(cleanup)
                    self.effect()
            else:
                first = False
                self.results = record(made, self.results, [self.carry_out(made, task) for task in now.wave.tasks])
        raise AssertionError("the sync does not end")

    def relent(self, made: Plan, now: Wait) -> Plan:
        """The world does what is waited for."""
        if not now.keys:
            self.approved = True
            return self.make()
        for key in now.keys:
            seen = self.world.objects[key]
            if seen.deleting:
                self.world.lingering.discard(short_name(key))
                del self.world.objects[key]
            elif seen.run and seen.health is not None and seen.health.status is HealthStatus.PROGRESSING:
                self.end(key, seen)
            else:
                self.world.objects[key] = replace(seen, health=None)
        self.effect()
        return made

    def end(self, key: Key, seen: Observed) -> None:
        """A hook ends as the case has it."""
        ending = self.case.ends[key.name[0]]
        if ending == "gone":
            del self.world.objects[key]
            return
        status = {"ill": HealthStatus.DEGRADED, "cut off": HealthStatus.PROGRESSING}.get(ending, HealthStatus.HEALTHY)
        self.world.objects[key] = replace(seen, health=Health(status, ending), deleting=ending in {"deleted", "cut off"})

    def held(self) -> list[Key]:
        return [key for key, seen in self.world.objects.items() if seen.held]


@settings(max_examples=40, deadline=None)
@given(cases())
def test_no_task_runs_before_what_it_must_follow(case: Case) -> None:
    run = Run(case, kills=())
    run.world.progressing = {short_name(key_of(thing)) for thing in case.wanted if thing["kind"] == "Deployment"}
    made = run.make()
    run.finish()
    place = {(task.key, task.phase): number for number, wave in enumerate(made.waves) for task in wave.tasks}
    prunes = [task for task in run.world.log if task.action in {Action.PRUNE, Action.SKIP_PRUNE}]
    others = [task for task in run.world.log if task not in prunes]
    # A plan that is made anew when somebody confirms keeps the order of the prunes that are left, but not always their waves.
    for tasks in (prunes, others) if run.approved else (run.world.log,):
        waves = [place[task.key, task.phase] for task in tasks]
        assert waves == sorted(waves)
    applied = [task.key for task in run.world.log if task.action is Action.APPLY]
    for number, key in enumerate(applied):
        later = applied[number + 1 :]
        assert Key("", "Namespace", "", key.namespace) not in later
        if key.kind == "Gadget":
            assert not [other for other in later if other.kind == "CustomResourceDefinition"]


def first_time(run: Run, actions: set[Action]) -> list[list[Key]]:
    """What was done, each object once, by the waves of the first plan; objects of a wave in any order."""
    made = Run(run.case, kills=()).make()
    seen = list(dict.fromkeys((task.key, task.phase) for task in run.world.log if task.action in actions))
    waves = {(task.key, task.phase): number for number, wave in enumerate(made.waves) for task in wave.tasks}
    return [sorted(key for key, _ in keys) for _, keys in groupby(seen, key=lambda key: waves[key])]


@settings(max_examples=60, deadline=None)
@given(cases())
def test_killed_at_any_point_the_end_is_the_same(case: Case) -> None:
    calm, killed = Run(case, kills=()), Run(case, kills=case.kills)
    one, other = calm.finish(), killed.finish()
    assert one.phase == other.phase
    # What was done and forgotten no longer differs, and so may be no task any more.
    assert one.message == other.message or "no more tasks" in other.message
    if one.phase is not OperationPhase.SUCCEEDED and any(task.action is Action.PRUNE for task in calm.world.log):
        # A plan that is made anew may have a prune that is left in another wave, so that a failure keeps more or less from being done.
        return
    assert {key for key, thing in calm.live.items() if "deletionTimestamp" not in thing["metadata"]} == {
        key for key, thing in killed.live.items() if "deletionTimestamp" not in thing["metadata"]
    }
    assert calm.applied == killed.applied
    for actions in ({Action.APPLY}, {Action.PRUNE}, {Action.RUN_HOOK}):
        assert first_time(calm, actions) == first_time(killed, actions)
    outcomes = {(result.key, result.phase): result.hook_phase for result in one.results if result.hook_type}
    assert outcomes == {(result.key, result.phase): result.hook_phase for result in other.results if result.hook_type}


@settings(max_examples=40, deadline=None)
@given(cases())
def test_no_hook_runs_twice_in_one_attempt_and_none_is_held_at_the_end(case: Case) -> None:
    run = Run(case, kills=case.kills)
    run.finish()
    ran = Counter((task.key, run_mark(task)) for task in run.world.log if task.hook_type and short_name(task.key) not in case.failing)
    assert all(times == 1 for times in ran.values())
    left = [key for key in run.held() if run.world.objects[key].run.startswith(BEGAN)]
    assert left == []


@settings(max_examples=40, deadline=None)
@given(cases())
def test_a_failed_sync_runs_what_is_there_for_failures_and_one_that_goes_well_does_not(case: Case) -> None:
    run = Run(case, kills=case.kills)
    made = run.make()
    ended = run.finish()
    there_for_it = {task.key for task in made.tasks if task.phase is Phase.SYNC_FAIL}
    ran = {task.key for task in run.world.log if task.phase is Phase.SYNC_FAIL}
    assert ran == (there_for_it if ended.phase is OperationPhase.FAILED else set())


def is_stuck(run: Run, ended: Finish) -> bool:
    """Whether a hook that failed stands in the way of the next attempt: nothing says that it goes."""
    left = {result.key for result in ended.results if result.hook_type and result.hook_phase is not OperationPhase.SUCCEEDED}
    policies = {task.key: task.delete_policies for task in run.make().tasks if task.hook_type}
    return any("BeforeHookCreation" not in policies.get(key, ()) and key in run.world.objects for key in left)


@settings(max_examples=40, deadline=None)
@given(cases())
def test_the_next_attempt_runs_every_hook_again_and_goes_well_once_the_cause_is_gone(case: Case) -> None:
    run = Run(case, kills=case.kills)
    ended = run.finish()
    if ended.phase is OperationPhase.SUCCEEDED or is_stuck(run, ended):
        return
    run.case = case._replace(ends=dict.fromkeys(case.ends, "well"))
    run.world.failing = {}
    run.results = run.saved = ()
    run.retry = 1
    before = len(run.world.log)
    expected = Counter(run_mark(task) + str(task.key) for task in run.make().tasks if task.hook_type and task.phase is not Phase.SYNC_FAIL)
    assert run.finish().phase is OperationPhase.SUCCEEDED
    assert Counter(run_mark(task) + str(task.key) for task in run.world.log[before:] if task.hook_type) == expected


@settings(max_examples=40, deadline=None)
@given(cases())
def test_nothing_is_pruned_that_is_not_the_apps_or_is_protected(case: Case) -> None:
    run = Run(case, kills=case.kills)
    run.finish()
    wanted = {key_of(thing) for thing in case.wanted}
    before = {key_of(thing): thing for thing in case.present}
    for task in run.world.log:
        if task.action is not Action.PRUNE:
            continue
        thing = before[task.key]
        assert case.prune
        assert task.key not in wanted
        assert Tracking().app_of(thing) == APP
        assert not thing["metadata"].get("ownerReferences")
        assert not prune_forbidden(thing, case.options)
    for key, thing in before.items():
        if Tracking().app_of(thing) != APP and key not in wanted:
            assert run.live[key] == thing


@settings(max_examples=40, deadline=None)
@given(cases())
def test_a_successful_sync_leaves_what_was_wanted(case: Case) -> None:
    run = Run(case._replace(failing=frozenset(), ends=dict.fromkeys(case.ends, "well")), kills=case.kills)
    made = run.make()
    ended = run.finish()
    assert ended.phase is OperationPhase.SUCCEEDED
    assert {key_of(thing) for thing in case.wanted} <= set(run.live)
    assert all(seen.health is None or seen.health.status is HealthStatus.HEALTHY for seen in run.world.objects.values())
    for task in made.tasks:
        if task.hook_type and task.phase is not Phase.SYNC_FAIL:
            lingers = short_name(task.key) in case.lingering
            assert lingers or (task.key in run.live) is ("HookSucceeded" not in task.delete_policies)
