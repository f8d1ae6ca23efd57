"""What hooks look like in a plan: their places, their objects, and who takes part at all."""

from __future__ import annotations

import copy

import pytest

from homeostat.model.hooks import HOOK_FINALIZER, RUN, delete_policies
from homeostat.model.objects import Key, Object
from homeostat.model.sync import Action, Method, Operation, Phase, Plan, ResultCode, SyncSelection, TaskResult
from homeostat.model.tracking import TRACKING_ID
from homeostat.sync.errors import WaveError
from homeostat.sync.plan import PlanInput, Target, plan
from tests.sync.objects import APP, NAMESPACE, crd, desired, hook, live, obj
from tests.sync.traces import short_name

REVISION = "8a403151eed47078bc94b936e03747e1fce73266"
BEGAN = "2026-11-21T07:53:25Z"


def planned(*things: Object, retry: int = 0, operation: Operation | None = None, **given: object) -> Plan:
    return plan(
        PlanInput(
            app_id=APP,
            targets=[Target(desired(thing)) for thing in things],
            namespace=NAMESPACE,
            operation=operation or Operation(prune=True),
            revision=REVISION,
            started_at=BEGAN,
            run=f"{BEGAN}/{retry}",
            **given,  # type: ignore[arg-type]
        )
    )


def places(made: Plan) -> list[tuple[str, int, list[str]]]:
    return [(str(wave.phase), wave.number, [short_name(task.key) for task in wave.tasks]) for wave in made.waves]


def test_hooks_stand_in_their_phases_and_sync_fail_at_the_end() -> None:
    made = planned(
        hook("SyncFail", "sorry", wave=-5),
        hook("PostSync", "smoke"),
        hook("Sync", "index", wave=1),
        hook("PreSync", "late", wave=2),
        hook("PreSync", "migrate"),
        obj("ConfigMap", "a"),
        obj("ConfigMap", "b", wave=1),
    )
    assert places(made) == [
        ("PreSync", 0, ["Job/migrate"]),
        ("PreSync", 2, ["Job/late"]),
        ("Sync", 0, ["ConfigMap/a"]),
        ("Sync", 1, ["ConfigMap/b", "Job/index"]),
        ("PostSync", 0, ["Job/smoke"]),
        ("SyncFail", -5, ["Job/sorry"]),
    ]


def test_a_hook_is_a_task_with_an_object_of_its_own() -> None:
    thing = hook("PreSync", "migrate", policies="HookSucceeded", finalizers=["theirs"])
    before = copy.deepcopy(thing)
    (task,) = planned(thing).tasks
    assert (task.action, task.hook_type, task.delete_policies) == (Action.RUN_HOOK, "PreSync", ("HookSucceeded",))
    assert task.desired is not None
    metadata = task.desired["metadata"]
    assert metadata["finalizers"] == ["theirs", HOOK_FINALIZER]
    assert metadata["annotations"][RUN] == f"{BEGAN}/0/PreSync"
    assert metadata["annotations"]["argocd.argoproj.io/hook"] == "PreSync"
    assert thing == before


def test_a_finalizer_that_is_there_is_not_added_again() -> None:
    (task,) = planned(hook("PreSync", "migrate", finalizers=[HOOK_FINALIZER])).tasks
    assert task.desired is not None
    assert task.desired["metadata"]["finalizers"] == [HOOK_FINALIZER]


def test_a_hook_of_several_types_is_a_task_in_each_phase() -> None:
    made = planned(hook("PostSync, PreSync,PostSync,PreDelete", "both"))
    assert places(made) == [("PreSync", 0, ["Job/both"]), ("PostSync", 0, ["Job/both"])]
    marks = [task.desired["metadata"]["annotations"][RUN] for task in made.tasks if task.desired is not None]
    assert marks == [f"{BEGAN}/0/PreSync", f"{BEGAN}/0/PostSync"]


@pytest.mark.parametrize("types", ["Skip", "PreDelete", "PostDelete", "PreDelete,PostDelete", "presync", ""])
def test_no_part_in_a_sync_has(types: str) -> None:
    assert planned(hook(types, "x", wave="no number")).waves == ()


def test_a_type_beside_skip_counts() -> None:
    assert places(planned(hook("Skip,Sync", "x"))) == [("Sync", 0, ["Job/x"])]


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        pytest.param({}, ["BeforeHookCreation"], id="the default"),
        pytest.param({"argocd.argoproj.io/hook-delete-policy": "HookFailed"}, ["HookFailed"], id="Argo CD's"),
        pytest.param(
            {"argocd.argoproj.io/hook-delete-policy": "HookSucceeded, BeforeHookCreation"},
            ["HookSucceeded", "BeforeHookCreation"],
            id="several",
        ),
        pytest.param({"helm.sh/hook-delete-policy": "hook-succeeded,hook-failed"}, ["HookSucceeded", "HookFailed"], id="Helm's"),
        pytest.param(
            {"argocd.argoproj.io/hook-delete-policy": "HookFailed", "helm.sh/hook-delete-policy": "before-hook-creation,hook-failed"},
            ["HookFailed", "BeforeHookCreation"],
            id="both, each once",
        ),
        pytest.param({"argocd.argoproj.io/hook-delete-policy": "hooksucceeded"}, ["BeforeHookCreation"], id="unknown ones do not count"),
    ],
)
def test_delete_policies(annotations: dict[str, str], expected: list[str]) -> None:
    assert [str(policy) for policy in delete_policies(obj("Job", "x", annotations=annotations))] == expected


