"""What a sync does about its hooks, as traces: how they end, what follows, and what becomes of their objects."""

from __future__ import annotations

import pytest

from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import Object
from homeostat.model.sync import Operation, OperationPhase, Plan, ResultCode
from homeostat.sync.plan import PlanInput, Target, plan
from homeostat.sync.step import DELETED, FOREIGN, HOOK_GONE, Observed, terminate, to_observe
from tests.sync.objects import APP, desired, hook, live, obj
from tests.sync.traces import (
    Trace,
    World,
    becomes,
    breaks,
    fails,
    finishes,
    is_called_off,
    is_deleted,
    is_killed,
    is_tried_again,
    passes,
    runs,
    short_name,
    succeeds,
    tidies,
    vanishes,
    waits,
    waits_for_confirmation,
)

RUNNING, SUCCEEDED, FAILED, ERROR = OperationPhase.RUNNING, OperationPhase.SUCCEEDED, OperationPhase.FAILED, OperationPhase.ERROR
ALL_RUN = "successfully synced (all tasks run)"
NO_MORE = "successfully synced (no more tasks)"
REASON = "one or more synchronization tasks completed unsuccessfully, reason: "
LIMIT = "Job has reached the specified backoff limit"
BEGAN = "2026-11-21T07:53:25Z"


def made(*things: Object, managed: tuple[Object, ...] = (), retry: int = 0, approved: bool = False) -> Plan:
    return plan(
        PlanInput(
            app_id=APP,
            targets=[Target(desired(thing)) for thing in things],
            managed=managed,
            operation=Operation(prune=True),
            revision="8a403151eed47078bc94b936e03747e1fce73266",
            started_at=BEGAN,
            run=f"{BEGAN}/{retry}",
            approved=approved,
        )
    )


SETTINGS = obj("ConfigMap", "settings")
MIGRATE = hook("PreSync", "migrate")
SMOKE = hook("PostSync", "smoke", policies="HookSucceeded")
SORRY = hook("SyncFail", "sorry")


def test_the_recorded_sample_goes_as_it_went_there() -> None:
    smoke = hook("PostSync", generateName="smoke-", policies="HookSucceeded")
    trace = Trace(made(MIGRATE, SETTINGS, smoke))
    trace >> runs("Job/migrate") >> waits("waiting for completion of hook batch/Job/migrate") << finishes("Job/migrate")
    trace >> tidies("release Job/migrate") >> runs("ConfigMap/settings")
    name = "Job/smoke-8a40315-postsync-1795247605"
    trace >> runs(name) >> waits(f"completion of hook batch/{name}") << finishes(name)
    trace >> tidies(f"release and delete {name}") >> succeeds(NO_MORE)
    assert [short_name(key) for key in trace.world.objects] == ["Job/migrate", "ConfigMap/settings"]
    assert [(result.hook_type, result.hook_phase, result.message) for result in trace.results] == [
        ("PreSync", SUCCEEDED, "Reached expected number of succeeded pods"),
        ("", SUCCEEDED, "configmap/settings created"),
        ("PostSync", SUCCEEDED, "Reached expected number of succeeded pods"),
    ]


def test_a_hook_without_a_health_rule_succeeds_when_it_is_made() -> None:
    trace = Trace(made(hook("PreSync", "note", kind="ConfigMap"), SETTINGS))
    trace >> runs("ConfigMap/note") >> tidies("release ConfigMap/note") >> runs("ConfigMap/settings") >> succeeds(ALL_RUN)
    assert trace.message_of("ConfigMap/note") == "configmap/note created"


@pytest.mark.parametrize("status", [HealthStatus.PROGRESSING, HealthStatus.SUSPENDED])
def test_a_hook_is_waited_for_while(status: HealthStatus) -> None:
    trace = Trace(made(MIGRATE, SETTINGS))
    trace >> runs("Job/migrate") << becomes("Job/migrate", status, "halfway") >> waits("completion of hook")
    assert (trace.phase_of("Job/migrate"), trace.message_of("Job/migrate")) == (RUNNING, "halfway")


