"""Prunes that look like an accident wait for a human, and nothing else waits for them; sync windows; the wave of a human."""

from __future__ import annotations

import asyncio
import json

import pytest

from homeostat.model.objects import Object
from tests.e2e.apps import Apps, conditions_of
from tests.e2e.controller import Controller, homeostat
from tests.e2e.repository import Repository
from tests.e2e.texts import config

HELD = "DeletionHeldWarning"

CLAIM = """apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  storageClassName: by-hand
  volumeName: pv-7
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
"""


def is_held(app: Object) -> bool:
    return HELD in conditions_of(app)


async def names(apps: Apps, namespace: str) -> set[str]:
    """The ConfigMaps of the tests in ``namespace``."""
    listed = json.loads(apps.plane.kubectl("get", "configmaps", "-n", namespace, "-o", "json"))
    return {item["metadata"]["name"] for item in listed["items"]} - {"kube-root-ca.crt"}


async def command(apps: Apps, *arguments: str) -> None:
    """``homeostat app …``; in a thread, for the Git server of the test lives in this event loop."""
    await asyncio.to_thread(homeostat, "app", *arguments, "-n", apps.control, "--kubeconfig", str(apps.plane.kubeconfig))


async def app_of_six(apps: Apps, repository: Repository) -> str:
    """A synced app of six ConfigMaps, whose render then loses five of them and changes the sixth."""
    for number in range(6):
        repository.write(f"a/c{number}.yaml", config(f"c{number}", colour="blue"))
    await repository.push()
    name = await apps.create("guarded", repository.url, "a")
    await apps.synced(name)
    for number in range(1, 6):
        repository.remove(f"a/c{number}.yaml")
    repository.write("a/c0.yaml", config("c0", colour="red"))
    await repository.push()
    await apps.refresh(name)
    return name


@pytest.mark.usefixtures("controller")
async def test_a_mass_deletion_is_held_while_the_rest_is_synced_until_somebody_confirms_it(apps: Apps, repository: Repository) -> None:
    name = await app_of_six(apps, repository)
    namespace = apps.namespace("guarded")
    await apps.until_live("", "ConfigMap", namespace, "c0", lambda one: one is not None and one["data"]["colour"] == "red")
    app = await apps.until(name, is_held)
    told = conditions_of(app)[HELD]
    assert "5 of the app's 6 objects would be deleted" in told
    assert f"homeostat app confirm-deletion {name}" in told
    # It stays held when drift is healed.
    apps.plane.kubectl("-n", namespace, "patch", "configmap", "c0", "--type=merge", '-p={"data":{"colour":"green"}}')
    await apps.until_live("", "ConfigMap", namespace, "c0", lambda one: one is not None and one["data"]["colour"] == "red")
    assert await names(apps, namespace) == {f"c{number}" for number in range(6)}

    await command(apps, "confirm-deletion", name)
    app = await apps.until(name, lambda app: app["status"]["sync"]["status"] == "Synced" and not is_held(app))
    assert await names(apps, namespace) == {"c0"}


@pytest.mark.usefixtures("controller")
async def test_what_is_asked_for_by_hand_with_prune_is_not_held(apps: Apps, repository: Repository) -> None:
    name = await app_of_six(apps, repository)
    await apps.until(name, is_held)
    await command(apps, "sync", name, "--prune")
    await apps.until(name, lambda app: app["status"]["sync"]["status"] == "Synced" and not is_held(app))
    assert await names(apps, apps.namespace("guarded")) == {"c0"}


@pytest.mark.usefixtures("controller")
async def test_guards_that_are_switched_off_for_an_app_hold_nothing_of_it(apps: Apps, repository: Repository) -> None:
    name = await app_of_six(apps, repository)
    await apps.until(name, is_held)
    await apps.patch(name, {"metadata": {"annotations": {"homeostat/deletion-guards": "namespace,crd,volume"}}})
    await apps.until(name, lambda app: app["status"]["sync"]["status"] == "Synced" and not is_held(app))
    assert await names(apps, apps.namespace("guarded")) == {"c0"}


async def test_a_hold_outlives_the_process_that_began_it(apps: Apps, repository: Repository, controller: Controller) -> None:
    name = await app_of_six(apps, repository)
    namespace = apps.namespace("guarded")
    told = conditions_of(await apps.until(name, is_held))[HELD]
    await controller.kill()
    # While nobody looks the app grows, so that five are no longer most of it; and an old confirmation is no confirmation.
    for number in range(6, 16):
        repository.write(f"a/c{number}.yaml", config(f"c{number}"))
    await repository.push()
    await apps.patch(name, {"metadata": {"annotations": {"argocd.argoproj.io/deletion-approved": "2020-01-01T00:00:00Z"}}})
    await controller.start()
    await apps.until_live("", "ConfigMap", namespace, "c15", lambda one: one is not None)
    app = await apps.until(name, lambda app: is_held(app) and conditions_of(app)[HELD] != told)
    assert "5 of the app's 16 objects" in conditions_of(app)[HELD]
    assert len(await names(apps, namespace)) == 16


