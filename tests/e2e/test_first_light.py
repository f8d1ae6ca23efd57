"""The main job, end to end: from Git to the cluster, healed, updated, pruned, deleted."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import ClientSession

from homeostat.model.objects import Object
from tests.e2e.apps import Apps, conditions_of
from tests.e2e.controller import Controller
from tests.e2e.repository import Repository
from tests.e2e.texts import config

EXAMPLES = Path(__file__).parents[2] / "examples" / "demo"

SOURCES = [
    pytest.param("guestbook", {}, "Directory", id="plain"),
    pytest.param("shop/overlays/production", {}, "Kustomize", id="kustomize"),
    pytest.param("blog", {"helm": {"valueFiles": ["values-production.yaml"]}}, "Helm", id="helm"),
    pytest.param(
        "metrics", {"directory": {"jsonnet": {"tlas": [{"name": "replicas", "value": "2", "code": True}]}}}, "Directory", id="jsonnet"
    ),
]


@pytest.mark.parametrize(("path", "source", "kind"), SOURCES)
async def test_an_app_goes_from_git_to_the_cluster_and_becomes_healthy(
    apps: Apps, controller: Controller, repository: Repository, path: str, source: Object, kind: str
) -> None:
    repository.copy(EXAMPLES)
    revision = await repository.push()
    name = await apps.create("app", repository.url, path, source=source)
    await apps.synced(name, revision)
    app = await apps.until(name, lambda app: app["status"]["health"]["status"] == "Healthy")
    status = app["status"]
    assert status["sourceType"] == kind
    assert status["operationState"]["phase"] == "Succeeded"
    assert [entry["revision"] for entry in status["history"]] == [revision]
    assert {resource["status"] for resource in status["resources"]} == {"Synced"}
    assert "operation" not in app
    assert "Traceback" not in controller.log.read_text()


@pytest.mark.usefixtures("controller")
async def test_what_is_changed_by_hand_is_healed_and_what_is_deleted_comes_back(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    name = await apps.create("heal", repository.url, "a")
    await apps.synced(name)
    namespace = apps.namespace("heal")

    apps.plane.kubectl("-n", namespace, "patch", "configmap", "one", "--type=merge", '-p={"data":{"colour":"red"}}')
    await apps.until_live("", "ConfigMap", namespace, "one", lambda one: one is not None and one["data"]["colour"] == "blue")
    app = await apps.until(name, lambda app: app["status"]["operationState"]["operation"]["sync"].get("autoHealAttemptsCount") == 1)
    assert app["status"]["operationState"]["operation"]["sync"]["resources"] == [{"kind": "ConfigMap", "name": "one"}]
    assert len(app["status"]["history"]) == 1, "a self-heal is no entry of the history"

    apps.plane.kubectl("-n", namespace, "delete", "configmap", "one")
    await apps.until_live("", "ConfigMap", namespace, "one", lambda one: one is not None)


@pytest.mark.usefixtures("controller")
async def test_a_commit_changes_adds_and_prunes(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue", size="s"))
    repository.write("a/two.yaml", config("two", x="1"))
    await repository.push()
    name = await apps.create("commit", repository.url, "a")
    await apps.synced(name)
    namespace = apps.namespace("commit")

    repository.write("a/one.yaml", config("one", colour="green"))
    repository.write("a/three.yaml", config("three", y="1"))
    repository.remove("a/two.yaml")
    revision = await repository.push()
    await apps.refresh(name)
    app = await apps.synced(name, revision)
    assert app["status"]["sync"]["revision"] == revision
    one = await apps.live("", "ConfigMap", namespace, "one")
    assert one is not None
    assert one["data"] == {"colour": "green"}, "a field that Git dropped is dropped from the cluster"
    assert await apps.live("", "ConfigMap", namespace, "two") is None
    assert await apps.live("", "ConfigMap", namespace, "three") is not None
    assert "argocd.argoproj.io/refresh" not in (app["metadata"].get("annotations") or {})
    results = {(r["name"], r["status"], r["message"]) for r in app["status"]["operationState"]["syncResult"]["resources"]}
    assert results == {
        ("one", "Synced", "configmap/one configured"),
        ("three", "Synced", "configmap/three created"),
        ("two", "Pruned", "pruned"),
    }


@pytest.mark.usefixtures("controller")
async def test_nothing_is_touched_until_somebody_asks_when_the_app_is_synced_by_hand(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    revision = await repository.push()
    name = await apps.create("manual", repository.url, "a", syncPolicy={"syncOptions": ["CreateNamespace=true"]})
    namespace = apps.namespace("manual")
    app = await apps.until(name, lambda app: (app.get("status") or {}).get("sync", {}).get("status") == "OutOfSync")
    assert app["status"]["health"]["status"] == "Missing"
    assert await apps.live("", "ConfigMap", namespace, "one") is None

    await apps.patch(name, {"operation": {"sync": {}, "initiatedBy": {"username": "somebody"}}})
    app = await apps.synced(name, revision)
    assert app["status"]["history"][0]["initiatedBy"] == {"username": "somebody"}
    assert await apps.live("", "ConfigMap", namespace, "one") is not None


@pytest.mark.usefixtures("controller")
async def test_waves_wait_for_the_health_of_the_wave_before(apps: Apps, repository: Repository) -> None:
    repository.copy(Path(__file__).parents[1] / "argo" / "recorded" / "samples" / "waves")
    await repository.push()
    name = await apps.create("waves", repository.url, ".")
    app = await apps.synced(name)
    results = app["status"]["operationState"]["syncResult"]["resources"]
    assert [(r["kind"], r["name"], r["hookPhase"]) for r in results] == [
        ("Namespace", apps.namespace("waves"), "Running"),
        ("ConfigMap", "first", "Succeeded"),
        ("Deployment", "second", "Succeeded"),
        ("ConfigMap", "third", "Running"),
    ]


@pytest.mark.usefixtures("controller")
async def test_an_app_with_the_finalizer_takes_its_objects_along_and_nothing_else(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    name = await apps.create("deleted", repository.url, "a")
    await apps.synced(name)
    namespace = apps.namespace("deleted")
    apps.plane.kubectl("-n", namespace, "create", "configmap", "somebody-elses", "--from-literal=a=b")
    apps.plane.kubectl("-n", apps.control, "delete", "application", name, "--wait=false")
    await apps.until_live("argoproj.io", "Application", apps.control, name, lambda app: app is None)
    assert await apps.live("", "ConfigMap", namespace, "one") is None
    assert await apps.live("", "ConfigMap", namespace, "somebody-elses") is not None


@pytest.mark.usefixtures("controller")
async def test_an_app_without_the_finalizer_leaves_its_objects(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    name = await apps.create("left", repository.url, "a", finalizers=[])
    await apps.synced(name)
    apps.plane.kubectl("-n", apps.control, "delete", "application", name, "--wait=false")
    await apps.until_live("argoproj.io", "Application", apps.control, name, lambda app: app is None)
    assert await apps.live("", "ConfigMap", apps.namespace("left"), "one") is not None


@pytest.mark.usefixtures("controller")
async def test_what_cannot_be_rendered_is_said_and_prunes_nothing(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    name = await apps.create("broken", repository.url, "a")
    await apps.synced(name)
    repository.write("a/two.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x\n")
    await repository.push()
    await apps.refresh(name)
    app = await apps.until(name, lambda app: app["status"]["sync"]["status"] == "Unknown")
    assert "a/two.yaml" in conditions_of(app)["ComparisonError"]
    assert await apps.live("", "ConfigMap", apps.namespace("broken"), "one") is not None

    repository.remove("a/two.yaml")
    revision = await repository.push()
    await apps.refresh(name)
    app = await apps.synced(name, revision)
    assert conditions_of(app) == {}


@pytest.mark.usefixtures("controller")
async def test_a_kind_that_comes_with_its_definition_is_applied_in_the_same_sync(apps: Apps, repository: Repository, mark: str) -> None:
    group = f"g{mark}.example.com"
    repository.write(
        "a/all.yaml",
        f"""apiVersion: {group}/v1