@pytest.mark.parametrize("status", [HealthStatus.DEGRADED, HealthStatus.UNKNOWN])
def test_a_hook_has_failed_when_it_is(status: HealthStatus) -> None:
    trace = Trace(made(MIGRATE, SETTINGS))
    trace >> runs("Job/migrate") << becomes("Job/migrate", status) >> tidies("release Job/migrate")
    trace >> fails(f"{REASON}Job.batch apps/migrate is {status}")
    assert trace.phase_of("Job/migrate") is FAILED


def test_hooks_of_one_wave_run_side_by_side_and_are_waited_for_together() -> None:
    trace = Trace(made(*(hook("PreSync", name) for name in "abc"), SETTINGS))
    trace >> runs("Job/a", "Job/b", "Job/c") >> waits("completion of hook batch/Job/a and 2 more hooks") << finishes("Job/a")
    trace >> waits("completion of hook batch/Job/b and 1 more hooks") << finishes("Job/b") << finishes("Job/c")
    trace >> tidies("release Job/a", "release Job/b", "release Job/c") >> runs("ConfigMap/settings") >> succeeds(ALL_RUN)


def test_waves_of_hooks_follow_each_other() -> None:
    trace = Trace(made(hook("PreSync", "first", wave=-1), hook("PreSync", "second", wave=1)))
    trace >> runs("Job/first") >> waits("Job/first") << finishes("Job/first") >> tidies("release Job/first")
    trace >> runs("Job/second") >> waits("Job/second") << finishes("Job/second") >> tidies("release Job/second") >> succeeds(NO_MORE)


def test_post_sync_waits_for_the_health_of_what_was_applied() -> None:
    world = World()
    world.progressing = {"Deployment/web"}
    trace = Trace(made(obj("Deployment", "web", group="apps"), SMOKE), world)
    trace >> runs("Deployment/web") >> waits("healthy state of apps/Deployment/web") << becomes("Deployment/web", HealthStatus.HEALTHY)
    trace >> runs("Job/smoke") >> waits("completion of hook batch/Job/smoke")


def test_beside_a_hook_of_the_only_wave_objects_are_not_waited_for_but_their_failure_counts() -> None:
    world = World()
    world.progressing = {"Deployment/web"}
    things = (obj("Deployment", "web", group="apps"), hook("Sync", "index"))
    trace = Trace(made(*things), world) >> runs("Deployment/web", "Job/index") >> waits("completion of hook batch/Job/index")
    trace << finishes("Job/index") >> tidies("release Job/index") >> succeeds(NO_MORE)
    ill = Trace(made(*things)) >> runs("Deployment/web", "Job/index") << becomes("Deployment/web", HealthStatus.DEGRADED, "no")
    ill >> waits("completion of hook batch/Job/index") << finishes("Job/index") >> tidies("release Job/index") >> fails(REASON + "no")


def test_in_a_last_wave_after_others_the_objects_beside_a_hook_are_waited_for() -> None:
    world = World()
    world.progressing = {"Deployment/web"}
    trace = Trace(made(obj("ConfigMap", "a", wave=-1), obj("Deployment", "web", group="apps"), hook("Sync", "index")), world)
    trace >> runs("ConfigMap/a") >> runs("Deployment/web", "Job/index") << finishes("Job/index")
    trace >> waits("healthy state of apps/Deployment/web") << becomes("Deployment/web", HealthStatus.HEALTHY)
    trace >> tidies("release Job/index") >> succeeds(NO_MORE)


def test_an_earlier_object_makes_place_and_is_waited_for() -> None:
    world = World()
    trace = (
        Trace(made(MIGRATE), world) >> runs("Job/migrate") << finishes("Job/migrate") >> tidies("release Job/migrate") >> succeeds(NO_MORE)
    )
    world.lingering = {"Job/migrate"}
    trace << is_tried_again(made(MIGRATE, retry=1))
    trace >> tidies("delete Job/migrate") >> waits("deletion of batch/Job/migrate") << vanishes("Job/migrate")
    trace >> runs("Job/migrate") >> waits("completion of hook")
    assert len(world.log) == 2


