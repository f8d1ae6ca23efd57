"""Hooks at work: Jobs that a simulated node completes, fails or leaves hanging, between the phases of real syncs."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.model.objects import Object
from tests.e2e.apps import Apps
from tests.e2e.controller import Controller
from tests.e2e.repository import Repository
from tests.e2e.texts import config

AFTER = "box.homeostat/complete-after"
FATE = "box.homeostat/pod"


def hook(name: str, kind: str, *, policy: str = "", fate: str = "", after: str = "", wave: int = 0) -> str:
    """A Job that is a hook; its pod completes at once, ``after`` some time, or as ``fate`` says (fail, run)."""
    notes = {"argocd.argoproj.io/hook": kind, "argocd.argoproj.io/hook-delete-policy": policy}
    if wave:
        notes["argocd.argoproj.io/sync-wave"] = str(wave)
    life = {key: value for key, value in ((FATE, fate), (AFTER, after)) if value}
    return f"""apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
  annotations: {_flow({key: value for key, value in notes.items() if value})}
spec:
  backoffLimit: 0
  template:
    metadata: {{annotations: {_flow(life)}}}
    spec:
      restartPolicy: Never
      containers: [{{name: main, image: "registry.example/{name}:1.0"}}]
"""


def _flow(texts: dict[str, str]) -> str:
    return "{" + ", ".join(f'{key}: "{value}"' for key, value in texts.items()) + "}"


def state_of(app: Object) -> dict[str, Any]:
    state: dict[str, Any] = (app.get("status") or {}).get("operationState") or {}
    return state


def results_of(app: Object) -> dict[str, tuple[str, str, str]]:
    """Name → sync phase, hook type, hook phase."""
    found = (state_of(app).get("syncResult") or {}).get("resources") or ()
    return {one["name"]: (one["syncPhase"], one.get("hookType", ""), one["hookPhase"]) for one in found}


def runs(app: Object, name: str) -> bool:
    return results_of(app).get(name, ("", "", ""))[2] == "Running"


@pytest.mark.usefixtures("controller")
async def test_hooks_run_between_the_phases_and_go_by_their_policies(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    repository.write("a/before.yaml", hook("before", "PreSync"))
    repository.write("a/after.yaml", hook("after", "PostSync", policy="HookSucceeded"))
    repository.write("a/rescue.yaml", hook("rescue", "SyncFail"))
    await repository.push()
    name = await apps.create("phases", repository.url, "a")
    app = await apps.synced(name)
    assert results_of(app) | {apps.namespace("phases"): ("PreSync", "", "Running")} == {
        apps.namespace("phases"): ("PreSync", "", "Running"),
        "before": ("PreSync", "PreSync", "Succeeded"),
        "one": ("Sync", "", "Succeeded"),
        "after": ("PostSync", "PostSync", "Succeeded"),
    }
    assert [entry["id"] for entry in app["status"]["history"]] == [0]
    namespace = apps.namespace("phases")
    await apps.until_live("batch", "Job", namespace, "after", lambda job: job is None)
    before = await apps.live("batch", "Job", namespace, "before")
    assert before is not None
    assert not before["metadata"].get("finalizers"), "nobody waits for it any more"
    assert await apps.live("batch", "Job", namespace, "rescue") is None

    repository.write("a/one.yaml", config("one", colour="green"))
    revision = await repository.push()
    await apps.refresh(name)
    await apps.synced(name, revision)
    again = await apps.live("batch", "Job", namespace, "before")
    assert again is not None
    assert again["metadata"]["uid"] != before["metadata"]["uid"], "a sync runs its own hooks, and not those of the last one"


@pytest.mark.usefixtures("controller")
async def test_a_hook_that_fails_stops_the_sync_and_calls_the_rescue(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    repository.write("a/before.yaml", hook("before", "PreSync", fate="fail", policy="HookFailed"))
    repository.write("a/rescue.yaml", hook("rescue", "SyncFail"))
    await repository.push()
    name = await apps.create("rescue", repository.url, "a", syncPolicy={"syncOptions": ["CreateNamespace=true"]})
    await apps.patch(name, {"operation": {"sync": {}}})
    app = await apps.until(name, lambda app: state_of(app).get("phase") in {"Failed", "Error"})
    results = results_of(app)
    assert results["before"] == ("PreSync", "PreSync", "Failed")
    assert results["rescue"] == ("SyncFail", "SyncFail", "Succeeded")
    assert "one" not in results
    namespace = apps.namespace("rescue")
    assert await apps.live("", "ConfigMap", namespace, "one") is None
    await apps.until_live("batch", "Job", namespace, "before", lambda job: job is None)

    repository.write("a/before.yaml", hook("before", "PreSync"))
    await repository.push()
    await apps.refresh(name)
    await apps.patch(name, {"operation": {"sync": {}}})
    app = await apps.synced(name)
    assert results_of(app)["before"] == ("PreSync", "PreSync", "Succeeded")


@pytest.mark.usefixtures("controller")
@pytest.mark.parametrize(
    "called_off",
    [
        pytest.param({"status": {"operationState": {"phase": "Terminating"}}}, id="as argocd does it"),
        pytest.param({"operation": None}, id="by taking the operation away"),
    ],
)
async def test_a_sync_whose_hook_hangs_is_called_off(apps: Apps, repository: Repository, called_off: Object) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    repository.write("a/before.yaml", hook("before", "PreSync", fate="run"))
    await repository.push()
    name = await apps.create("hangs", repository.url, "a", syncPolicy={"syncOptions": ["CreateNamespace=true"]})
    await apps.patch(name, {"operation": {"sync": {}}})
    app = await apps.until(name, lambda app: runs(app, "before"))
    app = await apps.until(name, lambda app: "waiting for completion of hook batch/Job/before" in state_of(app).get("message", ""))
    await apps.patch(name, called_off)
    app = await apps.until(name, lambda app: state_of(app).get("phase") == "Failed")
    assert state_of(app)["message"] == "Operation terminated"
    await apps.until_live("batch", "Job", apps.namespace("hangs"), "before", lambda job: job is None)
    assert await apps.live("", "ConfigMap", apps.namespace("hangs"), "one") is None


@pytest.mark.usefixtures("controller")
async def test_a_newer_commit_waits_for_a_hook_that_runs(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    repository.write("a/before.yaml", hook("before", "PreSync", fate="run"))
    await repository.push()
    name = await apps.create("newer", repository.url, "a")
    namespace = apps.namespace("newer")
    await apps.until(name, lambda app: runs(app, "before"))
    old = await apps.live("batch", "Job", namespace, "before")
    assert old is not None

    repository.write("a/before.yaml", hook("before", "PreSync"))
    revision = await repository.push()
    await apps.refresh(name)
    app = await apps.until(name, lambda app: "argocd.argoproj.io/refresh" not in app["metadata"].get("annotations", {}))
    assert runs(app, "before"), "half a migration helps nobody"
    there = await apps.live("batch", "Job", namespace, "before")
    assert there is not None
    assert there["metadata"]["uid"] == old["metadata"]["uid"]
    assert not there["metadata"].get("deletionTimestamp")

    # Now it completes: its pod is told so.
    apps.plane.kubectl("-n", namespace, "annotate", "pod", "-l", "job-name=before", f"{FATE}-", "--overwrite")
    app = await apps.synced(name, revision)
    assert results_of(app)["before"] == ("PreSync", "PreSync", "Succeeded")


async def test_a_controller_that_is_killed_runs_no_hook_twice(controller: Controller, apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    repository.write("a/before.yaml", hook("before", "PreSync", fate="run"))
    await repository.push()
    name = await apps.create("killed", repository.url, "a")
    namespace = apps.namespace("killed")
    await apps.until(name, lambda app: runs(app, "before"))
    first = await apps.live("batch", "Job", namespace, "before")
    assert first is not None
    await controller.kill()
    apps.plane.kubectl("-n", namespace, "annotate", "pod", "-l", "job-name=before", f"{FATE}-", "--overwrite")
    await controller.start()
    app = await apps.synced(name)
    assert results_of(app)["before"] == ("PreSync", "PreSync", "Succeeded")
    last = await apps.live("batch", "Job", namespace, "before")
    assert last is not None
    assert last["metadata"]["uid"] == first["metadata"]["uid"]


@pytest.mark.usefixtures("controller")
async def test_a_hook_that_somebody_deletes_fails_the_sync(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    repository.write("a/before.yaml", hook("before", "PreSync", fate="run"))
    await repository.push()
    name = await apps.create("deleted", repository.url, "a", syncPolicy={"syncOptions": ["CreateNamespace=true"]})
    await apps.patch(name, {"operation": {"sync": {}}})
    await apps.until(name, lambda app: runs(app, "before"))
    apps.plane.kubectl("-n", apps.namespace("deleted"), "delete", "job", "before", "--wait=false")
    app = await apps.until(name, lambda app: state_of(app).get("phase") in {"Failed", "Error"})
    assert results_of(app)["before"][2] in {"Failed", "Error"}
    assert await apps.live("", "ConfigMap", apps.namespace("deleted"), "one") is None


@pytest.mark.usefixtures("controller")
async def test_a_partial_sync_and_one_of_strategy_apply_leave_hooks_out(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    repository.write("a/before.yaml", hook("before", "PreSync", fate="fail"))
    await repository.push()
    name = await apps.create("without", repository.url, "a", syncPolicy={"syncOptions": ["CreateNamespace=true"]})
    await apps.patch(name, {"operation": {"sync": {"resources": [{"kind": "ConfigMap", "name": "one"}]}}})
    app = await apps.until(name, lambda app: state_of(app).get("phase") == "Succeeded")
    assert "before" not in results_of(app)
    await apps.patch(name, {"operation": {"sync": {"syncStrategy": {"apply": {}}}}})
    app = await apps.until(name, lambda app: bool(state_of(app).get("operation", {}).get("sync", {}).get("syncStrategy")))
    app = await apps.until(name, lambda app: state_of(app).get("phase") == "Succeeded")
    assert "before" not in results_of(app)
    assert [entry["id"] for entry in app["status"]["history"]] == [0], "all of it was synced, and it can be come back to"
