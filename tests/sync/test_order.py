"""Waves, kinds and dependencies: the order in which tasks are put."""

from __future__ import annotations

import pytest

from homeostat.model.manifest import Origin
from homeostat.sync.errors import WaveError
from homeostat.sync.order import kind_rank, wave_of, wave_or_zero
from homeostat.sync.plan import PlanInput, Target, plan
from tests.sync.objects import crd, desired, obj
from tests.sync.traces import short_name


def order(*things: object) -> list[list[str]]:
    waves = plan(PlanInput(app_id="shop", targets=[Target(desired(thing)) for thing in things])).waves  # type: ignore[arg-type]
    return [[short_name(task.key) for task in wave.tasks] for wave in waves]


@pytest.mark.parametrize(
    ("annotations", "wave"),
    [
        pytest.param({}, 0, id="none"),
        pytest.param({"argocd.argoproj.io/sync-wave": "-3"}, -3, id="negative"),
        pytest.param({"argocd.argoproj.io/sync-wave": "+3"}, 3, id="with a plus"),
        pytest.param({"helm.sh/hook-weight": "7"}, 7, id="Helm's weight"),
        pytest.param({"argocd.argoproj.io/sync-wave": "1", "helm.sh/hook-weight": "7"}, 1, id="Argo CD's goes first"),
    ],
)
def test_the_wave_is_what_the_annotations_say(annotations: dict[str, str], wave: int) -> None:
    assert wave_of(obj("ConfigMap", "a", annotations=annotations)) == wave


@pytest.mark.parametrize("value", ["", "first", "1.5", " 1", "1_000", "٣", "9" * 30])
def test_a_wave_that_is_no_whole_number_names_the_object_and_its_place(value: str) -> None:
    thing = obj("ConfigMap", "settings", wave=value)
    with pytest.raises(WaveError, match=r"ConfigMap apps/settings \(web/all.yaml:12\).*sync-wave") as caught:
        wave_of(thing, Origin("web/all.yaml", 12))
    assert caught.value.hint
    assert wave_or_zero(thing) == 0


def test_kinds_go_in_argos_order_and_unknown_kinds_last() -> None:
    assert kind_rank("Namespace") < kind_rank("ConfigMap") < kind_rank("Deployment") < kind_rank("APIService") < kind_rank("Application")
    assert order(
        obj("Gadget", "g", group="example.org"),
        obj("Deployment", "b", group="apps"),
        obj("Deployment", "a", group="apps"),
        obj("Service", "s"),
        obj("ConfigMap", "c"),
    ) == [["ConfigMap/c", "Service/s", "Deployment/a", "Deployment/b", "Gadget/g"]]


def test_the_order_does_not_depend_on_the_order_of_the_input() -> None:
    things = [obj("ConfigMap", "c", namespace=ns) for ns in ("b", "a", "c")]
    assert order(*things) == order(*reversed(things))


def test_waves_go_before_kinds() -> None:
    assert order(obj("ConfigMap", "late", wave=1), obj("Deployment", "early", group="apps", wave=-1)) == [
        ["Deployment/early"],
        ["ConfigMap/late"],
    ]


def test_a_namespace_is_pulled_before_its_first_user_and_takes_over_its_wave() -> None:
    assert order(
        obj("Namespace", "team", namespace=None, wave=5),
        obj("ConfigMap", "first", wave=-2),
        obj("ConfigMap", "user", namespace="team", wave=-1),
        obj("ConfigMap", "other", namespace="team", wave=3),
    ) == [["ConfigMap/first"], ["Namespace/team", "ConfigMap/user"], ["ConfigMap/other"]]


def test_a_definition_is_pulled_before_the_first_object_of_its_kind() -> None:
    gadget = obj("Gadget", "g", group="example.org", wave=1)
    assert order(gadget, crd("Gadget", wave=2)) == [["CustomResourceDefinition/gadgets.example.org", "Gadget/g"]]


def test_what_nobody_needs_earlier_stays_where_it_is() -> None:
    assert order(crd("Gadget", wave=2), obj("Gizmo", "g", group="example.org", wave=1)) == [
        ["Gizmo/g"],
        ["CustomResourceDefinition/gadgets.example.org"],
    ]


def test_a_malformed_definition_breaks_nothing() -> None:
    broken = obj("CustomResourceDefinition", "x", namespace=None, group="apiextensions.k8s.io", spec=["?"])
    assert order(broken, obj("Gadget", "g", group="example.org")) == [["CustomResourceDefinition/x", "Gadget/g"]]


def test_a_group_is_a_run_of_one_kind() -> None:
    things = [obj("Deployment", "a", group="apps"), obj("ConfigMap", "b"), obj("ConfigMap", "c")]
    (wave,) = plan(PlanInput(app_id="shop", targets=[Target(desired(thing)) for thing in things])).waves
    assert [[short_name(task.key) for task in group] for group in wave.groups] == [["ConfigMap/b", "ConfigMap/c"], ["Deployment/a"]]