def test_hooks_of_helm_have_argos_phases_and_their_weight_is_the_wave() -> None:
    def of_helm(types: str, name: str, weight: str) -> Object:
        return obj("Job", name, group="batch", annotations={"helm.sh/hook": types, "helm.sh/hook-weight": weight})

    made = planned(
        of_helm("pre-install,pre-upgrade", "before", "-5"),
        of_helm("post-install,post-upgrade", "after", "3"),
        of_helm("test", "test", "0"),
        of_helm("pre-rollback", "back", "0"),
        of_helm("crd-install", "plain", "1"),
    )
    assert places(made) == [("PreSync", -5, ["Job/before"]), ("Sync", 1, ["Job/plain"]), ("PostSync", 3, ["Job/after"])]
    assert [task.hook_type for task in made.tasks] == ["PreSync", "", "PostSync"]


def test_a_generated_name_is_argos() -> None:
    (task,) = planned(hook("PostSync", generateName="smoke-")).tasks
    assert task.key == Key("batch", "Job", NAMESPACE, "smoke-8a40315-postsync-1795247605")
    assert task.desired is not None
    assert task.desired["metadata"]["name"] == task.key.name
    assert task.desired["metadata"]["annotations"][TRACKING_ID] == f"shop:batch/Job:apps/{task.key.name}"


def test_a_generated_name_is_another_one_in_each_phase_and_retry() -> None:
    thing = hook("PreSync,PostSync", generateName="Smoke-")
    names = [task.key.name for retry in (0, 1, 10) for task in planned(thing, retry=retry).tasks]
    assert names[:3] == ["Smoke-8a40315-presync-1795247605", "Smoke-8a40315-postsync-1795247605", "Smoke-8a40315-presync-1795247605-1"]
    assert len(set(names)) == len(names)


def test_two_generated_names_may_have_one_prefix_each() -> None:
    made = planned(hook("PreSync", generateName="a-"), hook("PreSync", generateName="b-"))
    assert [task.key.name[:2] for task in made.tasks] == ["a-", "b-"]


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(Operation(skip_hooks=True), id="the strategy is apply"),
        pytest.param(Operation(resources=(SyncSelection(group="*", kind="*", name="*"),)), id="a partial sync"),
    ],
)
def test_hooks_are_left_out_when(operation: Operation) -> None:
    made = planned(hook("PreSync", "migrate"), obj("ConfigMap", "a"), operation=operation)
    assert [short_name(task.key) for task in made.tasks] == ["ConfigMap/a"]


def test_where_only_what_differs_is_applied_hooks_run_all_the_same() -> None:
    targets = [Target(desired(hook("Sync", "index")), out_of_sync=False), Target(desired(obj("ConfigMap", "a")), out_of_sync=False)]
    made = plan(PlanInput(app_id=APP, targets=targets, options=("ApplyOutOfSyncOnly=true",)))
    assert [short_name(task.key) for task in made.tasks] == ["Job/index"]


def test_hooks_of_earlier_runs_are_never_pruned() -> None:
    left = [live(hook("PreSync", "old")), live(hook("PostSync", "smoke-8a40315-postsync-1795247605")), live(hook("Bogus", "odd"))]
    assert planned(managed=left).waves == ()


def test_what_a_hook_replaces_is_not_pruned_as_well() -> None:
    assert [task.action for task in planned(hook("PreSync", "migrate"), managed=[live(obj("Job", "migrate", group="batch"))]).tasks] == [
        Action.RUN_HOOK
    ]


def test_the_wave_of_a_hook_must_be_a_number_too() -> None:
    with pytest.raises(WaveError, match=r"Job.batch apps/x.*sync-wave"):
        planned(hook("PreSync", "x", wave="first"))


def test_a_namespace_and_a_definition_come_before_the_hooks_that_need_them() -> None:
    gadget = obj("Gadget", "g", group="example.org", annotations={"argocd.argoproj.io/hook": "PreSync"})
    made = planned(crd("Gadget"), obj("Namespace", "apps", namespace=None, wave=3), gadget)
    assert places(made) == [("PreSync", 0, ["CustomResourceDefinition/gadgets.example.org", "Namespace/apps", "Gadget/g"])]


