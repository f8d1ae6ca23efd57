"""The state machine of a sync, as traces in which time is only the order of events."""

from __future__ import annotations

from homeostat.model.health import HealthStatus
from homeostat.model.objects import Object
from homeostat.model.sync import Operation, OperationPhase, Plan
from homeostat.sync.plan import PlanInput, Target, plan
from homeostat.sync.step import GONE, Finish, terminate, to_observe
from tests.sync.objects import APP, desired, live, obj
from tests.sync.traces import Trace, World, becomes, fails, is_killed, runs, succeeds, vanishes, waits

RUNNING, SUCCEEDED, FAILED = OperationPhase.RUNNING, OperationPhase.SUCCEEDED, OperationPhase.FAILED
ALL_RUN = "successfully synced (all tasks run)"
REASON = "one or more synchronization tasks completed unsuccessfully, reason: "


def made(*things: Object, managed: tuple[Object, ...] = (), options: tuple[str, ...] = (), namespace_exists: bool = True) -> Plan:
    return plan(
        PlanInput(
            app_id=APP,
            targets=[Target(desired(thing)) for thing in things],
            managed=managed,
            operation=Operation(prune=True),
            options=options,
            namespace="apps",
            namespace_live=obj("Namespace", "apps", namespace=None) if namespace_exists else None,
        )
    )


FIRST = obj("ConfigMap", "first", wave=-1)
SECOND = obj("Deployment", "second", group="apps", wave=1)
THIRD = obj("ConfigMap", "third", wave=2)


def test_nothing_to_do_succeeds_at_once() -> None:
    Trace(made()) >> succeeds("successfully synced (no more tasks)")


def test_a_single_wave_is_not_waited_for() -> None:
    world = World()
    world.progressing = {"Deployment/web"}
    trace = Trace(made(obj("Deployment", "web", group="apps"), options=("CreateNamespace=true",), namespace_exists=False), world)
    trace >> runs("Namespace/apps") >> runs("Deployment/web") >> succeeds(ALL_RUN)
    assert [result.hook_phase for result in trace.results] == [RUNNING, RUNNING]


def test_a_wave_waits_for_the_health_of_the_one_before() -> None:
    world = World()
    world.progressing = {"Deployment/second", "ConfigMap/third"}
    trace = Trace(made(FIRST, SECOND, THIRD, options=("CreateNamespace=true",), namespace_exists=False), world)
    trace >> runs("Namespace/apps") >> runs("ConfigMap/first") >> runs("Deployment/second")
    trace >> waits("healthy state of apps/Deployment/second") >> waits("healthy state of apps/Deployment/second")
    trace << becomes("Deployment/second", HealthStatus.HEALTHY)
    trace >> runs("ConfigMap/third") >> succeeds(ALL_RUN)
    assert [(result.key.name, result.hook_phase) for result in trace.results] == [
        ("apps", RUNNING),
        ("first", SUCCEEDED),
        ("second", SUCCEEDED),
        ("third", RUNNING),
    ]


def test_a_health_without_rule_counts_as_healthy_and_suspended_does_not() -> None:
    trace = Trace(made(SECOND, THIRD))
    trace >> runs("Deployment/second") << becomes("Deployment/second", HealthStatus.SUSPENDED)
    trace >> waits("healthy state of")


def test_a_degraded_object_of_an_earlier_wave_fails_the_sync_with_its_message() -> None:
    trace = Trace(made(SECOND, THIRD))
    trace >> runs("Deployment/second") << becomes("Deployment/second", HealthStatus.DEGRADED, "deadline exceeded")
    trace >> fails(REASON + "deadline exceeded")
    assert trace.phase_of("Deployment/second") is FAILED


def test_an_object_that_vanishes_while_it_is_waited_for_fails_the_sync() -> None:
    trace = Trace(made(FIRST, SECOND))
    trace >> runs("ConfigMap/first") << vanishes("ConfigMap/first")
    trace >> fails(REASON + GONE)


def test_a_failed_task_lets_its_wave_finish_and_stops_the_next() -> None:
    world = World()
    world.failing = {"Deployment/bad": "cannot be handled"}
    world.progressing = {"ConfigMap/slow"}
    trace = Trace(made(obj("Deployment", "bad", group="apps"), obj("ConfigMap", "good"), obj("ConfigMap", "slow"), THIRD), world)
    trace >> runs("ConfigMap/good", "ConfigMap/slow", "Deployment/bad")
    trace >> fails(REASON + "cannot be handled") >> fails(REASON + "cannot be handled")
    assert [trace.phase_of(name) for name in ("ConfigMap/good", "ConfigMap/slow", "Deployment/bad")] == [SUCCEEDED, RUNNING, FAILED]


