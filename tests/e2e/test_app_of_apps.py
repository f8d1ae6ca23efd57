"""An app of apps comes up in the order of its waves: what a later one needs is there, at the revision that was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.model.objects import Object
from tests.e2e.apps import Apps
from tests.e2e.repository import Repository
from tests.e2e.texts import config


def child(apps: Apps, url: str, *, branch: str) -> str:
    """A child Application in the first wave. It has no finalizer, so that nothing is left to wait for when the test is over."""
    return f"""apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: child-{apps.mark}
  namespace: {apps.control}
  annotations: {{argocd.argoproj.io/sync-wave: "-1"}}
spec:
  project: default
  source: {{repoURL: "{url}", path: child, targetRevision: {branch}}}
  destination: {{server: "https://kubernetes.default.svc", namespace: {apps.namespace("child")}}}
  syncPolicy: {{automated: {{}}, syncOptions: [CreateNamespace=true]}}
"""


def web(*, paused: bool, image: str) -> str:
    return f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  paused: {str(paused).lower()}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: main, image: "registry.example/{image}"}}]}}
"""


def message_of(app: Object) -> str:
    state: dict[str, Any] = (app.get("status") or {}).get("operationState") or {}
    return str(state.get("message", ""))


@pytest.mark.usefixtures("controller")
async def test_a_wave_waits_until_a_child_is_healthy_at_what_its_spec_asks_for(apps: Apps, repository: Repository) -> None:
    name = f"child-{apps.mark}"
    repository.write("child/web.yaml", web(paused=True, image="web:1"))
    await repository.push(branch="first")
    repository.write("parent/child.yaml", child(apps, repository.url, branch="first"))
    repository.write("parent/later.yaml", config("later"))
    await repository.push()
    to = {"server": "https://kubernetes.default.svc", "namespace": apps.control}
    parent = await apps.create("parent", repository.url, "parent", destination=to)
    app = await apps.until(parent, lambda app: f"healthy state of argoproj.io/Application/{name}" in message_of(app))
    await apps.until(name, lambda app: ((app.get("status") or {}).get("health") or {}).get("status") == "Suspended")
    assert await apps.live("", "ConfigMap", apps.control, "later") is None

    repository.write("child/web.yaml", web(paused=False, image="web:1"))
    await repository.push(branch="first")
    await apps.refresh(name)
    app = await apps.synced(parent)
    assert app["status"]["health"]["status"] == "Healthy"
    assert await apps.live("", "ConfigMap", apps.control, "later") is not None

    repository.write("child/web.yaml", web(paused=False, image="web:2"))
    second = await repository.push(branch="second")
    repository.write("parent/child.yaml", child(apps, repository.url, branch="second"))
    repository.write("parent/last.yaml", config("last"))
    await repository.push()
    await apps.refresh(parent)
    await apps.until_live("", "ConfigMap", apps.control, "last", lambda found: found is not None)
    seen = await apps.get(name)
    assert (seen["status"]["sync"]["status"], seen["status"]["sync"]["revision"]) == ("Synced", second)
    assert seen["status"]["health"]["status"] == "Healthy"


@pytest.mark.usefixtures("controller")
async def test_a_child_that_somebody_keeps_out_of_sync_does_not_spoil_its_parent(apps: Apps, repository: Repository) -> None:
    name = f"child-{apps.mark}"
    repository.write("child/one.yaml", config("one"))
    await repository.push(branch="first")
    by_hand = child(apps, repository.url, branch="first").replace("automated: {}, ", "")
    repository.write("parent/child.yaml", by_hand)
    await repository.push()
    to = {"server": "https://kubernetes.default.svc", "namespace": apps.control}
    parent = await apps.create("parent", repository.url, "parent", destination=to)

    def is_behind(found: Object | None) -> bool:
        return found is not None and ((found.get("status") or {}).get("sync") or {}).get("status") == "OutOfSync"

    await apps.until_live("argoproj.io", "Application", apps.control, name, is_behind)
    app = await apps.synced(parent)
    assert app["status"]["health"]["status"] == "Healthy"
