"""Installing puts everything on a cluster, may be done again, and leaves alone what an operator has set."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator

import pytest
import yaml
from click.testing import CliRunner

from homeostat.argo import install
from homeostat.cli.install import install as command
from homeostat.live.client import Client
from tests.cluster import Cluster


@pytest.fixture
def control_namespace(plane: Cluster) -> Iterator[str]:
    """The name of a namespace that is not there yet."""
    name = f"control-{uuid.uuid4().hex[:8]}"
    yield name
    plane.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


async def run(plane: Cluster, namespace: str) -> dict[str, install.Outcome]:
    told: list[install.Installed] = []
    client = await Client.connect(str(plane.kubeconfig))
    async with client:
        await install.install(client, namespace=namespace, told=told.append)
    return {f"{one.key.kind}/{one.key.name}": one.outcome for one in told}


async def test_everything_is_there_after_an_install(plane: Cluster, control_namespace: str) -> None:
    outcomes = await run(plane, control_namespace)
    assert outcomes["Namespace/" + control_namespace] is install.Outcome.CREATED
    assert outcomes["AppProject/default"] is install.Outcome.CREATED
    assert len(outcomes) == len(await asyncio.to_thread(install.manifests))
    plane.kubectl("get", "applications,applicationsets,appprojects", "-n", control_namespace)
    hosts = json.loads(plane.kubectl("get", "configmap", "argocd-ssh-known-hosts-cm", "-n", control_namespace, "-o", "json"))
    assert "github.com ssh-ed25519" in hosts["data"]["ssh_known_hosts"]


async def test_a_second_install_changes_nothing(plane: Cluster, control_namespace: str) -> None:
    await run(plane, control_namespace)
    assert set((await run(plane, control_namespace)).values()) == {install.Outcome.UNCHANGED}


async def test_what_an_operator_has_set_survives(plane: Cluster, control_namespace: str) -> None:
    await run(plane, control_namespace)
    where = ("-n", control_namespace)
    plane.kubectl("patch", "configmap", "argocd-cm", *where, "--type=merge", "-p", '{"data": {"timeout.reconciliation": "1h"}}')
    plane.kubectl("patch", "appproject", "default", *where, "--type=merge", "-p", '{"spec": {"sourceRepos": ["https://git.example/*"]}}')
    plane.kubectl("delete", "configmap", "argocd-rbac-cm", *where)
    outcomes = await run(plane, control_namespace)
    assert outcomes["ConfigMap/argocd-rbac-cm"] is install.Outcome.CREATED
    assert outcomes["ConfigMap/argocd-cm"] is install.Outcome.UNCHANGED
    settings = json.loads(plane.kubectl("get", "configmap", "argocd-cm", *where, "-o", "json"))
    assert settings["data"] == {"timeout.reconciliation": "1h"}
    project = json.loads(plane.kubectl("get", "appproject", "default", *where, "-o", "json"))
    assert project["spec"]["sourceRepos"] == ["https://git.example/*"]


def test_the_command_says_what_it_did(plane: Cluster, control_namespace: str) -> None:
    done = CliRunner().invoke(command, ["--kubeconfig", str(plane.kubeconfig), "--namespace", control_namespace], catch_exceptions=False)
    assert done.exit_code == 0
    assert "appproject.argoproj.io/default created" in done.stdout
    assert f"namespace/{control_namespace} created" in done.stdout


def test_the_export_is_what_kubectl_can_apply(plane: Cluster) -> None:
    done = CliRunner().invoke(command, ["--export", "--namespace", "elsewhere"], catch_exceptions=False)
    exported = list(yaml.safe_load_all(done.stdout))
    assert exported == install.manifests("elsewhere")
    definitions = yaml.safe_dump_all([obj for obj in exported if obj["kind"] == "CustomResourceDefinition"])
    plane.kubectl("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", stdin=definitions)


def test_the_deployment_is_taken_by_the_api_server(plane: Cluster) -> None:
    objects = list(yaml.safe_load_all((install.folder() / "install.yaml").read_text(encoding="utf-8")))
    assert [obj["kind"] for obj in objects] == ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Deployment"]
    for obj in objects:
        if obj["metadata"].get("namespace"):
            obj["metadata"]["namespace"] = "default"
    plane.kubectl("apply", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump_all(objects))
