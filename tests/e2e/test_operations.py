"""Operations that wait for somebody's word, and those that bring their own manifests."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from homeostat.model.objects import Object
from tests.e2e.apps import Apps
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
