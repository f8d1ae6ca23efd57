"""For any objects, waves, failures and kills: order is kept, the end is the same, nobody else's object is touched."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.model.health import HealthStatus
from homeostat.model.objects import Key, Object, key_of
from homeostat.model.sync import Action, Operation, OperationPhase, Plan, Task, TaskResult
from homeostat.model.tracking import Tracking
from homeostat.sync.options import prune_forbidden
from homeostat.sync.plan import PlanInput, Target, plan
from homeostat.sync.step import Finish, Observed, RunWave, Wait, record, step
from tests.sync.objects import APP, crd, desired, live, obj
from tests.sync.traces import World, short_name

KINDS = [("", "ConfigMap"), ("apps", "Deployment"), ("", "Service"), ("example.org", "Gadget"), ("", "Namespace")]
OWNERS = [APP, APP, "other", ""]
OPTIONS = ["", "", "Prune=false", "PruneLast=true", "Prune=true"]


class Case(NamedTuple):
    wanted: tuple[Object, ...]
    present: tuple[Object, ...]
    options: tuple[str, ...]
    prune: bool
    failing: frozenset[str]
    lingering: frozenset[str]
    kills: tuple[int, ...]


@st.composite
def objects(draw: st.DrawFn) -> Object:
    group, kind = draw(st.sampled_from(KINDS))
    name = draw(st.sampled_from("abcdef"))
    namespace = None if kind == "Namespace" else draw(st.sampled_from(["apps", "a", "b"]))
    wave = draw(st.one_of(st.none(), st.integers(-2, 3)))
    return obj(kind, name, namespace=namespace, group=group, wave=wave, options=draw(st.sampled_from(OPTIONS)))


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
    names = sorted({short_name(key) for key in (*wanted, *present)})
    some = st.frozensets(st.sampled_from(names), max_size=2) if names else st.just(frozenset[str]())
    return Case(
        wanted=tuple(wanted.values()),
        present=tuple(present.values()),
        options=draw(st.sampled_from([(), ("PruneLast=true",), ("Prune=false",), ("CreateNamespace=true",), ("ApplyOutOfSyncOnly=true",)])),
        prune=draw(st.booleans()),
        failing=draw(some) if draw(st.integers(0, 3)) == 0 else frozenset(),
        lingering=draw(some),
        kills=tuple(draw(st.lists(st.integers(0, 30), max_size=4))),
    )


class Run:
    """One sync against a world that knows whole objects. A kill loses what a wave did after its n-th task, and the plan."""

    def __init__(self, case: Case, *, kills: tuple[int, ...]) -> None:
        self.case = case
        self.kills = list(kills)
        self.world = World()
        self.world.failing = dict.fromkeys(case.failing, "no")
        self.world.lingering = set(case.lingering)
        self.live = {key_of(thing): thing for thing in case.present}
        self.world.objects = {key: Observed(uid=thing["metadata"]["uid"]) for key, thing in self.live.items()}
        self.results: tuple[TaskResult, ...] = ()
        self.applied: set[Key] = set()

    def make(self) -> Plan:
        targets = [
            Target(desired(thing), live=self.live.get(key_of(thing)), out_of_sync=key_of(thing) not in self.applied)
            for thing in self.case.wanted
        ]
        return plan(
            PlanInput(
                app_id=APP,
                targets=targets,
                managed=list(self.live.values()),
                namespace="apps",
                namespace_live=self.live.get(Key("", "Namespace", "", "apps")),
                operation=Operation(prune=self.case.prune),
                options=self.case.options,
                recorded=self.results,
            )
        )

    def carry_out(self, task: Task) -> TaskResult:
        result = self.world.carry_out(task)
        if result.hook_phase is OperationPhase.FAILED:
            return result
        if task.action is Action.PRUNE:
            gone = self.live.pop(task.key, None)
            if gone is not None and short_name(task.key) in self.world.lingering:
                self.live[task.key] = {**gone, "metadata": {**gone["metadata"], "deletionTimestamp": "2026-11-21T07:53:24Z"}}
        elif task.desired is not None:
            owner = APP if task.action is Action.APPLY else ""
            self.live[task.key] = live(task.desired, app=owner, uid=str(task.key))
            self.applied.add(task.key)
        return result

    def finish(self) -> Finish:
        made = self.make()
        for _ in range(200):
            now = step(made, self.results, self.world.look)
            self.results = now.results
            if isinstance(now, Finish):
                return now
            if isinstance(now, Wait):
                self.relent(now)
                continue
            assert isinstance(now, RunWave)
            made = self.run(made, now)
        raise AssertionError("the sync does not end")

    def run(self, made: Plan, now: RunWave) -> Plan:
        tasks = now.wave.tasks
        if self.kills:
            survived = self.kills.pop(0)
            for task in tasks[: survived + 1]:
                self.carry_out(task)
            if survived < len(tasks):
                return self.make()  # killed before it could be recorded
        self.results = record(made, self.results, [self.carry_out(task) for task in tasks])
        return made

    def relent(self, now: Wait) -> None:
        """The world does what is waited for."""
        for key in now.keys:
            seen = self.world.objects[key]
            if seen.deleting:
                del self.world.objects[key]
                self.live.pop(key, None)
                self.world.lingering.discard(short_name(key))
            else:
                self.world.objects[key] = msgspec.structs.replace(seen, health=None)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_no_task_runs_before_what_it_must_follow(case: Case) -> None:
    run = Run(case, kills=())
    run.world.progressing = {short_name(key_of(thing)) for thing in case.wanted if thing["kind"] == "Deployment"}
    made = run.make()
    run.finish()
    place = {(task.key, task.phase): number for number, wave in enumerate(made.waves) for task in wave.tasks}
    waves = [place[task.key, task.phase] for task in run.world.log]
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
    seen = list(dict.fromkeys(task.key for task in run.world.log if task.action in actions))
    waves = {task.key: number for number, wave in enumerate(made.waves) for task in wave.tasks}
    return [sorted(keys) for _, keys in groupby(seen, key=lambda key: waves[key])]


@settings(max_examples=100, deadline=None)
@given(cases())
def test_killed_at_any_point_the_end_is_the_same(case: Case) -> None:
    calm, killed = Run(case, kills=()), Run(case, kills=case.kills)
    one, other = calm.finish(), killed.finish()
    assert one.phase == other.phase
    if one.phase is OperationPhase.SUCCEEDED:
        assert {key for key, thing in calm.live.items() if "deletionTimestamp" not in thing["metadata"]} == {
            key for key, thing in killed.live.items() if "deletionTimestamp" not in thing["metadata"]
        }
        assert calm.applied == killed.applied
        for actions in ({Action.APPLY}, {Action.PRUNE}):
            assert first_time(calm, actions) == first_time(killed, actions)
        assert one.message == other.message or "no more tasks" in other.message


@settings(max_examples=100, deadline=None)
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


@settings(max_examples=60, deadline=None)
@given(cases())
def test_a_successful_sync_leaves_what_was_wanted(case: Case) -> None:
    run = Run(case._replace(failing=frozenset()), kills=case.kills)
    ended = run.finish()
    assert ended.phase is OperationPhase.SUCCEEDED
    assert {key_of(thing) for thing in case.wanted} <= set(run.live)
    assert all(seen.health is None or seen.health.status is HealthStatus.HEALTHY for seen in run.world.objects.values())
