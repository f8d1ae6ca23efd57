"""What keeps a sync back, or from deleting: confirmations, guards, windows; and child apps that a wave waits for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from homeostat.model.objects import Object
from tests.e2e.apps import AUTOMATED, Apps, conditions_of
from tests.e2e.repository import Repository
from tests.e2e.texts import config

pytestmark = pytest.mark.usefixtures("controller")

BY_HAND = {"syncOptions": ["CreateNamespace=true"]}
APPROVED = "argocd.argoproj.io/deletion-approved"


def state_of(app: Object) -> dict[str, Any]:
    state: dict[str, Any] = (app.get("status") or {}).get("operationState") or {}
    return state


def phase_of(app: Object) -> str:
    return str(state_of(app).get("phase") or "")


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_a_prune_that_asks_for_a_confirmation_waits_for_it(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    repository.write(
        "a/two.yaml", config("two").replace("name: two", "name: two\n  annotations: {argocd.argoproj.io/sync-options: Prune=confirm}")
    )
    await repository.push()
    name = await apps.create("confirm", repository.url, "a")
    await apps.synced(name)
    repository.remove("a/two.yaml")
    revision = await repository.push()
    await apps.refresh(name)
    app = await apps.until(name, lambda app: "waiting for pruning confirmation of v1/ConfigMap/two" in state_of(app).get("message", ""))
    assert phase_of(app) == "Running"
    assert await apps.live("", "ConfigMap", apps.namespace("confirm"), "two") is not None
    await apps.patch(name, {"metadata": {"annotations": {APPROVED: now()}}})
    app = await apps.synced(name, revision)
    assert phase_of(app) == "Succeeded"
    assert await apps.live("", "ConfigMap", apps.namespace("confirm"), "two") is None


async def test_a_commit_that_loses_most_objects_is_held_until_somebody_confirms(apps: Apps, repository: Repository) -> None:
    for number in range(8):
        repository.write(f"a/{number}.yaml", config(f"number-{number}", colour="blue"))
    await repository.push()
    name = await apps.create("mass", repository.url, "a")
    await apps.synced(name)
    for number in range(1, 8):
        repository.remove(f"a/{number}.yaml")
    repository.write("a/0.yaml", config("number-0", colour="green"))
    revision = await repository.push()
    await apps.refresh(name)
    namespace = apps.namespace("mass")
    app = await apps.until(name, lambda app: "DeletionHeldWarning" in conditions_of(app) and app["status"]["sync"]["revision"] == revision)
    # Nothing else waits for it.
    await apps.until_live("", "ConfigMap", namespace, "number-0", lambda one: one is not None and one["data"]["colour"] == "green")
    app = await apps.until(name, lambda app: phase_of(app) == "Succeeded" and state_of(app)["syncResult"]["revision"] == revision)
    assert "7" in conditions_of(app)["DeletionHeldWarning"]
    assert await apps.live("", "ConfigMap", namespace, "number-7") is not None
    await apps.patch(name, {"metadata": {"annotations": {APPROVED: now()}}})
    app = await apps.synced(name, revision)
    assert "DeletionHeldWarning" not in conditions_of(app)
    await apps.until_live("", "ConfigMap", namespace, "number-7", lambda one: one is None)


async def test_a_prune_by_hand_is_not_held(apps: Apps, repository: Repository) -> None:
    for number in range(6):
        repository.write(f"a/{number}.yaml", config(f"number-{number}", colour="blue"))
    await repository.push()
    name = await apps.create("hand", repository.url, "a", syncPolicy=BY_HAND)
    await apps.patch(name, {"operation": {"sync": {}}})
    await apps.synced(name)
    for number in range(1, 6):
        repository.remove(f"a/{number}.yaml")
    revision = await repository.push()
    await apps.refresh(name)
    await apps.patch(name, {"operation": {"sync": {"prune": True}}})
    await apps.synced(name, revision)
    assert await apps.live("", "ConfigMap", apps.namespace("hand"), "number-5") is None


async def test_a_bound_volume_claim_is_not_pruned_by_itself(apps: Apps, repository: Repository) -> None:
    claim = """apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
