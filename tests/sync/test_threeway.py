"""The three-way merge, without a cluster: by the rules that the API server tells, here in a document of the test's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from homeostat.compare.predecessors import LAST_APPLIED
from homeostat.live.schemas import UNKNOWN, Node, Shape
from homeostat.model.objects import Object
from homeostat.sync.threeway import patch_for, with_last_applied
from tests.sync.objects import obj

PORT = Node(properties={"number": Node(), "protocol": Node(default="TCP")})
SPEC = Node(
    properties={
        "containers": Node(
            strategy="merge",
            merge_key="name",
            items=Node(properties={"env": Node(strategy="merge", merge_key="name", items=Node()), "args": Node(items=Node())}),
        ),
        "ports": Node(strategy="merge", merge_key="number", map_keys=("number", "protocol"), items=Node(ref="#/components/schemas/Port")),
        "finalizers": Node(strategy="merge", items=Node()),
        "strategy": Node(strategy="retainKeys"),
    }
)
SHAPE = Shape(Node(properties={"spec": SPEC}), {"Port": PORT})


def thing(**spec: Any) -> Object:
    return obj("Thing", "a", group="example.org", spec=spec)


def change(before: Object | None, desired: Object, live: Object, shape: Shape = SHAPE) -> dict[str, Any]:
    """What the patch says of the spec, when ``before`` was applied last and the cluster has ``live``."""
    there = with_last_applied(before) if before is not None else live
    there = {**live, "metadata": {**there["metadata"], "resourceVersion": "7", "uid": "u"}}
    patch = patch_for(desired, there, shape)
    if patch:
        assert patch["metadata"]["resourceVersion"] == "7"
    spec = patch.get("spec", {})
    assert isinstance(spec, dict)
    return spec


@pytest.mark.parametrize(
    ("before", "desired", "live", "expected"),
    [
        pytest.param({"a": 1}, {"a": 1}, {"a": 1, "b": 2}, {}, id="what others added stays"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, {"a": 1, "b": 2}, {"b": None}, id="what was dropped goes"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, {"a": 1}, {}, id="what is gone already is left alone"),
        pytest.param({"a": 1}, {"a": 2}, {"a": 1}, {"a": 2}, id="what was changed changes"),
        pytest.param({"a": 1}, {"a": 1}, {"a": 3}, {"a": 1}, id="what somebody else changed is set right"),
        pytest.param({"a": 1}, {"a": 1}, {"a": True}, {"a": 1}, id="a number is no boolean"),
        pytest.param({}, {"a": None}, {"a": 3}, {"a": None}, id="null takes away"),
        pytest.param({}, {"a": None, "m": {"x": None}}, {"m": {}}, {}, id="null where there is nothing"),
        pytest.param({"m": {"a": 1, "b": 1}}, {"m": {"a": 1}}, {"m": {"a": 1, "b": 1, "c": 1}}, {"m": {"b": None}}, id="in mappings"),
        pytest.param({"m": {"a": 1}}, {}, {"m": {"a": 1, "c": 1}}, {"m": None}, id="a whole mapping"),
        pytest.param({}, {"m": {}}, {"m": {"a": 1}}, {}, id="an empty mapping claims nothing"),
        pytest.param({}, {"m": {"a": 1}}, {"m": "text"}, {"m": {"a": 1}}, id="a mapping in place of a text"),
        pytest.param({"l": [1]}, {"l": [1, 2]}, {"l": [1, 3]}, {"l": [1, 2]}, id="lists without rules are whole values"),
        pytest.param(
            {"finalizers": ["a", "b"]}, {"finalizers": ["a"]}, {"finalizers": ["x", "a", "b"]}, {"finalizers": ["x", "a"]}, id="sets"
        ),
        pytest.param(
            {}, {"strategy": {"type": "X"}}, {"strategy": {"type": "Y", "y": 1}}, {"strategy": {"type": "X", "y": None}}, id="one of"
        ),
    ],
)
def test_what_becomes_of_fields(before: dict[str, Any], desired: dict[str, Any], live: dict[str, Any], expected: dict[str, Any]) -> None:
    assert change(thing(**before), thing(**desired), thing(**live)) == expected


def containers(*named: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": name, **rest} for name, rest in named]


def test_items_of_a_list_are_told_apart_by_their_keys() -> None:
    before = thing(containers=containers(("web", {"image": "1", "args": ["a"]}), ("old", {"image": "1"})))
    desired = thing(containers=containers(("web", {"image": "2"}), ("new", {"image": "1"})))
    live = thing(containers=containers(("mesh", {"image": "m"}), ("web", {"image": "1", "args": ["a"], "pull": "Always"}), ("old", {})))
    assert change(before, desired, live) == {
        "containers": containers(("mesh", {"image": "m"}), ("web", {"image": "2", "pull": "Always"}), ("new", {"image": "1"}))
    }


def test_lists_in_items_of_lists_are_merged_too() -> None:
    def env(**values: str) -> list[dict[str, Any]]:
        return [{"name": name, "value": value} for name, value in values.items()]

    before = thing(containers=containers(("web", {"env": env(a="1", b="1")})))
    desired = thing(containers=containers(("web", {"env": env(a="1")})))
    live = thing(containers=containers(("web", {"env": env(a="1", b="1", c="1")})))
    assert change(before, desired, live) == {"containers": containers(("web", {"env": env(a="1", c="1")}))}


def test_a_key_field_that_is_left_out_has_its_default() -> None:
    desired = thing(ports=[{"number": 53}, {"number": 53, "protocol": "UDP"}])
    live = thing(ports=[{"number": 53, "protocol": "TCP", "node": 1}, {"number": 53, "protocol": "UDP"}])
    assert change(desired, desired, live) == {}


def test_items_that_cannot_be_told_apart_are_replaced_as_a_whole() -> None:
    twice = thing(containers=containers(("web", {"image": "1"}), ("web", {"image": "2"})))
    live = thing(containers=containers(("web", {"image": "1"}), ("other", {})))
    assert change(twice, twice, live) == {"containers": twice["spec"]["containers"]}
    nameless = thing(containers=[{"image": "1"}])
    assert change(nameless, nameless, live) == {"containers": [{"image": "1"}]}


@pytest.mark.parametrize(
    ("desired", "live", "expected"),
    [
        pytest.param("abc", "abc", "abc", id="the same"),
        pytest.param("ba", "ab", "ba", id="another order"),
        pytest.param("abc", "xaybz", "xaybzc", id="what others put in keeps its place"),
        pytest.param("ab", "bxa", "abx", id="another order, and others"),
        pytest.param("ab", "x", "xab", id="all is new"),
    ],
)
def test_the_order_of_a_list_is_the_desired_one(desired: str, live: str, expected: str) -> None:
    there = thing(finalizers=list(live))
    changed = change(thing(), thing(finalizers=list(desired)), there)
    assert "".join(changed.get("finalizers", there["spec"]["finalizers"])) == expected
    again = change(thing(finalizers=list(desired)), thing(finalizers=list(desired)), thing(finalizers=list(expected)))
    assert again == {}


def test_custom_resources_have_no_rules() -> None:
    one, two = thing(containers=containers(("a", {}))), thing(containers=containers(("b", {})))
    assert change(one, one, two, UNKNOWN) == {"containers": one["spec"]["containers"]}


def test_the_annotation_holds_what_is_desired_and_not_itself() -> None:
    desired = thing(a=1)
    desired["metadata"]["annotations"] = {LAST_APPLIED: "an old export", "keep": "x"}
    written = with_last_applied(desired)
    config = json.loads(written["metadata"]["annotations"][LAST_APPLIED])
    assert config == {**desired, "metadata": {**desired["metadata"], "annotations": {"keep": "x"}}}
    assert desired["metadata"]["annotations"][LAST_APPLIED] == "an old export"


def test_what_the_server_fills_in_is_never_touched() -> None:
    desired = thing(a=1)
    desired["metadata"] |= {"creationTimestamp": None, "resourceVersion": "3"}
    desired["status"] = {}
    live = with_last_applied({**desired, "metadata": {**desired["metadata"], "uid": "x"}})
    live["metadata"] |= {"creationTimestamp": "2026-01-01T00:00:00Z", "uid": "u", "resourceVersion": "7"}
    live["status"] = {"ready": True}
    patch = patch_for(desired, live, SHAPE)
    assert patch.keys() == {"metadata"}
    assert patch["metadata"].keys() == {"annotations", "resourceVersion"}


def test_what_we_applied_server_side_before_counts_as_applied_last() -> None:
    desired, live = thing(a=1), thing(a=1, b=2, c=3)
    entry = {"manager": "homeostat", "operation": "Apply", "fieldsV1": {"f:spec": {"f:a": {}, "f:b": {}}}}
    live["metadata"] |= {"uid": "u", "resourceVersion": "7", "managedFields": [entry]}
    assert patch_for(desired, live, SHAPE)["spec"] == {"b": None}
