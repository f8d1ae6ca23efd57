"""The planner: what is applied, what is pruned, and above all what is not."""

from __future__ import annotations

import pytest

from homeostat.model.hooks import hook_types, is_hook, is_ignored
from homeostat.model.objects import Key, Object
from homeostat.model.sync import Action, Operation, OperationPhase, Phase, Plan, ResultCode, SyncSelection, TaskResult
from homeostat.sync.hooks import sort_out
from homeostat.sync.plan import NO_PRUNE, REQUIRES_PRUNING, PlanInput, Target, plan
from homeostat.sync.select import heal_selection, is_selected
from tests.sync.objects import APP, desired, live, obj
from tests.sync.traces import short_name

PRUNE = Operation(prune=True)


def tasks_of(made: Plan) -> list[tuple[str, str]]:
    return [(str(task.action), short_name(task.key)) for task in made.tasks]


def pruned(*managed: Object, targets: tuple[Target, ...] = (), operation: Operation = PRUNE, options: tuple[str, ...] = ()) -> Plan:
    return plan(PlanInput(app_id=APP, targets=targets, managed=managed, operation=operation, options=options))


def test_every_desired_object_is_applied_with_its_place_and_what_is_live() -> None:
    thing = obj("ConfigMap", "settings")
    there = live(thing)
    (task,) = plan(PlanInput(app_id=APP, targets=[Target(desired(thing, file="a.yaml", line=3), there)])).tasks
    assert (task.action, task.phase, task.wave, task.version) == (Action.APPLY, Phase.SYNC, 0, "v1")
    assert task.desired is thing
    assert task.live is there
    assert str(task.origin) == "a.yaml:3"


def test_nothing_desired_and_nothing_live_is_an_empty_plan() -> None:
    assert plan(PlanInput(app_id=APP, targets=())).waves == ()