"""
    repository.write("a/data.yaml", claim)
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    name = await apps.create("volume", repository.url, "a")
    namespace = apps.namespace("volume")
    await apps.synced(name)
    await apps.until_live(
        "", "PersistentVolumeClaim", namespace, "data", lambda one: one is not None and (one.get("status") or {}).get("phase") == "Bound"
    )
    repository.remove("a/data.yaml")
    revision = await repository.push()
    await apps.refresh(name)
    app = await apps.until(name, lambda app: "DeletionHeldWarning" in conditions_of(app) and app["status"]["sync"]["revision"] == revision)
    assert "data" in conditions_of(app)["DeletionHeldWarning"]
    claim_there = await apps.live("", "PersistentVolumeClaim", namespace, "data")
    assert claim_there is not None
    assert not claim_there["metadata"].get("deletionTimestamp")


async def test_a_sync_window_keeps_automated_syncs_back_until_it_is_gone(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    window = {"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]}
    everything: Object = {
        "sourceRepos": ["*"],
        "destinations": [{"server": "*", "namespace": "*"}],
        "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
    }
    project: Object = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "frozen", "namespace": apps.control},
        "spec": {**everything, "syncWindows": [window]},
    }
    apps.plane.kubectl("apply", "-f", "-", stdin=json.dumps(project))
    name = await apps.create("window", repository.url, "a", project="frozen")
    app = await apps.until(name, lambda app: "SyncWindowInfo" in conditions_of(app))
    assert app["status"]["sync"]["status"] == "OutOfSync"
    assert not state_of(app)
    # A human is told as well, for the window makes no exception.
    await apps.patch(name, {"operation": {"sync": {}}})
    await apps.until(name, lambda app: state_of(app).get("message", "").startswith("Sync operation blocked by sync window"))
    assert await apps.live("", "ConfigMap", apps.namespace("window"), "one") is None
    apps.plane.kubectl("-n", apps.control, "patch", "appproject", "frozen", "--type=merge", '-p={"spec":{"syncWindows":null}}')
    await apps.synced(name)


async def test_a_wave_waits_for_the_child_app_of_the_wave_before(apps: Apps, repository: Repository) -> None:
    slow = """apiVersion: apps/v1
kind: Deployment
metadata: {name: slow}
spec:
  selector: {matchLabels: {app: slow}}
  template:
    metadata:
      labels: {app: slow}
      annotations: {box.homeostat/pod: hang}
    spec: {containers: [{name: main, image: "registry.example/slow:1.0"}]}
"""
    repository.write("child/slow.yaml", slow)
    child = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": f"child-{apps.mark}", "namespace": apps.control},
        "spec": {
            "project": "default",
            "source": {"repoURL": repository.url, "path": "child", "targetRevision": "main"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": apps.namespace("child")},
            "syncPolicy": AUTOMATED,
        },
    }
    repository.write("parent/child.json", json.dumps(child))
    later = config("later", colour="blue").replace("name: later", 'name: later\n  annotations: {argocd.argoproj.io/sync-wave: "1"}')
    repository.write("parent/later.yaml", later)
    await repository.push()
    name = await apps.create("parent", repository.url, "parent")
    child_name = f"child-{apps.mark}"
    app = await apps.until(name, lambda app: f"argoproj.io/Application/{child_name}" in state_of(app).get("message", ""))
    assert phase_of(app) == "Running"
    assert await apps.live("", "ConfigMap", apps.namespace("parent"), "later") is None

    repository.write("child/slow.yaml", slow.replace("      annotations: {box.homeostat/pod: hang}\n", ""))
    await repository.push()
    await apps.refresh(child_name)
    app = await apps.synced(name)
    assert await apps.live("", "ConfigMap", apps.namespace("parent"), "later") is not None
    assert app["status"]["health"]["status"] == "Healthy"


async def test_what_an_operation_brings_itself_is_synced_and_git_differs_afterwards(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    name = await apps.create("local", repository.url, "a", syncPolicy=BY_HAND)
    brought = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"colour": "local"}}
    await apps.patch(name, {"operation": {"sync": {"manifests": [json.dumps(brought)]}}})
    app = await apps.until(name, lambda app: phase_of(app) == "Succeeded")
    one = await apps.live("", "ConfigMap", apps.namespace("local"), "one")
    assert one is not None
    assert one["data"]["colour"] == "local"
    assert not app["status"].get("history")
    app = await apps.until(name, lambda app: app["status"]["sync"]["status"] == "OutOfSync" and "operation" not in app)
    assert [r["status"] for r in app["status"]["resources"]] == ["OutOfSync"]
    await apps.patch(name, {"operation": {"sync": {"manifests": ["kind: ["]}}})
    app = await apps.until(name, lambda app: phase_of(app) in {"Error", "Failed"})
    assert "operation.sync.manifests[0]" in state_of(app)["message"]
