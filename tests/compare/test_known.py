"""Known types of fields: what differs in spelling alone is no difference."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from homeostat.compare.drift import echo
from homeostat.compare.ignore import Ignorer
from homeostat.compare.known import is_known, same, typed_fields
from homeostat.model.objects import GroupKind, Object, key_of
from homeostat.model.settings import KnownType, Settings
from tests.compare.server import changes

WIDGET = GroupKind("example.org", "Widget")


def alike(type_: str, one: Any, other: Any, *, field: str = "spec.x", path: tuple[str, ...] = ("f:spec", "f:x")) -> bool:
    return same(typed_fields((KnownType("example.org", "Widget", field, type_),), WIDGET), path, one, other)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("1000m", "1", True),
        ("1", 1, True),
        ("0.5", 0.5, True),
        (".5", "500m", True),
        ("1Gi", "1024Mi", True),
        ("1Gi", "1G", False),
        ("1e3", "1k", True),
        ("1E", "1e18", True),
        ("1E3", "1000", True),
        ("+1.50", "1500m", True),
        ("-1", "1", False),
        ("1", "2", False),
        ("1Ki", "1024", True),
        ("one", "one ", False),
        ("1e999999999", "1e999999998", False),
        ("9" * 100, "9" * 101, False),
        (None, "0", False),
        (True, 1, False),
    ],
)
def test_quantities(one: Any, other: Any, equal: bool) -> None:
    assert alike("core/Quantity", one, other) is equal


def test_durations() -> None:
    assert alike("meta/v1/Duration", "90s", "1m30s")
    assert not alike("meta/v1/Duration", "90s", "91s")
    assert not alike("meta/v1/Duration", "soon", "later")


CONTAINERS = ("f:spec", "f:x", "f:containers", 'k:{"name":"a"}')


@pytest.mark.parametrize(
    ("type_", "path", "equal"),
    [
        ("core/v1/PodSpec", (*CONTAINERS, "f:resources", "f:limits", "f:cpu"), True),
        ("core/v1/PodSpec", (*CONTAINERS, "f:image"), False),
        ("core/v1/PodTemplateSpec", (*CONTAINERS, "f:resources", "f:limits", "f:cpu"), False),
        ("core/v1/ResourceRequirements", ("f:spec", "f:x", "f:limits", "f:example.org/gpu"), True),
        ("core/v1/ResourceRequirements", ("f:spec", "f:x", "f:claims"), False),
        ("core/v1/ResourceList", ("f:spec", "f:x", "f:memory"), True),
        ("core/v1/Toleration", ("f:spec", "f:x", "f:key"), False),
        ("core/Quantity", ("f:spec", "f:y"), False),
        ("core/Quantity", ("f:spec", "f:x", "f:deeper"), False),
    ],
)
def test_where_a_type_has_quantities(type_: str, path: tuple[str, ...], equal: bool) -> None:
    assert alike(type_, "1000m", "1", path=path) is equal


def test_a_whole_value_that_holds_typed_fields_is_compared_in_one_spelling() -> None:
    one = {"x": {"containers": [{"name": "a", "resources": {"limits": {"cpu": "1000m"}}}], "nodeName": "n"}}
    other = {"x": {"containers": [{"name": "a", "resources": {"limits": {"cpu": 1}}}], "nodeName": "n"}}
    assert alike("core/v1/PodSpec", one, other, path=("f:spec",))
    other["x"]["nodeName"] = "m"
    assert not alike("core/v1/PodSpec", one, other, path=("f:spec",))
    assert alike("core/v1/Container", [one["x"]["containers"][0]], [one["x"]["containers"][0]])


def test_lists_on_the_way_are_walked_through() -> None:
    path = ("f:spec", "f:nodeSets", 'k:{"name":"a"}', "f:size")
    assert alike("core/Quantity", "1Gi", "1024Mi", field="spec.nodeSets.size", path=path)
    assert alike("core/Quantity", [{"size": "1Gi"}], [{"size": "1024Mi"}], field="spec.nodeSets.size", path=("f:spec", "f:nodeSets"))


def test_rollouts_are_known_unless_the_settings_say_otherwise() -> None:
    rollout = GroupKind("argoproj.io", "Rollout")
    assert [field for field, _ in typed_fields((), rollout)] == [("spec", "template", "spec")]
    told = (KnownType("argoproj.io", "Rollout", "spec.size", "core/Quantity"),)
    assert [field for field, _ in typed_fields(told, rollout)] == [("spec", "size")]
    assert typed_fields((), GroupKind("argoproj.io", "Workflow")) == ()


def test_which_types_can_be_named() -> None:
    assert is_known("core/v1/PodSpec")
    assert is_known("core/v1/Toleration")
    assert is_known("core/Quantity")
    assert not is_known("core/v1/podSpec")
    assert not is_known("apps/v1/Deployment")


async def test_only_a_real_difference_of_a_custom_resource_is_drift() -> None:
    claimed: Object = {"f:spec": {"f:memory": {}, "f:cpu": {}}}
    answer: Object = {
        "apiVersion": "example.org/v1",
        "kind": "Widget",
        "metadata": {"name": "w", "managedFields": [{"manager": "homeostat", "operation": "Apply", "fieldsV1": claimed}]},
        "spec": {"memory": "1Gi", "cpu": "1000m"},
    }
    live = copy.deepcopy(answer) | {"spec": {"memory": "1024Mi", "cpu": "2"}}
    settings = Settings(known_types=(KnownType("example.org", "Widget", "spec", "core/v1/ResourceList"),))
    ignorer = Ignorer(None, lambda: settings)
    ignored = ignorer.rules_for(key_of(live), ())
    assert ignored is not None
    assert changes(await ignorer.differences(echo(answer), live, ignored)) == {(".spec.cpu", "changed")}