@pytest.mark.usefixtures("controller")
async def test_a_bound_claim_and_its_namespace_are_held(apps: Apps, repository: Repository) -> None:
    namespace = apps.namespace("bound")
    repository.write("a/namespace.yaml", f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n")
    repository.write("a/data.yaml", CLAIM)
    repository.write("a/one.yaml", config("one"))
    repository.write("a/two.yaml", config("two"))
    await repository.push()
    name = await apps.create("bound", repository.url, "a", syncPolicy={"automated": {"prune": True}})
    await apps.synced(name)
    # Not every cluster has something that binds claims.
    bound = '-p={"status":{"phase":"Bound"}}'
    apps.plane.kubectl("-n", namespace, "patch", "pvc", "data", "--subresource=status", "--type=merge", bound)
    for file in ("namespace", "data", "two"):
        repository.remove(f"a/{file}.yaml")
    await repository.push()
    await apps.refresh(name)
    told = conditions_of(await apps.until(name, is_held))[HELD]
    assert f"PersistentVolumeClaim {namespace}/data: held by the deletion guard volume: it is bound to pv-7" in told
    assert f"Namespace {namespace}: held by the deletion guard volume: PersistentVolumeClaim {namespace}/data is in it" in told
    await apps.until_live("", "ConfigMap", namespace, "two", lambda two: two is None)
    claim = await apps.live("", "PersistentVolumeClaim", namespace, "data")
    assert claim is not None
    assert "deletionTimestamp" not in claim["metadata"]


@pytest.mark.usefixtures("controller")
async def test_a_path_that_has_vanished_prunes_nothing_and_is_told(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one"))
    repository.write("b/two.yaml", config("two"))
    await repository.push()
    name = await apps.create(
        "gone", repository.url, "a", syncPolicy={"automated": {"prune": True, "allowEmpty": True}, "syncOptions": ["CreateNamespace=true"]}
    )
    await apps.synced(name)
    repository.remove("a/one.yaml")
    await repository.push()
    await apps.refresh(name)
    told = conditions_of(await apps.until(name, lambda app: "ComparisonError" in conditions_of(app)))["ComparisonError"]
    assert "a" in told
    assert "no such" in told or "does not exist" in told or "not found" in told
    assert await names(apps, apps.namespace("gone")) == {"one"}


def project(*windows: Object) -> Object:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "windowed"},
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [{"server": "*", "namespace": "*"}],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
            "syncWindows": list(windows),
        },
    }


ALWAYS: Object = {"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]}


@pytest.mark.usefixtures("controller")
async def test_a_sync_window_keeps_automated_syncs_away_until_it_is_taken_away(apps: Apps, repository: Repository) -> None:
    def set_windows(*windows: Object) -> None:
        apps.plane.kubectl("-n", apps.control, "apply", "-f", "-", stdin=json.dumps(project(*windows)))

    set_windows(ALWAYS)
    repository.write("a/one.yaml", config("one"))
    await repository.push()
    name = await apps.create("window", repository.url, "a", project="windowed")

    def told(app: Object) -> str:
        return " ".join(conditions_of(app).values())

    app = await apps.until(name, lambda app: "blocked by sync window: deny:* * * * *:1h" in told(app))
    assert app["status"]["sync"]["status"] == "OutOfSync"
    assert await apps.live("", "ConfigMap", apps.namespace("window"), "one") is None

    set_windows({**ALWAYS, "schedule": "61 * * * *"})
    app = await apps.until(name, lambda app: "spec.syncWindows[0].schedule: minute: expected numbers from 0 to 59" in told(app))
    assert await apps.live("", "ConfigMap", apps.namespace("window"), "one") is None

    set_windows({**ALWAYS, "manualSync": True})
    await command(apps, "sync", name)
    await apps.synced(name)
    set_windows()
    repository.write("a/one.yaml", config("one", colour="red"))
    await repository.push()
    await apps.refresh(name)
    await apps.until_live(
        "", "ConfigMap", apps.namespace("window"), "one", lambda one: one is not None and one.get("data") == {"colour": "red"}
    )
