"""Manifests become desired objects: in their namespace, marked, each key once; what is wrong is told with file and line."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from homeostat.desired.render.normalise import Normalised, normalise
from homeostat.model.manifest import Manifest, Origin
from homeostat.model.objects import GroupKind, Key
from homeostat.model.tracking import Tracking, TrackingMethod

SCOPES = {
    GroupKind("", "ConfigMap"): True,
    GroupKind("", "Namespace"): False,
    GroupKind("apps", "Deployment"): True,
    GroupKind("rbac.authorization.k8s.io", "ClusterRole"): False,
    GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"): False,
}
ANNOTATION = "argocd.argoproj.io/tracking-id"


def _object(kind: str = "ConfigMap", api: str = "v1", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "a", **metadata}}


def _normalise(*objects: dict[str, Any], tracking: Tracking | None = None, app: str = "shop", namespace: str = "dest") -> Normalised:
    manifests = [Manifest(obj, Origin("web/all.yaml", number + 1)) for number, obj in enumerate(objects)]
    before = copy.deepcopy(manifests)
    result = normalise(manifests, scope=SCOPES.get, namespace=namespace, tracking=tracking or Tracking(), app_id=app)
    assert manifests == before, "manifests belong to the render cache"
    return result


def _one(result: Normalised) -> tuple[Key, dict[str, Any]]:
    assert not result.problems
    ((key, desired),) = result.desired.items()
    assert desired.key == key
    return key, desired.object


@pytest.mark.parametrize(
    ("obj", "key", "tracked"),
    [
        (_object(), Key("", "ConfigMap", "dest", "a"), "shop:/ConfigMap:dest/a"),
        (_object(namespace="own"), Key("", "ConfigMap", "own", "a"), "shop:/ConfigMap:own/a"),
        (_object("Deployment", "apps/v1"), Key("apps", "Deployment", "dest", "a"), "shop:apps/Deployment:dest/a"),
        (_object("Namespace"), Key("", "Namespace", "", "a"), "shop:/Namespace:dest/a"),
        (_object("Namespace", namespace="wrong"), Key("", "Namespace", "", "a"), "shop:/Namespace:dest/a"),
        (
            _object("ClusterRole", "rbac.authorization.k8s.io/v1", name="system:x"),
            Key("rbac.authorization.k8s.io", "ClusterRole", "", "system:x"),
            "shop:rbac.authorization.k8s.io/ClusterRole:dest/system:x",
        ),
    ],
)
def test_the_namespace_follows_the_scope_and_the_mark_names_the_object(obj: dict[str, Any], key: Key, tracked: str) -> None:
    found, placed = _one(_normalise(obj))
    assert found == key
    assert placed["metadata"].get("namespace", "") == key.namespace
    assert placed["metadata"]["annotations"] == {ANNOTATION: tracked}
    assert "labels" not in placed["metadata"]


def test_a_custom_resource_definition_is_not_marked() -> None:
    _, placed = _one(_normalise(_object("CustomResourceDefinition", "apiextensions.k8s.io/v1")))
    assert "annotations" not in placed["metadata"]


def test_labels_and_annotations_that_are_there_stay() -> None:
    tracking = Tracking(method=TrackingMethod.ANNOTATION_AND_LABEL, installation_id="here")
    _, placed = _one(_normalise(_object(labels={"x": "y"}, annotations={"z": "w", ANNOTATION: "stale"}), tracking=tracking))
    assert placed["metadata"]["labels"] == {"x": "y", "app.kubernetes.io/instance": "shop"}
    assert placed["metadata"]["annotations"] == {
        "z": "w",
        ANNOTATION: "shop:/ConfigMap:dest/a",
        "argocd.argoproj.io/installation-id": "here",
    }


def test_the_label_method_sets_the_label_alone() -> None:
    _, placed = _one(_normalise(_object(), tracking=Tracking(method=TrackingMethod.LABEL, label_key="own/key")))
    assert placed["metadata"]["labels"] == {"own/key": "shop"}
    assert "annotations" not in placed["metadata"]


def test_of_several_with_one_key_the_last_counts_and_all_are_named() -> None:
    first, last = _object(labels={"n": "1"}), _object(namespace="dest", labels={"n": "2"})
    result = _normalise(first, _object(name="b"), last)
    assert [desired.object["metadata"]["labels"]["n"] for desired in result.desired.values() if desired.key.name == "a"] == ["2"]
    assert [key.name for key in result.desired] == ["b", "a"]
    ((kind, message),) = result.warnings
    assert kind == "RepeatedResourceWarning"
    assert message == (
        "Resource /ConfigMap/dest/a appeared 2 times among application resources."
        " It stands in web/all.yaml:1, web/all.yaml:3: the last one is used."
    )


def test_a_kind_that_nobody_knows_is_told_and_taken_for_namespaced() -> None:
    result = _normalise(_object("Widget", "example.com/v1"))
    key = Key("example.com", "Widget", "dest", "a")
    assert result.unknown == {key: "web/all.yaml:1: the cluster has no kind Widget in example.com/v1 (Widget.example.com dest/a)"}
    assert not result.problems
    assert key in result.desired


@pytest.mark.parametrize(("scope", "namespace"), [("Cluster", ""), ("Namespaced", "dest")])
def test_a_kind_that_the_app_brings_itself_is_known(scope: str, namespace: str) -> None:
    definition = _object("CustomResourceDefinition", "apiextensions.k8s.io/v1")
    definition["spec"] = {"group": "example.com", "names": {"kind": "Widget"}, "scope": scope}
    result = _normalise(_object("Widget", "example.com/v1"), definition)
    assert not result.unknown
    assert Key("example.com", "Widget", namespace, "a") in result.desired


def test_generated_names_do_not_meet() -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "job-"}}
    assert [key.name for key in _normalise(obj, obj).desired] == ["job-0", "job-1"]


@pytest.mark.parametrize(
    ("obj", "says"),
    [
        ({"a": 1}, "Object 'Kind' is missing"),
        ({"kind": "ConfigMap", "metadata": {"name": "a"}}, "ConfigMap: apiVersion is missing"),
        ({"apiVersion": "a/b/c", "kind": "ConfigMap", "metadata": {"name": "a"}}, "ConfigMap: apiVersion is missing or not"),
        ({"apiVersion": 1, "kind": "ConfigMap"}, "ConfigMap: apiVersion"),
        ({"apiVersion": "v1", "kind": ["x"]}, "Object 'Kind' is missing"),
        ({"apiVersion": "v1", "kind": "ConfigMap"}, "ConfigMap: metadata is missing"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": []}, "ConfigMap: metadata is missing"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}, "ConfigMap: metadata.name is missing"),
        (_object(name=12), "ConfigMap: metadata.name must be a string, found a number"),
        (_object(namespace=True), "ConfigMap: metadata.namespace must be a string, found a boolean"),
        (_object(labels=["x"]), "ConfigMap a: metadata.labels must be a mapping of strings, found a list"),
        (_object(annotations={"x": 1}), "ConfigMap a: metadata.annotations.x must be a string, found a number; put it in quotes"),
    ],
)
def test_what_is_no_object_is_told_with_its_place(obj: dict[str, Any], says: str) -> None:
    result = _normalise(_object(name="fine"), obj)
    assert list(result.desired) == [Key("", "ConfigMap", "dest", "fine")]
    (problem,) = result.problems
    assert problem.startswith(f"web/all.yaml:2: {says}")


def test_no_value_of_a_secret_is_in_a_problem() -> None:
    obj = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": {"password": "hunter2"}}, "data": {"password": "hunter2"}}
    assert "hunter2" not in str(_normalise(obj).problems)


def test_without_a_destination_namespace_none_is_set() -> None:
    _, placed = _one(_normalise(_object(namespace=""), namespace=""))
    assert "namespace" not in placed["metadata"]


def test_the_strings_of_a_secret_are_put_where_the_server_keeps_them() -> None:
    """What is owned under ``stringData`` could never be dropped again (the server records it there and stores it elsewhere)."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": {"kept": "YQ==", "both": "YQ=="},
        "stringData": {"both": "b", "new": "c"},
    }
    done = normalise([Manifest(secret)], scope=lambda _: True, namespace="n", tracking=Tracking(), app_id="a")
    (desired,) = done.desired.values()
    assert desired.object["data"] == {"kept": "YQ==", "both": "Yg==", "new": "Yw=="}
    assert "stringData" not in desired.object
    assert "stringData" in secret, "manifests are not changed"


def test_objects_of_excluded_kinds_are_left_out_with_a_warning() -> None:
    manifests = [Manifest(_object(name="a"), Origin()), Manifest(_object("Thing", "nowhere.io/v1", name="b"), Origin())]
    result = normalise(
        manifests,
        scope=lambda kind: True if kind.kind == "ConfigMap" else None,
        namespace="dest",
        tracking=Tracking(),
        app_id="shop",
        excluded=lambda kind: kind.kind == "Thing",
    )
    assert [key.name for key in result.desired] == ["a"]
    assert result.unknown == {}
    assert result.warnings == (("ExcludedResourceWarning", "Resource nowhere.io/Thing b is excluded in the settings"),)
