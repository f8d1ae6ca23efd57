"""Charts from where charts are: a Helm repository behind a password, a real OCI registry, a chart in Git that depends on them; values from Git."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from homeostat.argo.resources import CONFIG_MAPS, SECRETS
from homeostat.model.objects import Object
from tests.desired.sources.shops import PASSWORD, USER, HelmServer, Registry, packed, registry
from tests.e2e.apps import Apps, conditions_of
from tests.e2e.controller import Controller
from tests.e2e.repository import Repository

SUB = {"charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 0.1.0\n", "charts/sub/values.yaml": "greeting: hello\n"}
SUB_TEMPLATE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-sub'}\ndata: {greeting: '{{ .Values.greeting }}'}\n"
DEPENDENCY = "dependencies:\n- {name: sub, version: 0.1.0}\n"


def umbrella(folder: Path, version: str) -> Path:
    """A chart that brings another one along."""
    return packed(folder, "umbrella", version, {**SUB, "charts/sub/templates/sub.yaml": SUB_TEMPLATE}, more=DEPENDENCY)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[HelmServer]:
    """A Helm repository that wants a password."""
    folder = tmp_path / "shop"
    async with HelmServer(folder, private=True) as server:
        await asyncio.to_thread(umbrella, folder, "1.0.0")
        await asyncio.to_thread(packed, folder, "plain", "0.3.0")
        await asyncio.to_thread(server.publish)
        yield server


@pytest.fixture
async def warehouse(tmp_path: Path) -> AsyncIterator[Registry]:
    """An OCI registry that wants a password."""
    async with registry(tmp_path / "warehouse", private=True) as running:
        await asyncio.to_thread(lambda: running.push(packed(tmp_path / "packed", "crate", "2.0.0")))
        yield running


async def secret(apps: Apps, called: str, /, **fields: str) -> None:
    """A repository as Argo CD has them."""
    body: Object = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": called, "namespace": apps.control, "labels": {"argocd.argoproj.io/secret-type": "repository"}},
        "stringData": {"username": USER, "password": PASSWORD, **fields},
    }
    await apps.client.create(SECRETS, body)


def at(*revisions: str) -> Any:
    def wanted(app: Object) -> bool:
        sync = (app.get("status") or {}).get("sync") or {}
        found = sync.get("revisions") or [sync.get("revision")]
        return sync.get("status") == "Synced" and found == list(revisions)

    return wanted


async def data(apps: Apps, namespace: str, name: str) -> Any:
    found = await apps.live("", "ConfigMap", namespace, name)
    return found and found["data"]


async def test_charts_from_a_repository_and_a_registry_take_their_values_from_git(
    apps: Apps, controller: Controller, shop: HelmServer, warehouse: Registry, repository: Repository
) -> None:
    await secret(apps, "shop", type="helm", url=shop.url, name="shop")
    await secret(apps, "warehouse", type="helm", url=warehouse.address, enableOCI="true", insecureOCIForceHttp="true")
    repository.write("umbrella.yaml", "greeting: good day\nsub: {greeting: good night}\n")
    repository.write(
        "own/Chart.yaml",
        "apiVersion: v2\nname: own\nversion: 0.1.0\ndependencies:\n- {name: plain, version: '>=0.1', repository: '@shop'}\n",
    )
    commit = await repository.push()
    sources: list[Object] = [
        {
            "repoURL": shop.url,
            "chart": "umbrella",
            "targetRevision": "1.x",
            "helm": {"releaseName": "a", "valueFiles": ["$git/umbrella.yaml"]},
        },
        {"repoURL": f"{warehouse.address}/charts", "chart": "crate", "targetRevision": "2.0.0", "helm": {"releaseName": "b"}},
        {"repoURL": repository.url, "path": "own", "targetRevision": "main", "ref": "git", "helm": {"releaseName": "c"}},
    ]
    name = await apps.create("charts", "", "", source=None, sources=sources)
    app = await apps.until(name, at("1.0.0", "2.0.0", commit))
    namespace = apps.namespace("charts")
    assert app["status"]["sourceTypes"] == ["Helm", "Helm", "Helm"]
    assert await data(apps, namespace, "a-umbrella") == {"version": "1.0.0", "published": "1.0.0", "greeting": "good day"}
    assert await data(apps, namespace, "a-sub") == {"greeting": "good night"}
    assert (await data(apps, namespace, "b-crate"))["version"] == "2.0.0"
    assert (await data(apps, namespace, "c-plain"))["version"] == "0.3.0"

    await asyncio.to_thread(umbrella, shop.folder, "1.1.0")
    await asyncio.to_thread(shop.publish)
    await apps.refresh(name)
    app = await apps.until(name, at("1.1.0", "2.0.0", commit))
    assert [entry["revisions"][0] for entry in app["status"]["history"]] == ["1.0.0", "1.1.0"]
    repository.write("umbrella.yaml", "greeting: good evening\n")
    commit = await repository.push()
    await apps.refresh(name)
    await apps.until(name, at("1.1.0", "2.0.0", commit))
    assert (await data(apps, namespace, "a-umbrella"))["greeting"] == "good evening"
    log = controller.log.read_text()
    assert "Traceback" not in log
    assert PASSWORD not in log


@pytest.mark.usefixtures("controller")
async def test_a_new_version_in_a_range_is_found_by_asking_now_and_then(apps: Apps, shop: HelmServer) -> None:
    await secret(apps, "shop", type="helm", url=shop.url)
    often = {"data": {"timeout.reconciliation": "1s", "timeout.reconciliation.jitter": "0s"}}
    await apps.client.patch(CONFIG_MAPS, apps.control, "argocd-cm", often)
    helm = {"chart": "umbrella", "targetRevision": "^1.0.0", "helm": {"releaseName": "a"}}
    name = await apps.create("range", shop.url, "", source=helm)
    app = await apps.until(name, at("1.0.0"))
    assert app["status"]["sourceType"] == "Helm"
    assert app["status"]["history"][0]["revision"] == "1.0.0"
    await asyncio.to_thread(umbrella, shop.folder, "1.4.0")
    await asyncio.to_thread(umbrella, shop.folder, "2.0.0")
    await asyncio.to_thread(shop.publish)
    await apps.until(name, at("1.4.0"))
    assert (await data(apps, apps.namespace("range"), "a-umbrella"))["version"] == "1.4.0"


@pytest.mark.usefixtures("controller")
async def test_a_chart_that_cannot_be_had_is_told_of_its_app_and_comes_with_the_password(apps: Apps, shop: HelmServer) -> None:
    helm = {"chart": "umbrella", "targetRevision": "1.0.0", "helm": {"releaseName": "a"}}
    name = await apps.create("locked", shop.url, "", source=helm)
    app = await apps.until(name, lambda app: "ComparisonError" in conditions_of(app))
    assert "Failed to load target state: " in conditions_of(app)["ComparisonError"]
    assert app["status"]["sync"]["revision"] == "1.0.0"
    await secret(apps, "shop", type="helm", url=shop.url)
    await apps.until(name, at("1.0.0"))
    missing = await apps.create("missing", shop.url, "", source={**helm, "targetRevision": "7.x"})
    app = await apps.until(missing, lambda app: "ComparisonError" in conditions_of(app))
    assert "has no version of the chart 'umbrella' in '7.x'" in conditions_of(app)["ComparisonError"]
