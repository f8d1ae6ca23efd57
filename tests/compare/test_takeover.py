"""Taking over objects as Argo CD and Flux left them (recorded from the originals)."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import orjson
import pytest

from homeostat.compare import fields
from homeostat.compare.drift import differences, echo
from homeostat.compare.predecessors import LAST_APPLIED, LAST_APPLIED_PATH, entries_of, own_entry
from homeostat.compare.takeover import takeover
from homeostat.model import yaml
from homeostat.model.objects import Object
from tests.compare.server import changes

RECORDED = Path(__file__).parent / "recorded"

SAMPLE: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "web",
        "namespace": "s-plain",
        "annotations": {"argocd.argoproj.io/tracking-id": "plain:apps/Deployment:s-plain/web"},
    },
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "registry.example/web:1.0", "ports": [{"containerPort": 8080}]}]},
        },
    },
}
"""What Argo CD applied, and kept in the annotation that the recording lacks."""


def recorded(name: str, *, last_applied: Object | None = None) -> Object:
    obj: Object = yaml.load((RECORDED / name).read_text())
    if last_applied is not None:
        obj["metadata"]["annotations"][LAST_APPLIED] = orjson.dumps(last_applied).decode()
    return obj


def patched(live: Object) -> Object:
    """``live`` after the take-over, as the API server would have it."""
    patch = takeover(live)
    assert patch is not None
    assert patch[0] == {"op": "test", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]}
    result = copy.deepcopy(live)
    result["metadata"]["managedFields"] = patch[1]["value"]
    return result


def own_fields(live: Object) -> dict[str, Any]:
    entry = own_entry(entries_of(live))
    assert entry is not None
    assert (entry["apiVersion"], entry["fieldsType"]) == ("apps/v1", "FieldsV1")
    found: dict[str, Any] = entry["fieldsV1"]
    return found


def test_what_argo_cd_declared_becomes_ours_and_its_defaults_do_not() -> None:
    live = recorded("argocd-live-deployment.yaml", last_applied=SAMPLE)
    after = patched(live)
    ours = own_fields(after)
    assert {fields.readable(path) for path in fields.members(ours)} == {
        ".metadata.annotations",
        '.metadata.annotations["argocd.argoproj.io/tracking-id"]',
        f'.metadata.annotations["{LAST_APPLIED}"]',
        ".spec.replicas",
        ".spec.selector",
        ".spec.template.metadata.labels",
        ".spec.template.metadata.labels.app",
        ".spec.template.spec.containers[name=web]",
        ".spec.template.spec.containers[name=web].image",
        ".spec.template.spec.containers[name=web].name",
        ".spec.template.spec.containers[name=web].ports",
        ".spec.template.spec.containers[name=web].ports[containerPort=8080,protocol=TCP]",
        ".spec.template.spec.containers[name=web].ports[containerPort=8080,protocol=TCP].containerPort",
    }
    assert fields.contains(ours, LAST_APPLIED_PATH), "server-side apply drops what is ours and not applied"
    assert [entry["manager"] for entry in entries_of(after)] == ["kube-controller-manager", "homeostat"]
    assert takeover(after) is None


def test_what_flux_applied_becomes_ours() -> None:
    live = recorded("flux-live-deployment.yaml")
    before = next(entry for entry in entries_of(live) if entry["manager"] == "kustomize-controller")
    assert own_fields(patched(live)) == before["fieldsV1"]


def test_what_is_ours_already_stays_ours() -> None:
    live = recorded("argocd-live-deployment.yaml", last_applied=SAMPLE)
    mine = {"manager": "homeostat", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": {"f:spec": {"f:paused": {}}}}
    live["metadata"]["managedFields"].append(mine)
    ours = own_fields(patched(live))
    assert fields.contains(ours, ("f:spec", "f:paused"))
    assert fields.contains(ours, ("f:spec", "f:replicas"))
    assert len(entries_of(patched(live))) == 2


def test_without_the_annotation_nobody_knows_what_was_declared() -> None:
    live = recorded("argocd-live-deployment.yaml")
    assert list(fields.members(own_fields(patched(live)))) == [LAST_APPLIED_PATH]
    for text in ("{", "[]", ""):
        live["metadata"]["annotations"][LAST_APPLIED] = text
        assert list(fields.members(own_fields(patched(live)))) == [LAST_APPLIED_PATH]


def test_whoever_wrote_the_annotation_is_a_predecessor_whatever_its_name() -> None:
    live = recorded("argocd-live-deployment.yaml", last_applied=SAMPLE)
    entries_of(live)[0]["manager"] = "some-other-tool"
    assert takeover(live) is not None


@pytest.mark.parametrize("manager", ["kubectl-edit", "kubectl-scale", "kubectl-patch", "vpa-updater", "homeostat"])
def test_people_and_controllers_are_no_predecessors(manager: str) -> None:
    live = recorded("flux-live-deployment.yaml")
    entries_of(live)[0].update(manager=manager, operation="Apply" if manager == "homeostat" else "Update")
    assert takeover(live) is None


@pytest.mark.parametrize("managed", [None, "x", [], [None, {}], [{"manager": "kubectl", "operation": "Apply", "fieldsV1": []}]])
def test_managed_fields_may_be_anything(managed: Any) -> None:
    live: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "resourceVersion": "1", "managedFields": managed}}
    patch = takeover(live)
    assert patch is None or patch[1]["value"] == [{}]
    assert differences(echo(live), live) == ()


def test_what_argo_cd_declared_and_desired_has_no_more_is_dropped() -> None:
    declared = copy.deepcopy(SAMPLE)
    live = recorded("argocd-live-deployment.yaml", last_applied=declared)
    container = live["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "OLD", "value": "x"}]
    declared["spec"]["template"]["spec"]["containers"][0]["env"] = container["env"]
    live["metadata"]["annotations"][LAST_APPLIED] = orjson.dumps(declared).decode()
    owned = entries_of(live)[0]["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"web"}']
    owned["f:env"] = {".": {}, 'k:{"name":"OLD"}': {".": {}, "f:name": {}, "f:value": {}}}
    answer = copy.deepcopy(live)
    mine = own_fields(patched(recorded("argocd-live-deployment.yaml", last_applied=SAMPLE)))
    mine = fields.difference(mine, fields.single(LAST_APPLIED_PATH))
    answer["metadata"]["managedFields"].append({"manager": "homeostat", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": mine})
    expected = echo(answer, desired=SAMPLE, before=live)
    found = differences(expected, live)
    assert changes(found) == {(".spec.template.spec.containers[name=web].env", "dropped")}
    assert found[0].live == [{"name": "OLD", "value": "x"}]
    assert changes(differences(expected, patched(live))) == changes(found), "the take-over itself changes nothing"
