"""Field sets: how they are read, their laws, and what they cut out of an object."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.compare import fields
from homeostat.compare.fields import MISSING, FieldSet

OBJECT: dict[str, Any] = {
    "metadata": {"labels": {"a": "1", "b/c": "2"}, "finalizers": ["x", "y"]},
    "spec": {
        "containers": [
            {"name": "first", "image": "i:1"},
            {"name": "web", "image": "i:2", "args": ["-v"], "ports": [{"containerPort": 80, "protocol": "TCP", "name": "http"}]},
        ],
        "numbers": [1, 2, 3],
        "empty": {},
        "null": None,
    },
}

WEB = 'k:{"name":"web"}'
PORT = 'k:{"containerPort":80,"protocol":"TCP"}'


@pytest.mark.parametrize(
    ("owned", "expected"),
    [
        (
            {"f:spec": {"f:containers": {WEB: {".": {}, "f:name": {}, "f:image": {}}}}},
            {"spec": {"containers": [{"name": "web", "image": "i:2"}]}},
        ),
        ({"f:spec": {"f:containers": {WEB: {"f:args": {}}}}}, {"spec": {"containers": [{"name": "web", "args": ["-v"]}]}}),
        (
            {"f:spec": {"f:containers": {WEB: {"f:ports": {PORT: {"f:containerPort": {}}}}}}},
            {"spec": {"containers": [{"name": "web", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}},
        ),
        ({"f:metadata": {"f:finalizers": {'v:"y"': {}}}}, {"metadata": {"finalizers": ["y"]}}),
        ({"f:spec": {"f:numbers": {"i:1": {}}}}, {"spec": {"numbers": [2]}}),
        ({"f:spec": {"f:empty": {}, "f:null": {}}}, {"spec": {"empty": {}, "null": None}}),
        ({"f:metadata": {"f:labels": {".": {}}}}, {"metadata": {"labels": {}}}),
        (
            {"f:spec": {"f:containers": {'k:{"name":"web"}': {}, 'k:{"name":"first"}': {}}}},
            {"spec": {"containers": OBJECT["spec"]["containers"]}},
        ),
        ({"f:gone": {"f:x": {}}, "f:spec": {"f:containers": {'k:{"name":"other"}': {"f:x": {}}}}}, MISSING),
        ({"f:spec": {"f:numbers": {"k:nonsense": {}, "x": {}, "i:99": {}, 'i:"a"': {}}}}, MISSING),
    ],
)
def test_projection(owned: FieldSet, expected: Any) -> None:
    assert fields.project(OBJECT, owned) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("f:spec", "f:containers", WEB, "f:image"), ".spec.containers[name=web].image"),
        (("f:spec", "f:ports", PORT), ".spec.ports[containerPort=80,protocol=TCP]"),
        (("f:metadata", "f:labels", "f:b/c"), '.metadata.labels["b/c"]'),
        (("f:metadata", "f:finalizers", 'v:"x/y"'), ".metadata.finalizers[=x/y]"),
        (("f:spec", "i:3"), ".spec[3]"),
        ((), "."),
        (("k:{", "v:}"), "[{][=}]"),
    ],
)
def test_readable_paths(path: tuple[str, ...], expected: str) -> None:
    assert fields.readable(path) == expected


def test_a_set_that_holds_an_element_says_nothing_of_what_is_below_it() -> None:
    deep: FieldSet = {"f:spec": {"f:replicas": {}}}
    assert fields.difference(deep, {"f:spec": {}}) == deep
    assert fields.difference({"f:spec": {}}, deep) == {"f:spec": {}}
    assert fields.union({"f:spec": {}}, deep) == {"f:spec": {".": {}, "f:replicas": {}}}
    assert fields.difference({"f:spec": {".": {}, "f:replicas": {}}}, {"f:spec": {}}) == deep


def test_restriction_knows_items_that_leave_out_a_default() -> None:
    owned: FieldSet = {"f:ports": {PORT: {".": {}, "f:containerPort": {}, "f:protocol": {}}, 'k:{"containerPort":81,"protocol":"TCP"}': {}}}
    assert fields.restrict(owned, {"ports": [{"containerPort": 80}]}) == {"f:ports": {PORT: {".": {}, "f:containerPort": {}}}}


ELEMENTS = st.sampled_from(["f:a", "f:b", "f:c", 'k:{"name":"x"}', 'k:{"name":"y"}', "v:1", "i:0"])
SETS = st.recursive(
    st.just({}),
    lambda below: st.dictionaries(ELEMENTS, below, min_size=1, max_size=3).flatmap(lambda node: st.sampled_from([node, {".": {}, **node}])),
    max_leaves=8,
).map(lambda node: {element: below for element, below in node.items() if element != "."})

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2),
    lambda below: (
        st.dictionaries(st.sampled_from(["a", "b", "c"]), below, max_size=3)
        | st.lists(below | st.fixed_dictionaries({"name": st.sampled_from(["x", "y"]), "a": below}), max_size=3)
    ),
    max_leaves=12,
)


def paths(owned: FieldSet) -> set[tuple[str, ...]]:
    return set(fields.members(owned))


@given(SETS, SETS)
def test_union_and_difference_are_those_of_sets_of_paths(one: FieldSet, other: FieldSet) -> None:
    assert paths(fields.union(one, other)) == paths(one) | paths(other)
    assert paths(fields.difference(one, other)) == paths(one) - paths(other)


@given(SETS)
def test_a_set_less_itself_is_empty(one: FieldSet) -> None:
    assert fields.difference(one, one) == {}
    assert all(fields.contains(one, path) for path in fields.members(one))


@given(SETS, SETS)
def test_a_union_changes_neither(one: FieldSet, other: FieldSet) -> None:
    before = repr((one, other))
    fields.union(one, other)
    fields.difference(one, other)
    assert repr((one, other)) == before


@given(VALUES, SETS)
def test_a_projection_holds_every_owned_path_that_the_value_has(value: Any, owned: FieldSet) -> None:
    cut = fields.project(value, owned)
    for path in fields.members(owned):
        if any(element[0] == "i" for element in path):
            continue
        whole, part = value, cut
        for element in path:
            whole, part = fields.child(whole, element), fields.child(part, element)
        if not fields.lookup(owned, path):
            assert part == whole
        elif whole is not MISSING:
            assert part is not MISSING


@given(VALUES, SETS)
def test_projecting_twice_changes_nothing(value: Any, owned: FieldSet) -> None:
    if any(element[0] == "i" for path in fields.members(owned) for element in path):
        return
    cut = fields.project(value, owned)
    assert cut is MISSING or fields.project(cut, owned) == cut