def test_the_failure_of_the_only_wave_judges_what_was_applied_as_argo_does() -> None:
    world = World()
    world.failing = {"Deployment/bad": "cannot be handled"}
    trace = Trace(made(obj("Deployment", "bad", group="apps"), obj("ConfigMap", "good")), world)
    trace >> runs("ConfigMap/good", "Deployment/bad") >> fails(REASON + "cannot be handled")
    assert trace.phase_of("ConfigMap/good") is SUCCEEDED


def test_each_reason_is_told_once() -> None:
    world = World()
    world.failing = {"ConfigMap/a": "no", "ConfigMap/b": "no", "ConfigMap/c": "never"}
    trace = Trace(made(*(obj("ConfigMap", name) for name in "abc")), world)
    trace >> runs("ConfigMap/a", "ConfigMap/b", "ConfigMap/c") >> fails(REASON + "no, never")


def test_a_pruned_object_on_its_way_out_holds_up_the_next_wave_and_not_the_end() -> None:
    world = World()
    world.lingering = {"ConfigMap/old"}
    trace = Trace(made(obj("ConfigMap", "a"), THIRD, managed=(live(obj("ConfigMap", "old")),)), world)
    trace >> runs("ConfigMap/old", "ConfigMap/a") >> waits("deletion of ConfigMap/old") << vanishes("ConfigMap/old")
    trace >> runs("ConfigMap/third") >> succeeds(ALL_RUN)
    alone = Trace(made(managed=(live(obj("ConfigMap", "old")),)), world)
    alone >> runs("ConfigMap/old") >> succeeds(ALL_RUN)


def test_a_wave_that_was_left_half_done_is_finished_before_anything_else() -> None:
    world = World()
    things = (obj("ConfigMap", "a"), obj("ConfigMap", "b"), obj("Secret", "c"), THIRD)
    trace = Trace(made(*things), world)
    half = trace.plan.waves[0].tasks[1]
    trace.results = (world.carry_out(half),)
    trace << is_killed(made(*things))
    trace >> runs("Secret/c", "ConfigMap/b") >> runs("ConfigMap/third") >> succeeds(ALL_RUN)


def test_a_failure_in_a_half_done_wave_still_lets_the_rest_of_it_run() -> None:
    world = World()
    world.failing = {"ConfigMap/a": "no"}
    trace = Trace(made(obj("ConfigMap", "a"), obj("ConfigMap", "b"), THIRD), world)
    trace.results = (world.carry_out(trace.plan.waves[0].tasks[0]),)
    trace >> runs("ConfigMap/b") >> fails(REASON + "no")


def test_a_result_that_the_plan_has_no_word_of_stays_and_gates_nothing() -> None:
    world = World()
    old = Trace(made(obj("ConfigMap", "before"), THIRD), world) >> runs("ConfigMap/before")
    world.progressing = {"ConfigMap/before"}
    old << is_killed(made(FIRST, THIRD)) >> runs("ConfigMap/first") >> runs("ConfigMap/third") >> succeeds(ALL_RUN)
    assert [result.key.name for result in old.results] == ["before", "first", "third"]


def test_a_message_of_the_health_replaces_the_message_of_the_apply() -> None:
    trace = Trace(made(SECOND, THIRD))
    trace >> runs("Deployment/second") << becomes("Deployment/second", HealthStatus.HEALTHY, "partitioned roll out complete")
    trace >> runs("ConfigMap/third")
    assert next(result.message for result in trace.results if result.key.name == "second") == "partitioned roll out complete"


def test_a_dry_run_waits_for_nothing() -> None:
    world = World()
    world.progressing = {"Deployment/second"}
    trace = Trace(made(FIRST, SECOND, THIRD), world, dry_run=True)
    trace >> runs("ConfigMap/first") >> runs("Deployment/second") >> runs("ConfigMap/third") >> succeeds("successfully synced (dry run)")


def test_a_single_wave_needs_nobody_to_judge_health() -> None:
    trace = Trace(made(obj("ConfigMap", "a"), managed=(live(obj("ConfigMap", "old")),)))
    assert to_observe(trace.plan, trace.results) == ()
    trace >> runs("ConfigMap/old", "ConfigMap/a")
    assert to_observe(trace.plan, trace.results) == ()
    trace >> succeeds(ALL_RUN)


def test_a_sync_that_is_called_off_keeps_its_results() -> None:
    trace = Trace(made(FIRST, THIRD)) >> runs("ConfigMap/first")
    ended = terminate(trace.results, trace.world.look, trace.plan)
    assert isinstance(ended, Finish)
    assert (ended.phase, ended.message, ended.results) == (FAILED, "Operation terminated", trace.results)