def test_a_definition_that_is_a_hook_stays_in_its_phase() -> None:
    late = crd("Gadget")
    late["metadata"]["annotations"] = {"argocd.argoproj.io/hook": "PostSync"}
    made = planned(
        late, obj("Gadget", "g", group="example.org"), obj("Gadget", "h", group="example.org", annotations=hooked("PostSync", -1))
    )
    assert places(made) == [
        ("Sync", 0, ["Gadget/g"]),
        ("PostSync", -1, ["CustomResourceDefinition/gadgets.example.org", "Gadget/h"]),
    ]


def hooked(types: str, wave: int) -> dict[str, str]:
    return {"argocd.argoproj.io/hook": types, "argocd.argoproj.io/sync-wave": str(wave)}


@pytest.mark.parametrize(
    ("types", "operation", "made_for_it"),
    [
        pytest.param("PreSync", Operation(), False, id="it makes the namespace itself"),
        pytest.param("PostSync", Operation(), True, id="it comes too late"),
        pytest.param("PreSync", Operation(skip_hooks=True), True, id="it takes no part"),
    ],
)
def test_a_destination_that_is_a_hook(types: str, operation: Operation, made_for_it: bool) -> None:
    namespace = obj("Namespace", NAMESPACE, namespace=None, annotations={"argocd.argoproj.io/hook": types})
    made = planned(namespace, obj("ConfigMap", "a"), options=("CreateNamespace=true",), operation=operation)
    assert (made.tasks[0].action is Action.CREATE_NAMESPACE) is made_for_it


def test_prune_last_comes_after_the_hooks_of_the_sync_phase_and_before_post_sync() -> None:
    made = planned(
        hook("Sync", "index", wave=7),
        hook("PostSync", "smoke", wave=20),
        managed=[live(obj("ConfigMap", "old"))],
        options=("PruneLast=true",),
    )
    assert places(made) == [("Sync", 7, ["Job/index"]), ("Sync", 8, ["ConfigMap/old"]), ("PostSync", 20, ["Job/smoke"])]


def test_how_a_task_is_written_is_said_for_objects_and_hooks() -> None:
    made = planned(hook("PreSync", "migrate"), obj("ConfigMap", "a", options="Replace=true"), options=("ServerSideApply=false",))
    assert [task.writing.method for task in made.tasks] == [Method.THREE_WAY, Method.REPLACE]


def test_a_prune_that_wants_a_confirmation_has_one_or_says_so() -> None:
    old = [live(obj("ConfigMap", "old", options="Prune=confirm")), live(obj("ConfigMap", "older"))]
    assert [(task.key.name, task.needs_confirmation) for task in planned(managed=old).tasks] == [("old", True), ("older", False)]
    assert not any(task.needs_confirmation for task in planned(managed=old, approved=True).tasks)
    assert not any(task.needs_confirmation for task in planned(managed=old, operation=Operation(prune=False)).tasks)
    assert all(task.needs_confirmation for task in planned(managed=old, options=("Prune=confirm",)).tasks)


def test_what_a_guard_holds_is_skipped_with_its_reason() -> None:
    old = live(obj("ConfigMap", "old", options="Prune=confirm"))
    (task,) = planned(managed=[old], held={Key("", "ConfigMap", NAMESPACE, "old"): "held: it has data"}).tasks
    assert (task.action, task.reason, task.needs_confirmation) == (Action.SKIP_PRUNE, "held: it has data", False)


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        pytest.param(None, True, id="missing"),
        pytest.param({}, True, id="bare"),
        pytest.param({"labels": {"team": "a"}, "annotations": {"note": "other"}}, True, id="another value"),
        pytest.param({"labels": {"team": "a", "more": "b"}, "annotations": {"note": "x"}}, False, id="all there, and more"),
    ],
)
def test_the_namespace_is_made_or_given_the_metadata_that_is_declared(there: dict[str, object] | None, wanted: bool) -> None:
    namespace = None if there is None else {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, **there}}
    made = planned(
        obj("ConfigMap", "a"),
        options=("CreateNamespace=true",),
        namespace_live=namespace,
        namespace_labels={"team": "a"},
        namespace_annotations={"note": "x"},
    )
    assert (made.tasks[0].action is Action.CREATE_NAMESPACE) is wanted
    if wanted:
        assert made.tasks[0].desired == {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": NAMESPACE, "labels": {"team": "a"}, "annotations": {"note": "x"}},
        }
        assert made.tasks[0].live == namespace


def test_a_plan_made_anew_has_its_hooks_in_the_same_places() -> None:
    things = (hook("PreSync", "migrate"), obj("ConfigMap", "a"), hook("PostSync", generateName="smoke-"))
    first = planned(*things)
    done = TaskResult(first.tasks[0].key, "v1", Phase.PRE_SYNC, ResultCode.SYNCED, "", hook_type="PreSync")
    assert planned(*things, recorded=(done,)) == first
