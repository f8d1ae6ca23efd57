"""Masks: what is in a Secret shows that it differs, and not what it is."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from homeostat.compare.drift import differences, echo
from homeostat.compare.mask import diff_text, masked
from homeostat.compare.predecessors import LAST_APPLIED
from homeostat.model.objects import Object

SECRET: Object = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "s", "annotations": {LAST_APPLIED: '{"data":{"a":"planted-a"}}', "shown": "yes"}, "managedFields": [{}]},
    "data": {"a": "planted-a", "b": "planted-b", "c": "planted-a"},
    "stringData": {"d": "planted-b"},
    "status": {"x": 1},
}


def test_equal_values_have_equal_masks_on_both_sides() -> None:
    other = copy.deepcopy(SECRET)
    other["data"]["b"] = "planted-other"
    one, two = masked(SECRET, other)
    assert one is not None
    assert two is not None
    assert one["data"]["a"] == one["data"]["c"] == two["data"]["a"]
    assert one["data"]["b"] == one["stringData"]["d"] != two["data"]["b"]
    assert "planted" not in repr((one, two))
    assert one["metadata"]["annotations"]["shown"] == "yes"
    assert SECRET["data"]["a"] == "planted-a"


def test_other_kinds_are_shown() -> None:
    config: Object = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}
    assert masked(config, None) == (config, None)
    foreign: Object = {"apiVersion": "example.com/v1", "kind": "Secret", "data": {"a": "b"}}
    assert masked(foreign) == (foreign,)


def test_a_diff_in_text() -> None:
    live: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "managedFields": [{}]},
        "data": {"a": "1", "b": "2"},
        "status": {},
    }
    desired = copy.deepcopy(live)
    desired["data"]["a"] = "3"
    assert diff_text(live, live) == ""
    lines = diff_text(desired, live).splitlines()
    assert lines[:2] == ["--- live", "+++ desired"]
    assert [line for line in lines[2:] if line[0] in "+-"] == ["-  a: '1'", "+  a: '3'"]
    assert all(line.startswith("+") for line in diff_text(desired, None).splitlines() if not line.startswith(("-", "@")))
    assert diff_text(None, live).count("\n-") > 3


def test_a_diff_of_secrets_shows_no_value() -> None:
    other = copy.deepcopy(SECRET)
    other["data"]["b"] = "planted-other"
    text = diff_text(SECRET, other)
    assert "planted" not in text
    assert "++++++++" in text


PATCHES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "data": st.none() | st.dictionaries(st.sampled_from("abc"), st.sampled_from(["planted-x", "planted-y"])),
        "metadata": st.just({"annotations": {LAST_APPLIED: "planted-z"}}) | st.just({}),
        "stringData": st.just({"a": "planted-x"}),
    },
)


@given(PATCHES, PATCHES)
def test_no_difference_of_a_secret_shows_a_value(one: dict[str, Any], other: dict[str, Any]) -> None:
    owned = {
        "f:data": {"f:a": {}, "f:b": {}},
        "f:metadata": {"f:annotations": {".": {}, f"f:{LAST_APPLIED}": {}}},
        "f:stringData": {"f:c": {}},
    }
    entry = {"manager": "homeostat", "operation": "Apply", "fieldsV1": owned}
    sides = []
    for values in (one, other):
        side = {"apiVersion": "v1", "kind": "Secret", **values}
        side["metadata"] = {"name": "s", "managedFields": [entry], **(values.get("metadata") or {})}
        sides.append(side)
    found = differences(echo(sides[0]), sides[1])
    assert "planted" not in repr(found)
