"""What the strings of sync options mean, on an app and on an object."""

from __future__ import annotations

import pytest

from homeostat.model.app import Policy
from homeostat.model.objects import Object
from homeostat.model.sync import Method, Operation, Writing
from homeostat.sync import options as opt
from homeostat.sync.options import writing
from tests.sync.objects import crd, desired, obj

NOTHING = Operation()
FORCED = Operation(force=True)


def thing(options: str = "") -> Object:
    return obj("ConfigMap", "a", options=options)


@pytest.mark.parametrize(
    ("on_object", "on_app", "method"),
    [
        pytest.param("", (), Method.APPLY, id="server-side apply is the default"),
        pytest.param("", ("ServerSideApply=true",), Method.APPLY, id="asked for"),
        pytest.param("", ("ServerSideApply=false",), Method.THREE_WAY, id="not wanted by the app"),
        pytest.param("ServerSideApply=true", ("ServerSideApply=false",), Method.APPLY, id="the object overrules the app"),
        pytest.param("ServerSideApply=false", ("ServerSideApply=true",), Method.THREE_WAY, id="both ways"),
        pytest.param("", ("Replace=true", "ServerSideApply=true"), Method.REPLACE, id="replace wins"),
        pytest.param("Replace=false", ("Replace=true",), Method.APPLY, id="replace switched off on the object"),
        pytest.param("Replace=True", (), Method.APPLY, id="options are exact"),
        pytest.param("Validate=false", (), Method.THREE_WAY, id="unknown fields need a patch"),
        pytest.param("Validate=false", ("ServerSideApply=true",), Method.APPLY, id="unless server-side apply is asked for by name"),
        pytest.param("Prune=false , Replace=true", (), Method.REPLACE, id="blanks are cut off"),
    ],
)
def test_how_an_object_is_written(on_object: str, on_app: tuple[str, ...], method: Method) -> None:
    assert writing(thing(on_object), None, on_app, NOTHING).method is method


def test_replace_and_force_count_on_the_live_object_too() -> None:
    there = thing("Force=true,Replace=true")
    assert writing(thing(), there, (), NOTHING) == Writing(Method.REPLACE, force=True)
    assert writing(thing("Force=false,Replace=false"), there, (), NOTHING) == Writing()
    assert writing(thing(), thing("ServerSideApply=false,Validate=false"), (), NOTHING) == Writing()
    assert writing(thing(), thing("Replace=false"), ("Replace=true",), NOTHING).method is Method.REPLACE


def test_force_comes_from_the_object_or_the_strategy_and_not_from_the_apps_options() -> None:
    assert writing(thing("Force=true"), None, (), NOTHING).force
    assert writing(thing(), None, (), FORCED).force
    assert not writing(thing("Force=false"), None, (), FORCED).force
    assert not writing(thing(), None, ("Force=true",), NOTHING).force


@pytest.mark.parametrize("kind", ["Namespace", "PersistentVolumeClaim", "PersistentVolume"])
def test_what_takes_data_with_it_is_forced_only_where_it_says_so_itself(kind: str) -> None:
    assert not writing(obj(kind, "a"), None, (), FORCED).force
    assert writing(obj(kind, "a", options="Force=true"), None, (), NOTHING).force
    assert not writing(crd("Widget"), None, (), FORCED).force


def test_validation_is_switched_off_by_the_object_or_the_app() -> None:
    assert writing(thing(), None, (), NOTHING).validate
    assert not writing(thing("Validate=false"), None, (), NOTHING).validate
    assert not writing(thing(), None, ("Validate=false",), NOTHING).validate
    assert writing(thing("Validate=true"), None, ("Validate=false",), NOTHING).validate


@pytest.mark.parametrize(
    ("on_object", "on_app", "forbidden", "confirmed"),
    [
        pytest.param("", (), False, False, id="nothing said"),
        pytest.param("{}=false", (), True, False, id="forbidden"),
        pytest.param("{}=confirm", (), False, True, id="to be confirmed"),
        pytest.param("", ("{}=confirm",), False, True, id="to be confirmed, all over the app"),
        pytest.param("{}=true", ("{}=confirm",), False, False, id="the object overrules a confirmation"),
        pytest.param("{}=confirm", ("{}=false",), False, True, id="the object overrules a ban"),
    ],
)
def test_what_is_said_of_pruning_and_deletion(on_object: str, on_app: tuple[str, ...], forbidden: bool, confirmed: bool) -> None:
    pruned, all_pruned = thing(on_object.format("Prune")), tuple(option.format("Prune") for option in on_app)
    deleted, all_deleted = thing(on_object.format("Delete")), tuple(option.format("Delete") for option in on_app)
    assert (opt.prune_forbidden(pruned, all_pruned), opt.prune_needs_confirmation(pruned, all_pruned)) == (forbidden, confirmed)
    assert (opt.deletion_forbidden(deleted, all_deleted), opt.deletion_needs_confirmation(deleted, all_deleted)) == (forbidden, confirmed)
    assert not opt.prune_forbidden(deleted, all_deleted)


def test_what_helm_keeps_is_kept_whatever_the_options_say() -> None:
    kept = obj("ConfigMap", "a", annotations={"helm.sh/resource-policy": "keep"}, options="Prune=true,Delete=true")
    assert opt.prune_forbidden(kept, ())
    assert opt.deletion_forbidden(kept, ())


def test_a_kind_may_be_unknown_where_the_object_or_the_app_says_so() -> None:
    assert opt.may_be_unknown(thing("SkipDryRunOnMissingResource=true"), ())
    assert opt.may_be_unknown(thing(), ("SkipDryRunOnMissingResource=true",))
    assert not opt.may_be_unknown(thing(), ())


def test_options_that_mean_nothing_are_named_with_their_place() -> None:
    policy = Policy(options=("CreateNamespace=true", "Replace=yes", "Force=true", "PrunePropagationPolicy=orphan", "Prune=confirm"))
    a = desired(obj("ConfigMap", "a", options="Force=true,Prune=off,CreateNamespace=true,"), file="a.yaml", line=2)
    told = opt.ignored_options(policy, [a, desired(obj("ConfigMap", "b"))], Operation(options=("ServerSideAply=true", "Replace=yes")))
    assert told == (
        "spec.syncPolicy.syncOptions: Replace=yes is ignored: it means nothing here",
        "spec.syncPolicy.syncOptions: Force=true is ignored: only objects and the strategy of an operation have it",
        "ConfigMap apps/a (a.yaml:2), annotation argocd.argoproj.io/sync-options: Prune=off is ignored: it means nothing here",
        "ConfigMap apps/a (a.yaml:2), annotation argocd.argoproj.io/sync-options: CreateNamespace=true is ignored: it means nothing here",
        "operation.sync.syncOptions: ServerSideAply=true is ignored: it means nothing here",
    )


def test_an_operations_options_stand_in_for_the_apps() -> None:
    policy = Policy(options=("PruneLast=true",))
    assert opt.effective(policy, Operation()) == ("PruneLast=true",)
    assert opt.effective(policy, Operation(options=("Prune=false",))) == ("Prune=false",)


def test_pruned_objects_go_in_the_foreground_unless_told_otherwise() -> None:
    assert opt.propagation(()) == "Foreground"
    assert opt.propagation(("PrunePropagationPolicy=orphan",)) == "Orphan"
    assert opt.propagation(("PrunePropagationPolicy=sideways", "PrunePropagationPolicy=background")) == "Background"