def test_an_earlier_object_that_is_held_and_on_its_way_out_is_let_go() -> None:
    world = World()
    first = made(hook("PreSync", "migrate", policies="HookFailed"))
    Trace(first, world) >> runs("Job/migrate") << is_deleted("Job/migrate")
    trace = Trace(made(hook("PreSync", "migrate", policies="HookFailed"), retry=1), world)
    trace >> tidies("release Job/migrate") >> runs("Job/migrate")


def test_without_that_policy_it_is_applied_over() -> None:
    world = World()
    only = hook("PreSync", "migrate", policies="HookFailed")
    trace = Trace(made(only), world) >> runs("Job/migrate") << finishes("Job/migrate") >> tidies("release Job/migrate") >> succeeds(NO_MORE)
    trace << is_tried_again(made(only, retry=1)) >> runs("Job/migrate") >> tidies("release Job/migrate") >> succeeds(NO_MORE)


def test_the_whole_wave_waits_until_there_is_place_for_its_hooks() -> None:
    world = World()
    Trace(made(hook("Sync", "index")), world) >> runs("Job/index")
    trace = Trace(made(hook("Sync", "index"), SETTINGS, retry=1), world)
    trace >> tidies("release and delete Job/index") >> runs("ConfigMap/settings", "Job/index")


def test_an_object_of_another_app_is_not_deleted_to_make_place() -> None:
    trace = Trace(made(MIGRATE, SORRY))
    theirs = Observed(Health(HealthStatus.HEALTHY), uid="theirs", run="then/0/PreSync", held=True, foreign=True)
    trace.world.objects[trace.plan.tasks[0].key] = theirs
    (
        trace
        >> runs("Job/sorry")
        << finishes("Job/sorry")
        >> tidies("release Job/sorry")
        >> fails(f"{REASON}Job.batch apps/migrate: {FOREIGN}")
    )
    assert trace.world.objects[trace.plan.tasks[0].key] is theirs
    assert [(result.status, result.hook_phase) for result in trace.results] == [
        (ResultCode.SYNC_FAILED, FAILED),
        (ResultCode.SYNCED, SUCCEEDED),
    ]


def test_a_hook_of_two_phases_runs_twice_whatever_its_policies() -> None:
    trace = Trace(made(hook("PreSync,PostSync", "both", policies="HookFailed"), SETTINGS))
    trace >> runs("Job/both") << finishes("Job/both") >> tidies("release Job/both") >> runs("ConfigMap/settings")
    trace >> tidies("delete Job/both") >> runs("Job/both") >> waits("Job/both") << finishes("Job/both")
    trace >> tidies("release Job/both") >> succeeds(NO_MORE)
    assert [result.hook_type for result in trace.results] == ["PreSync", "", "PostSync"]


def test_what_somebody_deletes_before_it_is_done_is_an_error_and_let_go() -> None:
    trace = Trace(made(MIGRATE, SETTINGS)) >> runs("Job/migrate") << is_deleted("Job/migrate") >> tidies("release Job/migrate")
    trace >> fails(REASON + HOOK_GONE)
    assert trace.phase_of("Job/migrate") is ERROR
    assert trace.world.objects == {}


def test_what_somebody_deletes_when_it_is_done_is_held_until_its_end_is_known() -> None:
    trace = Trace(made(MIGRATE, SETTINGS)) >> runs("Job/migrate") << finishes("Job/migrate") << is_deleted("Job/migrate")
    trace >> tidies("release Job/migrate") >> runs("ConfigMap/settings") >> succeeds(ALL_RUN)
    assert [short_name(key) for key in trace.world.objects] == ["ConfigMap/settings"]


def test_what_its_time_to_live_deletes_is_held_until_its_end_is_known() -> None:
    trace = Trace(made(MIGRATE, SETTINGS))
    trace.world.ttl = {"Job/migrate": 60.0}
    trace >> runs("Job/migrate") << finishes("Job/migrate") << passes(61) >> tidies("release Job/migrate")
    trace << is_killed(made(MIGRATE, SETTINGS)) >> runs("ConfigMap/settings") >> succeeds(ALL_RUN)
    early = Trace(made(MIGRATE, SETTINGS))
    early.world.ttl = {"Job/migrate": 60.0}
    early >> runs("Job/migrate") << finishes("Job/migrate") << passes(59) >> tidies("release Job/migrate") << passes(2)
    early >> runs("ConfigMap/settings") >> succeeds(ALL_RUN)