kind: Widget
metadata: {{name: one}}
spec: {{size: 3}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: widgets.{group}}}
spec:
  group: {group}
  names: {{kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
""",
    )
    await repository.push()
    name = await apps.create("widgets", repository.url, "a")
    try:
        await apps.synced(name)
        assert await apps.live(group, "Widget", apps.namespace("widgets"), "one") is not None
    finally:
        apps.plane.kubectl("delete", "crd", f"widgets.{group}", "--ignore-not-found", "--wait=false")


async def test_the_process_tells_that_it_lives_that_it_is_ready_and_how_its_apps_are(
    apps: Apps, controller: Controller, repository: Repository
) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    name = await apps.create("metrics", repository.url, "a")
    await apps.synced(name)
    async with ClientSession(f"http://{controller.address}") as session:
        for path in ("/healthz", "/readyz"):
            async with session.get(path) as answer:
                assert (answer.status, await answer.text()) == (200, "ok\n")
        async with session.get("/metrics") as answer:
            text = await answer.text()
    (row,) = [line for line in text.splitlines() if line.startswith("argocd_app_info{") and f'name="{name}"' in line]
    assert 'sync_status="Synced"' in row
    assert 'health_status="Healthy"' in row
    assert f'argocd_app_sync_total{{name="{name}",namespace="{apps.control}",phase="Succeeded"}} 1.0' in text
