"""Marks are written and read as Argo CD does, so that either can take over from the other."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.model.errors import InvalidError
from homeostat.model.objects import Key
from homeostat.model.tracking import Tracking, TrackingId, TrackingMethod, shorten

ID = "argocd.argoproj.io/tracking-id"
INSTALLATION = "argocd.argoproj.io/installation-id"


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("plain:apps/Deployment:s-plain/web", ("plain", "apps", "Deployment", "s-plain", "web")),
        ("plain:/ConfigMap:ns/name", ("plain", "", "ConfigMap", "ns", "name")),
        ("a:rbac.authorization.k8s.io/ClusterRole:ns/system:node", ("a", "rbac.authorization.k8s.io", "ClusterRole", "ns", "system:node")),
        ("ns_app:/Service:/x", ("ns_app", "", "Service", "", "x")),
    ],
)
def test_a_tracking_id_is_read_and_written(value: str, parts: tuple[str, ...]) -> None:
    parsed = TrackingId.parse(value)
    assert parsed == parts
    assert str(parsed) == value


@pytest.mark.parametrize(
    "value", ["", "plain", "plain:apps/Deployment", "plain:Deployment:ns/x", "plain:a/b/c:ns/x", "plain:a/b:x", "plain:a/b:x/y/z"]
)
def test_what_is_no_tracking_id_is_none(value: str) -> None:
    assert TrackingId.parse(value) is None


def _live(**metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "ns", **metadata}}


@pytest.mark.parametrize(
    ("tracking", "metadata", "app"),
    [
        (Tracking(), {"annotations": {ID: "shop:apps/Deployment:ns/web"}}, "shop"),
        (Tracking(), {"labels": {"app.kubernetes.io/instance": "shop"}}, ""),
        (Tracking(), {"annotations": None}, ""),
        (Tracking(), {"annotations": {ID: "nonsense"}}, ""),
        (Tracking(), {"annotations": {ID: "shop:apps/Deployment:ns/web", INSTALLATION: "other"}}, ""),
        (Tracking(installation_id="me"), {"annotations": {ID: "shop:apps/Deployment:ns/web"}}, ""),
        (Tracking(installation_id="me"), {"annotations": {ID: "shop:apps/Deployment:ns/web", INSTALLATION: "me"}}, "shop"),
        (Tracking(method=TrackingMethod.LABEL), {"labels": {"app.kubernetes.io/instance": "shop"}}, "shop"),
        (Tracking(method=TrackingMethod.LABEL, label_key="k"), {"labels": {"k": "shop"}}, "shop"),
        (Tracking(method=TrackingMethod.LABEL), {"annotations": {ID: "shop:apps/Deployment:ns/web"}}, ""),
        (Tracking(method=TrackingMethod.ANNOTATION_AND_LABEL), {"annotations": {ID: "shop:apps/Deployment:ns/web"}}, "shop"),
    ],
)
def test_the_app_of_an_object_is_found_by_the_method_in_force(tracking: Tracking, metadata: dict[str, Any], app: str) -> None:
    assert tracking.app_of(_live(**metadata)) == app


@pytest.mark.parametrize(
    ("key", "own"),
    [
        (Key("apps", "Deployment", "ns", "web"), True),
        (Key("apps", "Deployment", "", "web"), True),
        (Key("apps", "Deployment", "other", "web"), False),
        (Key("apps", "Deployment", "ns", "copy"), False),
        (Key("apps", "ReplicaSet", "ns", "web"), False),
        (Key("extensions", "Deployment", "ns", "web"), False),
    ],
)
def test_a_copied_mark_is_told_from_an_own_one(key: Key, own: bool) -> None:
    annotations = {ID: "shop:apps/Deployment:ns/web"}
    assert Tracking().is_own(key, annotations) is own
    assert Tracking(method=TrackingMethod.LABEL).is_own(key, annotations)
    assert Tracking().is_own(key, {})


def test_a_mark_without_installation_takes_a_stale_one_away() -> None:
    obj = _live(annotations={INSTALLATION: "stale"})
    Tracking().mark(obj, app_id="shop", namespace="dest")
    assert obj["metadata"]["annotations"] == {ID: "shop:apps/Deployment:ns/web"}


def test_a_long_name_is_shortened_for_the_label_and_whole_in_the_annotation() -> None:
    obj = _live()
    name = "a" * 61 + "--" + "b" * 10
    Tracking(method=TrackingMethod.ANNOTATION_AND_LABEL).mark(obj, app_id=name, namespace="dest")
    assert obj["metadata"]["labels"]["app.kubernetes.io/instance"] == "a" * 61
    assert obj["metadata"]["annotations"][ID].startswith(f"{name}:")
    assert shorten("short") == "short"


def test_labels_that_are_no_mapping_are_refused() -> None:
    with pytest.raises(InvalidError, match=r"metadata\.annotations"):
        Tracking().mark(_live(annotations=["x"]), app_id="shop", namespace="dest")
