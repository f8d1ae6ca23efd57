"""Whatever an object looks like, checks say something or nothing: they never fail themselves."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeostat.lint import applications, checks, translate
from homeostat.lint.errors import LintError, SchemaError
from homeostat.lint.findings import chosen, path_text
from homeostat.lint.schemas import Catalogue
from homeostat.lint.validate import faults
from homeostat.model.objects import GroupKind

_NAMES = st.sampled_from(
    [
        "apiVersion",
        "kind",
        "metadata",
        "spec",
        "name",
        "labels",
        "annotations",
        "template",
        "containers",
        "image",
        "generators",
        "matrix",
        "x",
        "argocd.argoproj.io/hook",
        "argocd.argoproj.io/sync-wave",
        "argocd.argoproj.io/sync-options",
        "source",
        "destination",
        "versions",
        "names",
    ]
)
_WORDS = st.sampled_from(
    ["v1", "apps/v1", "Pod", "Deployment", "Secret", "ApplicationSet", "Application", "argoproj.io/v1alpha1", "", "a=b", "{{x}}"]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=5),
    max_leaves=20,
)
_HEADS = st.sampled_from(
    [
        ("v1", "Pod"),
        ("apps/v1", "Deployment"),
        ("v1", "Secret"),
        ("argoproj.io/v1alpha1", "ApplicationSet"),
        ("argoproj.io/v1alpha1", "Application"),
        ("x/v1", "Y"),
    ]
)


@cache
def _catalogue() -> Catalogue:
    return Catalogue()


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(_NAMES, _VALUES, max_size=6), _HEADS, st.booleans())
def test_no_object_is_too_odd(obj: dict[str, Any], head: tuple[str, str], named: bool) -> None:
    catalogue = _catalogue()
    obj["apiVersion"], obj["kind"] = head
    if named:
        obj["metadata"] = {"name": "x", "annotations": obj.get("metadata")}
    found = list(checks.remarks(catalogue, obj))
    if applications.is_kind(obj, "ApplicationSet"):
        found += applications.set_remarks(catalogue, obj)
    if applications.is_kind(obj, "Application") and isinstance(obj.get("metadata"), dict):
        assert applications.app_of(obj).key.kind == "Application"
    for one in found:
        assert one.message
        path_text(one.steps)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(["spec", "group", "names", "scope", "versions", "kind", "metadata"]), _VALUES, max_size=6))
def test_a_definition_that_is_none_is_refused(obj: dict[str, Any]) -> None:
    with pytest.raises(SchemaError):
        _catalogue().define({**obj, "spec": obj.get("spec")})


def test_a_path_is_written_as_people_write_it() -> None:
    assert path_text(("spec", "containers", 0, "image")) == "spec.containers[0].image"
    assert path_text(("metadata", "annotations", "a.b/c")) == "metadata.annotations['a.b/c']"


def test_rules_are_chosen_by_name() -> None:
    assert chosen(("wave", "hook"), ("hook",)) == {"wave"}
    with pytest.raises(LintError, match="there is no rule `waves`"):
        chosen(("waves",), ())


def test_kinds_are_known_by_group_and_version() -> None:
    catalogue = Catalogue("v1.36.2")
    assert catalogue.version == "1.36"
    assert catalogue.is_namespaced(GroupKind("apps", "Deployment")) is True
    assert catalogue.is_namespaced(GroupKind("", "Namespace")) is False
    assert catalogue.is_namespaced(GroupKind("", "Thing")) is None
    assert catalogue.find("argoproj.io/v1alpha1", "AppProject") is not None
    assert {"apps/v1", "apps/v1/Deployment"} <= set(catalogue.api_versions)
    assert catalogue.check() == []


def test_nothing_is_fetched_for_a_schema() -> None:
    catalogue = Catalogue()
    translated = translate.custom({"type": "object", "properties": {"spec": {"$ref": "https://example.com/x"}}})
    assert "https://example.com" not in repr(translated)
    kind = catalogue.find("v1", "Pod")
    assert kind is not None
    assert (
        faults(catalogue, kind, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [{"name": "a"}]}})
        == []
    )
