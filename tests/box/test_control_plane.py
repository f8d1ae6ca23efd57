"""The plane is a real one: what Kubernetes promises, it does."""

from __future__ import annotations

import json

import pytest

from tests.cluster import Cluster, KubectlError

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
"""

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: valves.control.plane.test}
spec:
  group: control.plane.test
  names: {kind: Valve, plural: valves, singular: valve}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [percent]
            properties:
              percent: {type: integer, minimum: 0, maximum: 100}
            x-kubernetes-validations:
            - {rule: "self.percent != 13", message: thirteen is unlucky}
"""


def valve(percent: object) -> str:
    return json.dumps(
        {"apiVersion": "control.plane.test/v1", "kind": "Valve", "metadata": {"name": "main"}, "spec": {"percent": percent}},
    )


def config_map(value: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"color": value}})


def test_the_pods_of_a_deployment_become_running(plane: Cluster, namespace: str) -> None:
    plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=DEPLOYMENT)
    plane.kubectl("rollout", "status", "-n", namespace, "deployment/web", "--timeout=60s")
    phases = plane.kubectl("get", "pods", "-n", namespace, "-o", "jsonpath={.items[*].status.phase}")
    assert phases == "Running Running"


def test_a_custom_resource_is_checked_against_its_schema(plane: Cluster, namespace: str) -> None:
    plane.kubectl("apply", "-f", "-", stdin=CRD)
    plane.established("valves.control.plane.test")
    for percent, complaint in (("half", "must be of type integer"), (101, "less than or equal to 100"), (13, "thirteen is unlucky")):
        with pytest.raises(KubectlError) as refused:
            plane.kubectl("create", "-n", namespace, "-f", "-", stdin=valve(percent))
        assert complaint in refused.value.stderr
    plane.kubectl("create", "-n", namespace, "-f", "-", stdin=valve(50))
    plane.kubectl("delete", "crd", "valves.control.plane.test")


def test_server_side_apply_reports_who_else_owns_a_field(plane: Cluster, namespace: str) -> None:
    apply = ("apply", "--server-side", "-n", namespace, "-f", "-")
    plane.kubectl(*apply, "--field-manager=first", stdin=config_map("blue"))
    with pytest.raises(KubectlError) as refused:
        plane.kubectl(*apply, "--field-manager=second", stdin=config_map("green"))
    assert 'conflict with "first": .data.color' in refused.value.stderr
    plane.kubectl(*apply, "--field-manager=second", "--force-conflicts", stdin=config_map("green"))
    assert plane.kubectl("get", "cm/settings", "-n", namespace, "-o", "jsonpath={.data.color}") == "green"


def test_what_is_in_a_namespace_goes_with_it(plane: Cluster, namespace: str) -> None:
    plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=DEPLOYMENT)
    plane.kubectl("delete", "namespace", namespace, "--timeout=90s")
    left = plane.kubectl("get", "deployments,replicasets,pods", "-n", namespace, "--ignore-not-found", "-o", "name")
    assert left == ""


def test_a_service_account_signs_in_with_its_token_and_may_do_what_rbac_says(plane: Cluster, namespace: str) -> None:
    plane.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    token = plane.kubectl("create", "token", "reader", "-n", namespace).strip()
    # A kubeconfig of its own: the administrator's would add its own token to the request.
    view = json.loads(plane.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    view["users"][0]["user"] = {"token": token}
    kubeconfig = plane.cache / "reader.kubeconfig"
    kubeconfig.write_text(json.dumps(view))
    reader = Cluster(kubeconfig, plane.cache)
    with pytest.raises(KubectlError, match=f"system:serviceaccount:{namespace}:reader.*cannot list"):
        reader.kubectl("get", "configmaps", "-n", namespace)
    plane.kubectl("create", "rolebinding", "reader", "-n", namespace, "--clusterrole=view", f"--serviceaccount={namespace}:reader")
    assert "kube-root-ca.crt" in reader.kubectl("get", "configmaps", "-n", namespace)