def test_a_hook_that_is_gone_is_an_error() -> None:
    trace = Trace(made(MIGRATE, SETTINGS)) >> runs("Job/migrate") << vanishes("Job/migrate") >> fails(REASON + HOOK_GONE)
    assert trace.phase_of("Job/migrate") is ERROR


def test_a_namesake_is_not_the_hook() -> None:
    trace = Trace(made(MIGRATE)) >> runs("Job/migrate")
    key = trace.world.find("Job/migrate")
    trace.world.objects[key] = Observed(Health(HealthStatus.HEALTHY), uid="another", run="")
    trace >> fails(REASON + HOOK_GONE)


FAILING = {
    "it fails itself": "HookFailed",
    "both": "HookSucceeded,HookFailed",
}


@pytest.mark.parametrize("policies", FAILING.values(), ids=FAILING)
def test_a_failed_hook_is_deleted_where_its_policy_says_so(policies: str) -> None:
    trace = Trace(made(hook("PreSync", "migrate", policies=policies), SETTINGS))
    trace >> runs("Job/migrate") << breaks("Job/migrate") >> tidies("release and delete Job/migrate") >> fails(REASON + LIMIT)
    assert trace.world.objects == {}


def test_a_failed_hook_stays_with_hook_succeeded() -> None:
    trace = Trace(made(hook("PreSync", "migrate", policies="HookSucceeded"), SETTINGS))
    trace >> runs("Job/migrate") << breaks("Job/migrate") >> tidies("release Job/migrate") >> fails(REASON + LIMIT)
    assert [short_name(key) for key in trace.world.objects] == ["Job/migrate"]


def test_a_sync_that_fails_takes_hooks_along_that_were_well() -> None:
    world = World()
    world.failing = {"ConfigMap/settings": "cannot be handled"}
    well = [hook("PreSync", "a", policies="HookSucceeded"), hook("PreSync", "b", policies="HookFailed"), hook("PreSync", "c")]
    trace = Trace(made(*well, SETTINGS), world) >> runs("Job/a", "Job/b", "Job/c")
    for name in "abc":
        trace << finishes(f"Job/{name}")
    trace >> tidies("release Job/a", "release Job/b", "release Job/c") >> runs("ConfigMap/settings")
    trace >> tidies("delete Job/a", "delete Job/b") >> fails(REASON + "cannot be handled")


def test_hook_succeeded_waits_for_the_end_of_the_sync() -> None:
    trace = Trace(made(hook("PreSync", "migrate", policies="HookSucceeded"), SETTINGS))
    trace >> runs("Job/migrate") << finishes("Job/migrate") >> tidies("release Job/migrate") >> runs("ConfigMap/settings")
    trace >> tidies("delete Job/migrate") >> succeeds(ALL_RUN)


def test_a_failure_runs_sync_fail_wave_by_wave_and_then_the_sync_has_failed() -> None:
    world = World()
    world.failing = {"ConfigMap/settings": "cannot be handled"}
    trace = Trace(made(SETTINGS, SMOKE, SORRY, hook("SyncFail", "tell", wave=1, policies="HookSucceeded")), world)
    trace >> runs("ConfigMap/settings") >> runs("Job/sorry") >> waits("completion of hook batch/Job/sorry") << finishes("Job/sorry")
    trace >> tidies("release Job/sorry") >> runs("Job/tell") << finishes("Job/tell") >> tidies("release and delete Job/tell")
    trace >> fails(REASON + "cannot be handled")
    assert [short_name(result.key) for result in trace.results] == ["ConfigMap/settings", "Job/sorry", "Job/tell"]


def test_a_sync_that_goes_well_leaves_sync_fail_alone() -> None:
    Trace(made(SETTINGS, SORRY)) >> runs("ConfigMap/settings") >> succeeds(ALL_RUN)