def test_a_missing_namespace_is_made_first_and_alone() -> None:
    made = plan(
        PlanInput(
            app_id=APP,
            targets=[Target(desired(obj("ConfigMap", "a", wave=-9)))],
            namespace="apps",
            options=("CreateNamespace=true",),
        )
    )
    assert tasks_of(made) == [("create-namespace", "Namespace/apps"), ("apply", "ConfigMap/a")]
    assert made.waves[0].phase is Phase.PRE_SYNC
    assert made.tasks[0].desired == {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps"}}


@pytest.mark.parametrize(
    ("exists", "options", "extra"),
    [
        pytest.param(True, ("CreateNamespace=true",), (), id="it is there"),
        pytest.param(False, (), (), id="nobody asked"),
        pytest.param(False, ("CreateNamespace=true",), (obj("Namespace", "apps", namespace=None),), id="the app declares it itself"),
    ],
)
def test_no_namespace_is_made_when(exists: bool, options: tuple[str, ...], extra: tuple[Object, ...]) -> None:
    targets = [Target(desired(thing)) for thing in (obj("ConfigMap", "a"), *extra)]
    there = obj("Namespace", "apps", namespace=None) if exists else None
    made = plan(PlanInput(app_id=APP, targets=targets, namespace="apps", namespace_live=there, options=options))
    assert all(task.action is Action.APPLY for task in made.tasks)


def test_what_is_live_and_not_desired_is_pruned_before_the_applies_of_its_wave() -> None:
    made = pruned(live(obj("Service", "old")), targets=(Target(desired(obj("ConfigMap", "a"))),))
    assert tasks_of(made) == [("prune", "Service/old"), ("apply", "ConfigMap/a")]


def test_without_prune_it_is_said_what_would_be() -> None:
    (task,) = pruned(live(obj("Service", "old")), operation=Operation()).tasks
    assert (task.action, task.reason) == (Action.SKIP_PRUNE, REQUIRES_PRUNING)


OLD = obj("ConfigMap", "old")


@pytest.mark.parametrize(
    "thing",
    [
        pytest.param(live(OLD, app=""), id="nobody's"),
        pytest.param(live(OLD, app="other"), id="another app's"),
        pytest.param(
            live(obj("ConfigMap", "copy"), app="", annotations={"argocd.argoproj.io/tracking-id": "shop:/ConfigMap:apps/old"}),
            id="a copied mark",
        ),
        pytest.param(live(OLD, ownerReferences=[{"kind": "Deployment", "name": "web"}]), id="a child of another object"),
        pytest.param(live(obj("Job", "migrate", group="batch", annotations={"argocd.argoproj.io/hook": "PreSync"})), id="a hook"),
        pytest.param(live(obj("Job", "test", group="batch", annotations={"helm.sh/hook": "test"})), id="a test of Helm"),
        pytest.param(live(obj("ConfigMap", "wanted")), id="desired"),
        pytest.param(live(obj("Ingress", "web", group="extensions"), uid="same"), id="desired under another API group"),
    ],
)
def test_never_pruned(thing: Object) -> None:
    ingress = obj("Ingress", "web", group="networking.k8s.io")
    targets = (Target(desired(obj("ConfigMap", "wanted"))), Target(desired(ingress), live(ingress, uid="same")))
    assert all(task.action is Action.APPLY for task in pruned(thing, targets=targets).tasks)


def test_without_an_app_id_nothing_is_pruned() -> None:
    assert plan(PlanInput(app_id="", targets=(), managed=[live(OLD, app="")], operation=PRUNE)).waves == ()


@pytest.mark.parametrize(
    ("on_object", "on_app", "action"),
    [
        pytest.param("Prune=false", (), Action.SKIP_PRUNE, id="the object forbids it"),
        pytest.param("Validate=false, Prune=false", (), Action.SKIP_PRUNE, id="the object forbids it, among others"),
        pytest.param("", ("Prune=false",), Action.SKIP_PRUNE, id="the app forbids it"),
        pytest.param("Prune=true", ("Prune=false",), Action.PRUNE, id="the object goes before the app"),
        pytest.param("PruneLast=true", (), Action.PRUNE, id="another option"),
    ],
)
def test_pruning_can_be_forbidden(on_object: str, on_app: tuple[str, ...], action: Action) -> None:
    (task,) = pruned(live(obj("ConfigMap", "old", options=on_object)), options=on_app).tasks
    assert task.action is action
    assert task.reason == (NO_PRUNE if action is Action.SKIP_PRUNE else "")


def test_what_helm_keeps_is_kept() -> None:
    (task,) = pruned(live(obj("ConfigMap", "old", annotations={"helm.sh/resource-policy": "keep"}, options="Prune=true"))).tasks
    assert (task.action, task.reason) == (Action.SKIP_PRUNE, NO_PRUNE)


def test_prunes_go_in_the_opposite_order_of_waves() -> None:
    things = [live(obj("ConfigMap", f"w{wave}", wave=wave)) for wave in (-1, 0, 5)]
    assert [(task.key.name, task.wave) for task in pruned(*things).tasks] == [("w5", -1), ("w0", 0), ("w-1", 5)]


def test_prune_last_waits_for_every_wave() -> None:
    last = live(obj("ConfigMap", "last", options="PruneLast=true", wave=-5))
    targets = (Target(desired(obj("ConfigMap", "a"))), Target(desired(obj("ConfigMap", "b", wave=4))))
    made = pruned(last, live(obj("ConfigMap", "old")), targets=targets)
    assert [(wave.number, [task.key.name for task in wave.tasks]) for wave in made.waves] == [
        (-5, ["old"]),
        (0, ["a"]),
        (4, ["b"]),
        (5, ["last"]),
    ]
    for_all = pruned(live(obj("ConfigMap", "x", wave=9)), targets=targets, options=("PruneLast=true",))
    assert for_all.waves[-1].number > 4
    assert short_name(for_all.waves[-1].tasks[-1].key) == "ConfigMap/x"


def test_only_what_differs_is_applied_where_that_is_asked_for() -> None:
    targets = [
        Target(desired(obj("ConfigMap", "differs"))),
        Target(desired(obj("ConfigMap", "equal")), out_of_sync=False),
        Target(desired(obj("ConfigMap", "always", options="ApplyOutOfSyncOnly=false")), out_of_sync=False),
        Target(desired(obj("ConfigMap", "done")), out_of_sync=False),
    ]
    done = TaskResult(Key("", "ConfigMap", "apps", "done"), "v1", Phase.SYNC, ResultCode.SYNCED, "", hook_phase=OperationPhase.RUNNING)
    made = plan(PlanInput(app_id=APP, targets=targets, options=("ApplyOutOfSyncOnly=true",), recorded=(done,)))
    assert [task.key.name for task in made.tasks] == ["always", "differs", "done"]


def test_a_partial_sync_touches_what_it_names_and_prunes_only_that() -> None:
    targets = (Target(desired(obj("ConfigMap", "a"))), Target(desired(obj("ConfigMap", "b"))))
    operation = Operation(prune=True, resources=(SyncSelection(kind="ConfigMap", name="a"), SyncSelection(kind="ConfigMap", name="old")))
    made = pruned(live(OLD), live(obj("ConfigMap", "older")), targets=targets, operation=operation)
    assert tasks_of(made) == [("prune", "ConfigMap/old"), ("apply", "ConfigMap/a")]


@pytest.mark.parametrize(
    ("selection", "selected"),
    [
        pytest.param((), True, id="nothing named"),
        pytest.param((SyncSelection(group="apps", kind="Deployment", name="web"),), True, id="any namespace"),
        pytest.param((SyncSelection(group="apps", kind="Deployment", name="web", namespace="apps"),), True, id="its namespace"),
        pytest.param((SyncSelection(group="apps", kind="Deployment", name="web", namespace="other"),), False, id="another namespace"),
        pytest.param((SyncSelection(kind="Deployment", name="web"),), False, id="the core group is not any group"),
        pytest.param((SyncSelection(group="*", kind="*", name="w*"),), True, id="stars"),
        pytest.param((SyncSelection(group="*", kind="*", name="?eb"),), False, id="only stars are special"),
        pytest.param((SyncSelection(group="apps", kind="Deployment", name="web", exclude=True),), False, id="excluded"),
        pytest.param((SyncSelection(kind="Service", name="*", exclude=True),), True, id="something else excluded"),
    ],
)
def test_a_selection_matches_as_argos_does(selection: tuple[SyncSelection, ...], selected: bool) -> None:
    assert is_selected(selection, Key("apps", "Deployment", "apps", "web")) is selected


def test_a_self_heal_names_the_namespace_only_where_names_repeat() -> None:
    here, there, lone = (Key("", "ConfigMap", ns, name) for ns, name in (("a", "x"), ("b", "x"), ("a", "y")))
    named = heal_selection([lone, here], of=[here, there, lone])
    assert named == (SyncSelection(kind="ConfigMap", name="x", namespace="a"), SyncSelection(kind="ConfigMap", name="y"))
    assert [is_selected(named, key) for key in (here, there, lone)] == [True, False, True]


HOOKS = {
    "sync hook": ({"argocd.argoproj.io/hook": "PreSync,Sync"}, ["PreSync", "Sync"], True, False),
    "of Helm": ({"helm.sh/hook": "pre-install,pre-upgrade"}, ["PreSync", "PreSync"], True, False),
    "Argo CD's goes first": ({"argocd.argoproj.io/hook": "PostSync", "helm.sh/hook": "pre-install"}, ["PostSync"], True, False),
    "deletion": ({"argocd.argoproj.io/hook": "PostDelete"}, ["PostDelete"], True, False),
    "skip": ({"argocd.argoproj.io/hook": "Skip"}, ["Skip"], False, True),
    "skip and more": ({"argocd.argoproj.io/hook": "Skip, Sync"}, ["Skip", "Sync"], True, False),
    "test of Helm": ({"helm.sh/hook": "test"}, [], True, True),
    "rollback of Helm": ({"helm.sh/hook": "pre-rollback"}, [], True, True),
    "unknown": ({"argocd.argoproj.io/hook": "Presync"}, [], True, True),
    "definition of Helm 2": ({"helm.sh/hook": "crd-install"}, [], False, False),
    "plain": ({}, [], False, False),
}


@pytest.mark.parametrize("name", HOOKS)
def test_hooks_are_told_by_their_annotations(name: str) -> None:
    annotations, types, hook, ignored = HOOKS[name]
    thing = obj("Job", "j", group="batch", annotations=annotations)
    assert [str(kind) for kind in hook_types(thing)] == types
    assert (is_hook(thing), is_ignored(thing)) == (hook, ignored)
    told = sort_out([desired(thing)])
    assert [bool(told.plain), bool(told.hooks), bool(told.ignored)] == [not hook and not ignored, hook and not ignored, ignored]


def test_a_partial_sync_leaves_hooks_out() -> None:
    hook = desired(obj("Job", "migrate", group="batch", annotations={"argocd.argoproj.io/hook": "PreSync"}))
    operation = Operation(resources=(SyncSelection(group="*", kind="*", name="*"),))
    made = plan(PlanInput(app_id=APP, targets=[Target(hook), Target(desired(obj("ConfigMap", "a")))], operation=operation))
    assert tasks_of(made) == [("apply", "ConfigMap/a")]


def test_ignored_hooks_are_no_reason_to_refuse() -> None:
    test = desired(obj("Pod", "test", annotations={"helm.sh/hook": "test"}))
    assert plan(PlanInput(app_id=APP, targets=[Target(test)])).waves == ()
