"""The health of an app from that of its objects."""

from __future__ import annotations

import pytest

from homeostat.compare.health.app import Judged, app_health
from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import Key, Object

HEALTHY = Health(HealthStatus.HEALTHY)


def judged(status: str | None, message: str = "", *, name: str = "web", kind: str = "apps/Deployment", **annotations: str) -> Judged:
    """A live object with this health; keyword arguments are annotations, with ``__`` for what a name cannot hold."""
    group, _, kind = kind.rpartition("/")
    marks = {key.replace("__", "/"): value for key, value in annotations.items()}
    obj: Object = {"kind": kind, "metadata": {"name": name, "annotations": marks}}
    return Judged(Key(group, kind, "ns", name), obj, obj, Health(HealthStatus(status), message) if status else None)


def missing(name: str = "gone") -> Judged:
    return Judged(Key("", "ConfigMap", "ns", name), {"kind": "ConfigMap", "metadata": {"name": name}}, None, None)


def annotated(one: Judged, key: str, value: str) -> Judged:
    assert one.live is not None
    one.live["metadata"]["annotations"][key] = value
    return one


def test_an_app_without_objects_is_healthy() -> None:
    assert app_health([]) == HEALTHY


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["Healthy", "Healthy"], "Healthy"),
        (["Healthy", "Suspended"], "Suspended"),
        (["Progressing", "Suspended"], "Progressing"),
        (["Degraded", "Progressing"], "Degraded"),
        (["Degraded", "Unknown"], "Unknown"),
    ],
)
def test_the_worst_object_counts(statuses: list[str], expected: str) -> None:
    assert app_health([judged(status, name=str(place)) for place, status in enumerate(statuses)]).status == expected


def test_what_no_rule_judges_does_not_count() -> None:
    assert app_health([judged(None, kind="ConfigMap")]) == HEALTHY


def test_a_missing_object_counts_only_when_all_are_missing() -> None:
    assert app_health([missing(), judged("Healthy")]) == HEALTHY
    assert app_health([missing("a"), missing("b")]).status is HealthStatus.MISSING


def test_hooks_do_not_count() -> None:
    for key, value in (("argocd.argoproj.io/hook", "PreSync"), ("argocd.argoproj.io/hook", "NoSuchType"), ("helm.sh/hook", "test")):
        assert app_health([annotated(judged("Degraded"), key, value), judged("Healthy")]) == HEALTHY
    crd = annotated(judged("Degraded"), "helm.sh/hook", "crd-install")
    assert app_health([crd]).status is HealthStatus.DEGRADED


def test_an_object_that_is_to_be_ignored_does_not_count() -> None:
    assert app_health([annotated(judged("Degraded"), "argocd.argoproj.io/ignore-healthcheck", "true")]) == HEALTHY
    assert app_health([annotated(judged("Degraded"), "argocd.argoproj.io/ignore-healthcheck", "false")]).status is HealthStatus.DEGRADED


def test_an_app_among_its_own_objects_does_not_count() -> None:
    own = judged("Degraded", name="parent", kind="argoproj.io/Application")
    assert app_health([own], own=own.key) == HEALTHY


@pytest.mark.parametrize(("status", "expected"), [("Missing", "Healthy"), ("Unknown", "Healthy"), ("Degraded", "Degraded")])
def test_a_child_app(status: str, expected: str) -> None:
    assert app_health([judged(status, kind="argoproj.io/Application")]).status == expected


def test_a_skipped_object_is_not_expected() -> None:
    skipped = missing()
    assert skipped.desired is not None
    skipped.desired["metadata"]["annotations"] = {"argocd.argoproj.io/hook": "Skip"}
    assert app_health([skipped]) == HEALTHY


def test_the_message_names_the_first_three_causes() -> None:
    objects = [judged("Degraded", f"broken {name}", name=name) for name in "abcde"]
    health = app_health([judged("Progressing", "slow", name="z"), *objects])
    assert health.message == (
        "Caused by: Deployment.apps ns/a: broken a; Deployment.apps ns/b: broken b; Deployment.apps ns/c: broken c; and 2 more"
    )
