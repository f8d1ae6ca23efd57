"""ignoreDifferences: which rules are meant for an object, and what they leave of a difference."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest

from homeostat.compare.drift import Difference, differences, echo
from homeostat.compare.errors import IgnoreError
from homeostat.compare.ignore import Ignorer, without
from homeostat.compare.rules import choose
from homeostat.evaluate.pool import Pool
from homeostat.model.app import Ignore
from homeostat.model.objects import GroupKind, Key, Object
from homeostat.model.settings import Settings
from tests import evaluators
from tests.compare.server import changes

KEY = Key("apps", "Deployment", "shop", "web")
WEB = 'k:{"name":"web"}'

ANSWER: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "web",
        "namespace": "shop",
        "labels": {"a/b": "1", "c~d": "2"},
        "managedFields": [
            {
                "manager": "homeostat",
                "operation": "Apply",
                "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:a/b": {}, "f:c~d": {}}},
                    "f:spec": {
                        "f:replicas": {},
                        "f:template": {"f:spec": {"f:containers": {WEB: {".": {}, "f:name": {}, "f:image": {}, "f:args": {}}}}},
                    },
                },
            }
        ],
    },
    "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "web", "image": "web:1", "args": ["-v"]}]}}},
}


def changed() -> Object:
    """The live object after somebody changed everything that is claimed, put a container before ours, and dropped nothing."""
    live = copy.deepcopy(ANSWER)
    live["metadata"]["labels"] = {"a/b": "x", "c~d": "x"}
    live["spec"]["replicas"] = 5
    live["spec"]["template"]["spec"]["containers"] = [{"name": "istio", "image": "i"}, {"name": "web", "image": "web:2", "args": ["-q"]}]
    live["metadata"]["managedFields"].append(
        {"manager": "autoscaler", "operation": "Update", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    )
    return live


ALL = {
    ('.metadata.labels["a/b"]', "changed"),
    ('.metadata.labels["c~d"]', "changed"),
    (".spec.replicas", "changed"),
    (".spec.template.spec.containers[name=web].image", "changed"),
    (".spec.template.spec.containers[name=web].args", "changed"),
}


@pytest.fixture(scope="module", autouse=True)
def built_evaluator() -> None:
    evaluators.program()


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    async with evaluators.pool(size=1, quick_seconds=1.0) as pool:
        yield pool


async def left(
    rule: Ignore, *, live: Object | None = None, pool: Pool | None = None, expected: Object | None = None
) -> tuple[Difference, ...]:
    ignorer = Ignorer(pool)
    ignored = ignorer.rules_for(KEY, (rule,))
    assert ignored is not None
    return await ignorer.differences(echo(expected or ANSWER), live or changed(), ignored)


def rule(**fields: Any) -> Ignore:
    return Ignore(group="apps", kind="Deployment", **fields)


def test_without_rules_everything_counts() -> None:
    assert changes(differences(echo(ANSWER), changed())) == ALL
    assert Ignorer(None).rules_for(KEY, ()) is None


@pytest.mark.parametrize(
    ("pointer", "gone"),
    [
        ("/spec/replicas", {(".spec.replicas", "changed")}),
        ("/metadata/labels/a~1b", {('.metadata.labels["a/b"]', "changed")}),
        ("/metadata/labels/c~0d", {('.metadata.labels["c~d"]', "changed")}),
        ("/spec/template/spec/containers/0/image", {(".spec.template.spec.containers[name=web].image", "changed")}),
        ("/spec/template/spec/containers/0/args/0", {(".spec.template.spec.containers[name=web].args", "changed")}),
        ("/spec", {difference for difference in ALL if difference[0].startswith(".spec")}),
        ("/spec/nothing/here", set()),
        ("/spec/template/spec/containers/7", set()),
        ("/spec/replicas/deeper", set()),
    ],
)
async def test_a_pointer_takes_out_what_it_names_on_both_sides(pointer: str, gone: set[tuple[str, str]]) -> None:
    assert changes(await left(rule(json_pointers=(pointer,)))) == ALL - gone


async def test_a_pointer_takes_out_dropped_fields_too() -> None:
    live = copy.deepcopy(ANSWER)
    live["spec"]["paused"] = True
    live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:paused"] = {}
    assert changes(differences(echo(ANSWER), live)) == {(".spec.paused", "dropped")}
    assert await left(rule(json_pointers=("/spec/paused",)), live=live) == ()


async def test_fields_of_a_trusted_manager_do_not_count() -> None:
    assert changes(await left(rule(managed_fields_managers=("autoscaler",)))) == ALL - {(".spec.replicas", "changed")}
    assert changes(await left(rule(managed_fields_managers=("nobody",)))) == ALL


async def test_jq_expressions(pool: Pool) -> None:
    by_name = rule(jq_path_expressions=('.spec.template.spec.containers[] | select(.name == "web") | .image # by name',))
    assert changes(await left(by_name, pool=pool)) == ALL - {(".spec.template.spec.containers[name=web].image", "changed")}
    both = rule(json_pointers=("/spec/replicas",), jq_path_expressions=(".metadata.labels", ".spec.template.spec.containers[].args"))
    assert changes(await left(both, pool=pool)) == {(".spec.template.spec.containers[name=web].image", "changed")}


async def test_a_jq_path_that_does_not_fit_the_object_is_fine(pool: Pool) -> None:
    assert changes(await left(rule(jq_path_expressions=(".webhooks[].clientConfig", ".spec.replicas.x")), pool=pool)) == ALL


async def test_a_container_that_a_rule_takes_out_whole_is_no_difference(pool: Pool) -> None:
    found = await left(rule(jq_path_expressions=('.spec.template.spec.containers[] | select(.name == "web")',)), pool=pool)
    assert not any("containers" in difference.path for difference in found)


@pytest.mark.parametrize("expression", ["..[", "last(repeat(1))"])
async def test_a_jq_expression_that_is_wrong_or_endless_is_an_error_that_says_whose(pool: Pool, expression: str) -> None:
    with pytest.raises(IgnoreError, match=r"ignoreDifferences for Deployment\.apps shop/web"):
        await left(rule(jq_path_expressions=(expression,)), pool=pool)
    assert changes(await left(rule(jq_path_expressions=(".spec",)), pool=pool)), "the next one is not harmed"


def test_a_pointer_that_is_none_is_an_error() -> None:
    with pytest.raises(IgnoreError, match="spec/replicas"):
        choose((rule(json_pointers=("spec/replicas",)),), KEY)


@pytest.mark.parametrize(
    ("ignore", "meant"),
    [
        (Ignore(group="apps", kind="Deployment"), True),
        (Ignore(group="*", kind="*"), True),
        (Ignore(group="a*s", kind="{Deployment,StatefulSet}"), True),
        (Ignore(group="", kind="Deployment"), False),
        (Ignore(group="apps", kind="deployment"), False),
        (Ignore(group="apps", kind="Deployment", name="web", namespace="shop"), True),
        (Ignore(group="apps", kind="Deployment", name="api"), False),
        (Ignore(group="apps", kind="Deployment", namespace="other"), False),
        (Ignore(group="[", kind="Deployment"), False),
    ],
)
def test_which_rules_are_meant_for_an_object(ignore: Ignore, meant: bool) -> None:
    complete = Ignore(ignore.group, ignore.kind, ignore.name, ignore.namespace, json_pointers=("/spec",))
    assert bool(choose((complete,), KEY)) is meant


def test_rules_of_the_system_come_on_top_of_those_of_the_app() -> None:
    settings = Settings(ignore=(Ignore(group="*", kind="*", json_pointers=("/spec/replicas",)),))
    ignorer = Ignorer(None, lambda: settings)
    ignored = ignorer.rules_for(KEY, (rule(json_pointers=("/metadata/labels",)),))
    assert ignored is not None
    assert ignored.pointers == (("spec", "replicas"), ("metadata", "labels"))
    assert ignorer.rules_for(KEY, ()) is not None


async def test_what_is_wrong_with_a_rule_is_told_at_once_with_its_place(pool: Pool) -> None:
    ignorer = Ignorer(pool)
    rules = (
        rule(json_pointers=("/spec/replicas",), jq_path_expressions=(".spec.replicas", '.metadata.labels["a"] # why')),
        rule(json_pointers=("/fine", "spec/replicas", "/a~b"), jq_path_expressions=(".fine", "..[")),
        Ignore(group="{apps", kind="[", json_pointers=("/spec",)),
        Ignore(group="*", kind="*", jq_path_expressions=("env.PATH | nosuch(1)",), origin="ConfigMap argocd-cm: key"),
    )
    problems = await ignorer.problems(rules)
    assert [problem.partition(": ")[0] for problem in problems] == [
        "spec.ignoreDifferences[1].jsonPointers[1]",
        "spec.ignoreDifferences[1].jsonPointers[2]",
        "spec.ignoreDifferences[1].jqPathExpressions[1]",
        "spec.ignoreDifferences[2].group",
        "spec.ignoreDifferences[2].kind",
        "ConfigMap argocd-cm",
    ]
    assert "'spec/replicas' is not a JSON pointer: it does not start with /" in problems[0]
    assert problems[2].startswith("spec.ignoreDifferences[1].jqPathExpressions[1]: '..[' is not a jq path expression: ")
    assert "$whole" not in problems[2], "the user did not write the program around it"
    assert problems[5].startswith("ConfigMap argocd-cm: key: jqPathExpressions[0]: ")
    assert "function not defined: nosuch/1" in problems[5]


async def test_expressions_that_were_checked_are_not_asked_about_again() -> None:
    async with evaluators.pool(size=1) as pool:
        ignorer = Ignorer(pool)
        asked = (rule(jq_path_expressions=(".spec", "..[")),)
        first = await ignorer.problems(asked)
    assert await ignorer.problems(asked) == first, "the pool is closed by now"
    assert len(first) == 1


async def test_an_expression_that_leaves_no_object_is_an_error(pool: Pool) -> None:
    with pytest.raises(IgnoreError, match="what is left is no object"):
        await left(rule(jq_path_expressions=(".spec) catch . | try (1",)), pool=pool)


async def test_what_is_wrong_with_a_rule_of_the_settings_names_the_setting() -> None:
    with pytest.raises(IgnoreError, match=r"^ConfigMap argocd-cm: some\.key: jsonPointers\[0\]: 'spec'"):
        choose((rule(json_pointers=("spec",), origin="ConfigMap argocd-cm: some.key"),), KEY)


@pytest.mark.parametrize(
    ("mode", "kind", "counts"),
    [
        ("all", GroupKind("example.org", "Widget"), False),
        ("crd", GroupKind("example.org", "Widget"), True),
        ("crd", GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"), False),
        ("none", GroupKind("example.org", "Widget"), True),
        ("none", GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"), True),
    ],
)
async def test_whether_status_counts_is_said_by_the_settings(mode: str, kind: GroupKind, counts: bool) -> None:
    fieldset: Object = {"f:spec": {"f:size": {}}, "f:status": {"f:phase": {}}}
    answer = {
        "apiVersion": f"{kind.group}/v1",
        "kind": kind.kind,
        "metadata": {"name": "w", "managedFields": [{"manager": "homeostat", "operation": "Apply", "fieldsV1": fieldset}]},
        "spec": {"size": 1},
        "status": {"phase": "Up"},
    }
    live = copy.deepcopy(answer) | {"status": {"phase": "Down"}}
    settings = Settings(ignore_resource_status_field=mode)
    ignorer = Ignorer(None, lambda: settings)
    ignored = ignorer.rules_for(Key(kind.group, kind.kind, "", "w"), ())
    found = differences(echo(answer), live) if ignored is None else await ignorer.differences(echo(answer), live, ignored)
    assert changes(found) == ({(".status.phase", "changed")} if counts else set())


def test_cutting_changes_nothing_in_place() -> None:
    value = {"a": [{"b": 1}, {"b": 2}], "c": 3}
    before = copy.deepcopy(value)
    assert without(value, ("a", "0", "b")) == {"a": [{}, {"b": 2}], "c": 3}
    assert without(value, ("a", "1")) == {"a": [{"b": 1}], "c": 3}
    assert without(value, ("x", "y")) is value
    assert value == before


async def test_the_object_of_our_own_apply_is_not_looked_at_again() -> None:
    answer = copy.deepcopy(ANSWER)
    answer["metadata"]["resourceVersion"] = "7"
    ignored = Ignorer(None).rules_for(KEY, (rule(jq_path_expressions=(".spec",)),))
    assert ignored is not None
    assert await Ignorer(None).differences(echo(answer, applied=True), answer, ignored) == ()
    with pytest.raises(IgnoreError, match="evaluator"):
        await Ignorer(None).differences(echo(answer), answer, ignored)