def test_a_failing_sync_fail_hook_is_told_beside_the_reason() -> None:
    world = World()
    world.failing = {"ConfigMap/settings": "cannot be handled"}
    trace = Trace(made(SETTINGS, SORRY, hook("SyncFail", "tell", wave=1)), world) >> runs("ConfigMap/settings") >> runs("Job/sorry")
    trace << breaks("Job/sorry") >> tidies("release Job/sorry") >> runs("Job/tell") << finishes("Job/tell") >> tidies("release Job/tell")
    trace >> fails(f"{REASON}cannot be handled\none or more SyncFail hooks failed, reason: {LIMIT}")


def test_other_hooks_are_waited_for_before_sync_fail_and_plain_objects_are_not() -> None:
    world = World()
    world.progressing = {"Deployment/web"}
    trace = Trace(made(obj("Deployment", "web", group="apps"), hook("Sync", "a"), hook("Sync", "b"), SORRY), world)
    trace >> runs("Deployment/web", "Job/a", "Job/b") << breaks("Job/a") >> waits("completion of hook batch/Job/b") << finishes("Job/b")
    trace >> tidies("release Job/a", "release Job/b") >> runs("Job/sorry")


def test_a_hook_that_was_made_and_not_recorded_is_not_made_twice() -> None:
    trace = Trace(made(MIGRATE, SETTINGS)) >> runs("Job/migrate")
    trace << is_killed(made(MIGRATE, SETTINGS), results=()) >> waits("completion of hook batch/Job/migrate") << finishes("Job/migrate")
    trace << is_killed(made(MIGRATE, SETTINGS), results=()) >> tidies("release Job/migrate") >> runs("ConfigMap/settings")
    assert [short_name(task.key) for task in trace.world.log] == ["Job/migrate", "ConfigMap/settings"]
    assert [result.hook_type for result in trace.results] == ["PreSync", ""]


def test_a_new_attempt_runs_its_hooks_again() -> None:
    things = (MIGRATE, SETTINGS, hook("PostSync", generateName="smoke-", policies="HookSucceeded"))
    trace = (
        Trace(made(*things))
        >> runs("Job/migrate")
        << finishes("Job/migrate")
        >> tidies("release Job/migrate")
        >> runs("ConfigMap/settings")
    )
    name = "Job/smoke-8a40315-postsync-1795247605"
    trace >> runs(name) << breaks(name) >> tidies(f"release {name}") >> fails(REASON + LIMIT)
    trace << is_tried_again(made(*things, retry=1)) >> tidies("delete Job/migrate") >> runs("Job/migrate") << finishes("Job/migrate")
    trace >> tidies("release Job/migrate") >> runs("ConfigMap/settings") >> runs(f"{name}-1") << finishes(f"{name}-1")
    trace >> tidies(f"release and delete {name}-1") >> succeeds(NO_MORE)


def test_a_hook_that_the_plan_no_longer_knows_is_seen_to_its_end() -> None:
    trace = Trace(made(MIGRATE, SETTINGS)) >> runs("Job/migrate") << is_killed(made(SETTINGS)) >> waits("completion of hook")
    trace << finishes("Job/migrate") >> tidies("release Job/migrate") >> runs("ConfigMap/settings") >> succeeds(ALL_RUN)


def test_a_sync_that_is_called_off_deletes_the_hooks_that_run_and_lets_the_others_go() -> None:
    trace = Trace(made(hook("PreSync", "done"), hook("PreSync", "busy"), SETTINGS)) >> runs("Job/busy", "Job/done") << finishes("Job/done")
    trace << is_called_off() >> tidies("release and delete Job/busy", "release Job/done") >> fails("Operation terminated")
    assert [(short_name(r.key), r.hook_phase, r.message) for r in trace.results] == [
        ("Job/busy", SUCCEEDED, DELETED),
        ("Job/done", SUCCEEDED, "Reached expected number of succeeded pods"),
    ]
    assert [short_name(key) for key in trace.world.objects] == ["Job/done"]


def test_what_was_called_off_and_killed_is_called_off_again() -> None:
    trace = Trace(made(MIGRATE)) >> runs("Job/migrate") << is_called_off()
    half = terminate(trace.results, trace.world.look, trace.plan)
    assert terminate(half.results, trace.world.look, trace.plan) == half
    trace << is_killed(made(MIGRATE), results=()) >> tidies("release and delete Job/migrate") >> fails("Operation terminated")


