"""Pods are simulated, and can be told what becomes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cluster import Cluster


@pytest.fixture
def box(plane: Cluster, request: pytest.FixtureRequest) -> Cluster:
    """The plane, if it is one of ours: the pods of other clusters are real."""
    if request.config.getoption("--kubeconfig") is not None:
        pytest.skip("the pods of this cluster are not simulated by a box")
    return plane


def template(life: dict[str, str], restart: str) -> dict[str, Any]:
    annotations = {f"box.homeostat/{name}": value for name, value in life.items()}
    return {
        "metadata": {"labels": {"app": "x"}, "annotations": annotations},
        "spec": {"restartPolicy": restart, "containers": [{"name": "main", "image": "registry.test/main:1"}]},
    }


def deployment(name: str, **life: str) -> str:
    spec = {"selector": {"matchLabels": {"app": "x"}}, "template": template(life, "Always")}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec})


def job(name: str, restart: str, **life: str) -> str:
    spec = {"backoffLimit": 1, "template": template({name.replace("_", "-"): value for name, value in life.items()}, restart)}
    return json.dumps({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec})


@pytest.mark.parametrize(
    ("life", "path", "value"),
    [
        pytest.param("fail", "{.status.containerStatuses[0].state.waiting.reason}", "CrashLoopBackOff", id="crash loop"),
        pytest.param("hang", "{.status.containerStatuses[0].state.waiting.reason}", "ContainerCreating", id="never ready"),
        pytest.param("image", "{.status.containerStatuses[0].state.waiting.reason}", "ImagePullBackOff", id="no image"),
    ],
)
def test_a_deployment_is_told_how_its_pods_go_wrong(box: Cluster, namespace: str, life: str, path: str, value: str) -> None:
    box.kubectl("apply", "-n", namespace, "-f", "-", stdin=deployment("web", pod=life))
    box.kubectl("wait", "--for=create", "-n", namespace, "pod", "-l", "app=x", "--timeout=60s")
    box.kubectl("wait", f"--for=jsonpath={path}={value}", "-n", namespace, "pod", "-l", "app=x", "--timeout=60s")
    assert box.kubectl("get", "deployment/web", "-n", namespace, "-o", "jsonpath={.status.readyReplicas}") == ""


@pytest.mark.parametrize("restart", ["Never", "OnFailure"])
def test_a_job_is_told_to_fail(box: Cluster, namespace: str, restart: str) -> None:
    box.kubectl("apply", "-n", namespace, "-f", "-", stdin=job("bad", restart, pod="fail"))
    box.kubectl("wait", "--for=condition=Failed", "-n", namespace, "job/bad", "--timeout=90s")


def test_a_job_ends_well_unless_it_is_told_to_run_on(box: Cluster, namespace: str) -> None:
    box.kubectl("apply", "-n", namespace, "-f", "-", stdin=job("runs", "Never", pod="run"))
    box.kubectl("apply", "-n", namespace, "-f", "-", stdin=job("ends", "Never", complete_after="1s"))
    box.kubectl("wait", "--for=condition=Complete", "-n", namespace, "job/ends", "--timeout=60s")
    assert box.kubectl("get", "job/runs", "-n", namespace, "-o", "jsonpath={.status.active}") == "1"


def test_a_pod_restarts_again_and_again(box: Cluster, namespace: str) -> None:
    box.kubectl("apply", "-n", namespace, "-f", "-", stdin=deployment("web", pod="restart", every="3s"))
    box.kubectl("wait", "--for=create", "-n", namespace, "pod", "-l", "app=x", "--timeout=60s")
    path = "{.status.containerStatuses[0].restartCount}"
    for count in ("1", "2"):
        watched = ("wait", f"--for=jsonpath={path}={count}", "-n", namespace, "pod", "-l", "app=x", "--timeout=60s")
        box.kubectl(*watched)


def test_claims_are_bound_and_load_balancers_get_an_address(box: Cluster, namespace: str) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    service = {"type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"app": "x"}}
    ingress = {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}
    for version, kind, spec in (
        ("v1", "PersistentVolumeClaim", claim),
        ("v1", "Service", service),
        ("networking.k8s.io/v1", "Ingress", ingress),
    ):
        thing = json.dumps({"apiVersion": version, "kind": kind, "metadata": {"name": "web"}, "spec": spec})
        box.kubectl("apply", "-n", namespace, "-f", "-", stdin=thing)
    box.kubectl("wait", "--for=jsonpath={.status.phase}=Bound", "-n", namespace, "pvc/web", "--timeout=60s")
    for kind in ("service", "ingress"):
        box.kubectl("wait", "--for=jsonpath={.status.loadBalancer.ingress[0].ip}", "-n", namespace, f"{kind}/web", "--timeout=60s")
