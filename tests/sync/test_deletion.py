"""The planner of deletions: what goes with an app, in which order, what runs before and after, and above all what stays."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.model.health import Health, HealthStatus
from homeostat.model.hooks import HOOK_FINALIZER, HookType
from homeostat.model.objects import Key, Object, key_of
from homeostat.model.sync import Action, Plan
from homeostat.model.tracking import Tracking, TrackingMethod
from homeostat.sync import deletion
from homeostat.sync.deletion import Failed, Finished, hook_step, plan_deletion, plan_hooks
from homeostat.sync.errors import WaveError
from homeostat.sync.hooks import run_mark
from homeostat.sync.step import Cleanup, Observed, RunWave, Tidy, Wait
from tests.sync.objects import APP, NAMESPACE, crd, desired, hook, live, obj

HEALTHY, RUNNING = Health(HealthStatus.HEALTHY), Health(HealthStatus.PROGRESSING)
BROKEN = Health(HealthStatus.DEGRADED, "Job has reached the specified backoff limit")
ATTEMPT = deletion.attempt_of(app_id=APP, namespace=NAMESPACE, tracking=Tracking(), revision="8a40315" + "0" * 33, deleted_at=1795247605)
OWN = Key("argoproj.io", "Application", "argocd", APP)


def test_a_deleted_app_takes_its_objects_along_from_the_last_wave_to_the_first() -> None:
    things = [live(obj("ConfigMap", f"w{wave}", wave=wave)) for wave in (0, 1, -1, 1)]
    staying = [
        live(crd("Gadget")),
        live(obj("ConfigMap", "foreign"), app="other"),
        live(obj("ConfigMap", "kept", options="Delete=false")),
        live(obj("ConfigMap", "helm", annotations={"helm.sh/resource-policy": "keep"})),
        live(obj("Application", APP, namespace="argocd", group="argoproj.io", version="v1alpha1")),
        live(hook("PreDelete", "before")),
        live(hook("PostSync,PostDelete", "after")),
    ]
    made = plan_deletion([*things, *staying], app_id=APP, own=OWN)
    assert [(wave.number, [task.key.name for task in wave.tasks]) for wave in made.waves] == [(1, ["w1", "w1"]), (0, ["w0"]), (-1, ["w-1"])]
    assert all(task.action is Action.PRUNE for task in made.tasks)
    assert plan_deletion(things, app_id=APP, options=("Delete=false",)).waves == ()


def test_what_the_hooks_of_a_sync_left_goes_too_and_is_let_go_of_first() -> None:
    left = live(hook("PreSync", "left"), finalizers=[HOOK_FINALIZER, "example.com/theirs"])
    foreign = live(hook("PreSync", "foreign"), app="other", finalizers=[HOOK_FINALIZER])
    before = live(hook("PreDelete", "before"), finalizers=[HOOK_FINALIZER])
    things = [left, foreign, before, live(obj("ConfigMap", "plain"))]
    assert [task.key.name for task in plan_deletion(things, app_id=APP).tasks] == ["plain", "left"]
    released = deletion.held_hooks(things, app_id=APP)
    assert released == (Cleanup(key_of(left), "v1", uid="uid-Job-left", release=True),)


@pytest.mark.parametrize(
    ("on_object", "on_app", "asks"),
    [
        ("Delete=confirm", (), True),
        ("", ("Delete=confirm",), True),
        ("Delete=true", ("Delete=confirm",), False),
        ("Prune=confirm", (), False),
    ],
)
def test_some_objects_go_only_after_a_confirmation(on_object: str, on_app: tuple[str, ...], asks: bool) -> None:
    thing = live(obj("ConfigMap", "dear", options=on_object))
    keys = deletion.to_confirm(plan_deletion([thing], app_id=APP, options=on_app), on_app)
    assert keys == ((key_of(thing),) if asks else ())


OURS = ("own", "own", "hook")
THEIRS = ("other", "nobody", "copied", "child", "kept", "protected", "crd", "self", "of the deletion", "labelled")


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Object]:
    """Live objects by uid; the uid begins with whose the object is."""
    found: dict[str, Object] = {}
    for number in range(draw(st.integers(0, 14))):
        whose = draw(st.sampled_from(OURS + THEIRS))
        name, wave = f"n{number}", draw(st.one_of(st.none(), st.integers(-2, 3)))
        thing = obj(draw(st.sampled_from(["ConfigMap", "Service", "Secret"])), name, wave=wave)
        extra: dict[str, Any] = {}
        match whose:
            case "hook":
                thing = hook("PreSync", name, wave=wave)
            case "child":
                extra = {"ownerReferences": [{"kind": "X", "name": "y", "uid": "z"}]}
            case "kept":
                thing = obj("ConfigMap", name, options="Delete=false", wave=wave)
            case "protected":
                thing = obj("ConfigMap", name, annotations={"helm.sh/resource-policy": "keep"}, wave=wave)
            case "crd":
                thing = crd(f"Gadget{number}", wave=wave)
            case "self":
                thing = obj("Application", APP, namespace="argocd", group="argoproj.io", version="v1alpha1")
            case "of the deletion":
                thing = hook(draw(st.sampled_from(["PreDelete", "PostDelete", "PreSync,PreDelete"])), name)
        made = live(thing, app={"other": "other", "nobody": "", "labelled": ""}.get(whose, APP), uid=f"{whose} {number}", **extra)
        annotations = made["metadata"]["annotations"]
        if whose == "copied":
            annotations["argocd.argoproj.io/tracking-id"] = f"{APP}:/ConfigMap:{NAMESPACE}/the-original"
        if whose == "labelled":
            made["metadata"]["labels"] = {"app.kubernetes.io/instance": APP}
        found[made["metadata"]["uid"]] = made
    return found


@settings(max_examples=100)
@given(world=worlds(), lingering=st.sets(st.integers(0, 13), max_size=4), data=st.data())
def test_whatever_there_is_what_the_app_owns_goes_wave_by_wave_and_nothing_else_ever(
    world: dict[str, Object], lingering: set[int], data: st.DataObject
) -> None:
    """An object that lingers takes another round to go; the deletion is planned anew each time, as after a kill."""
    before = dict(world)
    gone: list[int] = []
    for _ in range(100):
        plan = plan_deletion(data.draw(st.permutations(list(world.values()))), app_id=APP, own=OWN)
        if not plan.waves:
            break
        highest = plan.waves[0]
        assert highest.number == max(wave.number for wave in plan.waves)
        for task in highest.tasks:
            assert task.live is not None
            uid = task.live["metadata"]["uid"]
            assert uid.split()[0] in OURS, "it is not the app's to delete"
            number = int(uid.split()[-1])
            if number in lingering:
                lingering.discard(number)
                world[uid]["metadata"]["deletionTimestamp"] = "2026-11-21T08:00:00Z"
                continue
            gone.append(highest.number)
            del world[uid]
    assert gone == sorted(gone, reverse=True)
    assert world == {uid: thing for uid, thing in before.items() if uid.split()[0] not in OURS}


def test_by_label_tracking_what_has_another_apps_label_stays() -> None:
    tracking = Tracking(method=TrackingMethod.LABEL)
    mine, theirs = obj("ConfigMap", "mine"), obj("ConfigMap", "theirs")
    for thing, app in ((mine, APP), (theirs, "other")):
        thing["metadata"]["labels"] = {"app.kubernetes.io/instance": app}
    assert [task.key.name for task in plan_deletion([mine, theirs], app_id=APP, tracking=tracking).tasks] == ["mine"]
    assert plan_deletion([mine, theirs], app_id="", tracking=tracking).waves == ()


# Hooks.


def planned(*hooks: Object, kind: HookType = HookType.PRE_DELETE) -> Plan:
    return plan_hooks(map(desired, hooks), kind, ATTEMPT)


def test_hooks_of_a_deletion_are_planned_by_type_wave_and_kind() -> None:
    hooks = [
        hook("PreDelete", "late", wave=1),
        hook("PreDelete", "job"),
        hook("PreDelete", "account", kind="ServiceAccount"),
        hook("PostDelete", "other"),
        hook("PreSync", "of-a-sync"),
        obj("Job", "helm", group="batch", annotations={"helm.sh/hook": "pre-delete", "helm.sh/hook-weight": "-5"}),
    ]
    made = planned(*hooks)
    assert [[task.key.name for task in wave.tasks] for wave in made.waves] == [["helm"], ["account", "job"], ["late"]]
    assert {task.hook_type for task in made.tasks} == {"PreDelete"}
    assert deletion.needed(map(desired, hooks)) == {HookType.PRE_DELETE, HookType.POST_DELETE}
    assert deletion.needed([desired(hooks[4])]) == frozenset()


def test_a_hook_without_a_name_has_the_same_one_for_all_of_a_deletion() -> None:
    nameless = hook("PreDelete", "", generateName="clean-")
    first, second = (planned(nameless).tasks[0] for _ in range(2))
    assert first.key.name == "clean-8a40315-predelete-1795247605"
    assert first == second


def test_a_wave_of_a_hook_that_is_no_number_is_an_error() -> None:
    with pytest.raises(WaveError, match="expected a whole number"):
        planned(hook("PreDelete", "odd", wave="first"))


def test_a_hook_that_failed_says_why_and_is_taken_away() -> None:
    made = planned(hook("PreDelete", "one"), hook("PreDelete", "two"))
    mark = run_mark(made.tasks[0])
    seen = {made.tasks[0].key: Observed(BROKEN, uid="u", run=mark, held=True), made.tasks[1].key: Observed(HEALTHY, uid="v", run=mark)}
    assert hook_step(made, seen.get) == Failed(
        f"{made.tasks[0].key}: Job has reached the specified backoff limit",
        (Cleanup(made.tasks[0].key, "v1", "u", delete=True, release=True),),
    )


def test_a_hook_that_somebody_deletes_while_it_runs_has_failed() -> None:
    made = planned(hook("PreDelete", "one"))
    task = made.tasks[0]
    now = hook_step(made, {task.key: Observed(RUNNING, deleting=True, uid="u", run=run_mark(task), held=True)}.get)
    assert now == Failed(f"{made.tasks[0].key}: somebody deleted it while it ran", (Cleanup(task.key, "v1", "u", release=True),))


@pytest.mark.parametrize(
    ("policy", "left", "expected"),
    [
        ("", Observed(HEALTHY, uid="u", run="another/0/PreDelete"), Tidy),
        ("HookFailed", Observed(HEALTHY, uid="u", run="another/0/PreDelete"), RunWave),
        ("HookFailed", Observed(HEALTHY, uid="u", run=f"{ATTEMPT.run}/PostDelete"), Tidy),
        ("", Observed(HEALTHY, uid="u", run="another/0/PreDelete", deleting=True), Wait),
        ("HookFailed", Observed(HEALTHY, uid="u", run="another/0/PreDelete", deleting=True, held=True), Tidy),
    ],
    ids=["makes place", "is applied over", "ran for another type", "is going", "is held by us"],
)
def test_what_an_earlier_deletion_left_makes_place(policy: str, left: Observed, expected: type) -> None:
    made = planned(hook("PreDelete", "one", policies=policy))
    assert isinstance(hook_step(made, {made.tasks[0].key: left}.get), expected)


@pytest.mark.parametrize(
    ("policies", "health", "goes"),
    [
        ("", HEALTHY, True),
        ("", BROKEN, True),
        ("HookSucceeded", HEALTHY, True),
        ("HookSucceeded", BROKEN, False),
        ("HookSucceeded", RUNNING, False),
        ("HookFailed", HEALTHY, False),
        ("HookFailed", BROKEN, True),
        ("BeforeHookCreation", HEALTHY, False),
    ],
)
def test_in_the_end_hooks_go_by_their_policies(policies: str, health: Health, goes: bool) -> None:
    thing = live(hook("PreDelete", "one", policies=policies), finalizers=[HOOK_FINALIZER])
    foreign = live(hook("PreDelete", "two"), app="other")
    hooks = deletion.hooks_among([thing, foreign], HookType.PRE_DELETE, app_id=APP)
    cleanups = deletion.clean_up(hooks, {key_of(thing): Observed(health)}.get)
    assert cleanups == (Cleanup(key_of(thing), "v1", uid="uid-Job-one", delete=goes, release=True),)


class Fate(NamedTuple):
    """How a hook ends: it fails some times before it is well."""

    failures: int
    policy: str
    left: bool


@settings(max_examples=100)
@given(
    fates=st.dictionaries(
        st.sampled_from("abcdef"),
        st.tuples(
            st.builds(Fate, st.integers(0, 2), st.sampled_from(["", "HookSucceeded", "HookFailed,BeforeHookCreation"]), st.booleans()),
            st.integers(-1, 2),
        ),
        max_size=6,
    ),
    data=st.data(),
)
def test_whatever_hooks_do_each_is_well_once_in_the_order_of_waves(fates: dict[str, tuple[Fate, int]], data: st.DataObject) -> None:
    """Nothing is remembered between two steps, so every step is one after a kill; a wave that runs may be cut short by one."""
    made = planned(*(hook("PreDelete", name, policies=fate.policy, wave=wave) for name, (fate, wave) in fates.items()))
    tasks = {task.key: task for task in made.tasks}
    failures = {key: fates[key.name][0].failures for key in tasks}
    world: dict[Key, Observed] = {key: Observed(HEALTHY, uid="old", run="old/0/PreDelete") for key in tasks if fates[key.name][0].left}
    runs = dict.fromkeys(tasks, 0)
    for number in range(200):
        now = hook_step(made, world.get)
        match now:
            case RunWave(wave=wave):
                for task in data.draw(st.lists(st.sampled_from(wave.tasks), min_size=1, unique_by=lambda task: task.key)):
                    earlier = [other for other in tasks.values() if other.wave < task.wave]
                    assert all((seen := world.get(one.key)) and seen.run == run_mark(one) and seen.health == HEALTHY for one in earlier)
                    assert task.key not in world or world[task.key].run != run_mark(task), "it runs twice"
                    runs[task.key] += 1
                    world[task.key] = Observed(RUNNING, uid=str(number), run=run_mark(task), held=True)
            case Tidy(cleanups=cleanups) | Failed(cleanups=cleanups):
                for one in cleanups:
                    assert world[one.key].uid == one.uid
                    assert one.delete
                    assert not (world[one.key].run == run_mark(tasks[one.key]) and world[one.key].health == HEALTHY)
                    del world[one.key]
            case Wait(keys=keys):
                key = data.draw(st.sampled_from(keys))
                failures[key] -= 1
                seen = world[key]
                world[key] = Observed(BROKEN if failures[key] >= 0 else HEALTHY, uid=seen.uid, run=seen.run, held=True)
            case Finished(cleanups=cleanups):
                assert {one.key for one in cleanups} == set(tasks)
                assert all(one.release and not one.delete for one in cleanups)
                break
    else:
        raise AssertionError("it does not come to an end")
    assert runs == {key: fates[key.name][0].failures + 1 for key in tasks}