def test_a_sync_without_hooks_is_called_off_at_once() -> None:
    world = World()
    world.progressing = {"Deployment/web"}
    trace = Trace(made(obj("Deployment", "web", group="apps"), SMOKE), world) >> runs("Deployment/web") << is_called_off()
    trace >> fails("Operation terminated")
    assert trace.phase_of("Deployment/web") is RUNNING


def test_a_dry_run_runs_every_wave_and_waits_for_nothing() -> None:
    world = World()
    Trace(made(MIGRATE), world) >> runs("Job/migrate")
    trace = Trace(made(MIGRATE, SETTINGS, SMOKE, SORRY, retry=1), world, dry_run=True)
    trace >> runs("Job/migrate") >> runs("ConfigMap/settings") >> runs("Job/smoke") >> runs("Job/sorry")
    trace >> succeeds("successfully synced (dry run)")


def test_a_dry_run_says_which_hook_would_be_refused() -> None:
    world = World()
    world.failing = {"Job/migrate": "no such field"}
    trace = Trace(made(MIGRATE, SETTINGS), world, dry_run=True) >> runs("Job/migrate")
    trace >> fails("one or more synchronization tasks completed unsuccessfully (dry run), reason: no such field")


OLD = tuple(live(obj("ConfigMap", name, options="Prune=confirm")) for name in ("old", "older", "oldest"))


def test_a_wave_waits_until_its_prunes_are_confirmed() -> None:
    trace = Trace(made(obj("ConfigMap", "a", wave=-1), SETTINGS, managed=OLD)) >> runs("ConfigMap/a")
    trace >> waits_for_confirmation("v1/ConfigMap/old and 2 more resources")
    trace << is_killed(made(obj("ConfigMap", "a", wave=-1), SETTINGS, managed=OLD, approved=True))
    trace >> runs("ConfigMap/old", "ConfigMap/older", "ConfigMap/oldest", "ConfigMap/settings") >> succeeds(ALL_RUN)


def test_one_prune_that_wants_a_confirmation_is_named_alone() -> None:
    role = live(obj("Role", "r", group="rbac.authorization.k8s.io", options="Prune=confirm"))
    Trace(made(managed=(role,))) >> waits_for_confirmation("rbac.authorization.k8s.io/v1/Role/r")


def test_a_dry_run_needs_no_confirmation() -> None:
    trace = Trace(made(managed=OLD[:1]), dry_run=True) >> runs("ConfigMap/old") >> succeeds("successfully synced (dry run)")
    assert trace.phase_of("ConfigMap/old") is SUCCEEDED


def test_what_a_guard_holds_holds_nothing_up() -> None:
    thing = live(obj("ConfigMap", "old"))
    held = plan(
        PlanInput(
            app_id=APP,
            targets=[Target(desired(SETTINGS)), Target(desired(obj("ConfigMap", "b", wave=1)))],
            managed=[thing],
            operation=Operation(prune=True),
            held={made(managed=(thing,)).tasks[0].key: "held back"},
        )
    )
    trace = Trace(held) >> runs("ConfigMap/old", "ConfigMap/settings") >> runs("ConfigMap/b") >> succeeds(ALL_RUN)
    assert trace.message_of("ConfigMap/old") == "held back"


def test_hooks_of_a_plan_are_looked_at_from_the_start() -> None:
    things = made(MIGRATE, SETTINGS, SORRY)
    assert [short_name(key) for key in to_observe(things, ())] == ["Job/migrate", "Job/sorry"]


def test_an_unnamed_mark_is_nobodys() -> None:
    """A plan without a run, as a preview makes it, takes no live object for its own."""
    anonymous = plan(PlanInput(app_id=APP, targets=[Target(desired(MIGRATE))]))
    world = World()
    world.objects[anonymous.tasks[0].key] = Observed(Health(HealthStatus.HEALTHY), uid="x")
    Trace(anonymous, world) >> tidies("delete Job/migrate") >> runs("Job/migrate")
    assert world.objects[anonymous.tasks[0].key].run == "/PreSync"
