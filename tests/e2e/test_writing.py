"""Sync options that change how objects are written, in an app: synced, healed, dropped, made anew, and quiet after a restart."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.model.objects import Object
from tests.e2e.apps import Apps, conditions_of
from tests.e2e.controller import Controller
from tests.e2e.repository import Repository
from tests.e2e.texts import config


def policy(*options: str) -> dict[str, Any]:
    return {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["CreateNamespace=true", *options]}


def deployment(*, replicas: bool = True, **env: str) -> str:
    items = ", ".join(f'{{name: {name}, value: "{value}"}}' for name, value in env.items())
    return f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  {"replicas: 2" if replicas else ""}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: "registry.example/web:1.0", env: [{items}]}}]}}
"""


def job(command: str) -> str:
    return f"""apiVersion: batch/v1
kind: Job
metadata:
  name: do
  annotations: {{argocd.argoproj.io/sync-options: "Force=true,Replace=true"}}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{{name: do, image: "registry.example/do:1", command: ["{command}"]}}]
"""


def env_of(live: Object | None) -> dict[str, str]:
    assert live is not None
    (container,) = live["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item["value"] for item in container.get("env", [])}


@pytest.mark.parametrize("option", ["ServerSideApply=false", "Replace=true"])
async def test_an_app_whose_objects_are_not_applied_server_side_is_kept_all_the_same(
    apps: Apps, controller: Controller, repository: Repository, option: str
) -> None:
    repository.write("a/web.yaml", deployment(one="1", two="1"))
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    name = await apps.create("writing", repository.url, "a", syncPolicy=policy(option))
    await apps.synced(name)
    namespace = apps.namespace("writing")
    apps.plane.kubectl("-n", namespace, "label", "deployment/web", "theirs=1")
    apps.plane.kubectl("-n", namespace, "set", "env", "deployment/web", "one=2")
    await apps.until_live("apps", "Deployment", namespace, "web", lambda web: env_of(web).get("one") == "1")
    await apps.synced(name)

    repository.write("a/web.yaml", deployment(replicas=False, two="1"))
    await apps.synced(name, await _pushed(apps, repository, name))
    web = await apps.live("apps", "Deployment", namespace, "web")
    assert web is not None
    assert env_of(web) == {"two": "1"}
    assert web["spec"]["replicas"] == 1
    assert ("theirs" in web["metadata"].get("labels", {})) is (option != "Replace=true")

    await controller.stop()
    await controller.start()
    # What is healed now shows that everything was looked at again; nothing else was written for it.
    apps.plane.kubectl("-n", namespace, "patch", "configmap", "one", "--type=merge", '-p={"data":{"colour":"red"}}')
    await apps.until_live("", "ConfigMap", namespace, "one", lambda one: one is not None and one["data"]["colour"] == "blue")
    app = await apps.synced(name)
    assert {r["name"]: r["status"] for r in app["status"]["resources"]} == {"one": "Synced", "web": "Synced"}
    after = await apps.live("apps", "Deployment", namespace, "web")
    assert after is not None
    assert after["metadata"]["generation"] == web["metadata"]["generation"]


async def _pushed(apps: Apps, repository: Repository, name: str) -> str:
    commit = await repository.push()
    await apps.refresh(name)
    return commit


async def test_a_job_that_is_replaced_by_force_runs_again_with_every_sync_and_for_nothing_else(
    apps: Apps, controller: Controller, repository: Repository
) -> None:
    repository.write("a/do.yaml", job("one"))
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    name = await apps.create("force", repository.url, "a", syncPolicy=policy())
    await apps.synced(name)
    namespace = apps.namespace("force")
    first = await apps.live("batch", "Job", namespace, "do")
    await controller.stop()
    await controller.start()
    apps.plane.kubectl("-n", namespace, "patch", "configmap", "one", "--type=merge", '-p={"data":{"colour":"red"}}')
    await apps.until_live("", "ConfigMap", namespace, "one", lambda one: one is not None and one["data"]["colour"] == "blue")
    await apps.synced(name)
    still = await apps.live("batch", "Job", namespace, "do")
    repository.write("a/do.yaml", job("two"))
    app = await apps.synced(name, await _pushed(apps, repository, name))
    second = await apps.live("batch", "Job", namespace, "do")
    assert first is not None
    assert still is not None
    assert second is not None
    assert still["metadata"]["uid"] == first["metadata"]["uid"]
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert second["spec"]["template"]["spec"]["containers"][0]["command"] == ["two"]
    assert {r["name"]: r["status"] for r in app["status"]["resources"]} == {"do": "Synced", "one": "Synced"}


@pytest.mark.usefixtures("controller")
async def test_the_namespace_of_an_app_has_the_metadata_that_the_app_says(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    managed = {"labels": {"team": "a", "old": "1"}, "annotations": {"note": "x"}}
    name = await apps.create("named", repository.url, "a", syncPolicy={**policy(), "managedNamespaceMetadata": managed})
    await apps.synced(name)
    namespace = apps.namespace("named")
    live = await apps.live("", "Namespace", "", namespace)
    assert live is not None
    assert live["metadata"]["labels"] | {"team": "a", "old": "1"} == live["metadata"]["labels"]
    assert live["metadata"]["annotations"]["note"] == "x"
    apps.plane.kubectl("label", "namespace", namespace, "theirs=1")
    await apps.patch(name, {"spec": {"syncPolicy": {"managedNamespaceMetadata": {"labels": {"old": None}}}}})
    repository.write("a/one.yaml", config("one", colour="red"))
    await apps.synced(name, await _pushed(apps, repository, name))
    live = await apps.live("", "Namespace", "", namespace)
    assert live is not None
    assert {"team", "theirs"} <= live["metadata"]["labels"].keys()
    assert "old" not in live["metadata"]["labels"]


@pytest.mark.usefixtures("controller")
async def test_options_that_mean_nothing_fail_no_sync(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    name = await apps.create("odd", repository.url, "a", syncPolicy=policy("Force=true", "Replaces=true"))
    app = await apps.synced(name)
    assert any("Replaces=true is ignored" in told for told in conditions_of(app).values())
