"""What people write wrong, on purpose or not: every case ends in a clear message, and costs nobody an object."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from homeostat.argo import resources
from homeostat.live.errors import InvalidObjectError
from homeostat.model.objects import Object
from homeostat.model.tasks import together
from tests.chaos.corpus.applications import APPLICATIONS, REFUSED
from tests.chaos.corpus.bad import Bad, write
from tests.chaos.corpus.charts import CHARTS
from tests.chaos.corpus.manifests import MANIFESTS
from tests.chaos.corpus.overlays import OVERLAYS
from tests.e2e.apps import Apps, conditions_of
from tests.e2e.controller import Controller
from tests.e2e.repository import Repository
from tests.e2e.texts import config

CORPUS: dict[str, Bad] = {**MANIFESTS, **OVERLAYS, **CHARTS, **APPLICATIONS}
ONLY = os.environ.get("CHAOS_CASES", "").split()
"""Some of them, for whoever works on these."""
CASES = {about: one for about, one in CORPUS.items() if not ONLY or about in ONLY}


def said(app: Object) -> str:
    """All that a user is told of what is wrong."""
    status = app.get("status") or {}
    state = status.get("operationState") or {}
    lines = [f"{kind}: {message}" for kind, message in conditions_of(app).items()]
    if state.get("phase") in {"Failed", "Error"} or state.get("retryCount"):
        lines.append(f"sync: {state.get('message')}")
    return "\n".join(lines)


def is_at(app: Object, revision: str) -> bool:
    return bool(app["status"]["sync"]["status"] == "Synced" and app["status"]["sync"]["revision"] == revision)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_every_case_ends_in_a_clear_message_and_in_no_deletion(
    apps: Apps, controller: Controller, repository: Repository, tmp_path: Path
) -> None:
    assert len(CORPUS) + len(REFUSED) >= 100
    owned = tmp_path / "owned"
    namespace = apps.namespace("malformed")
    destination = {"server": "https://kubernetes.default.svc", "namespace": namespace}
    restricted = manifest("AppProject", "restricted", apps.control, spec={"sourceRepos": ["https://example.com/*"]})
    await apps.client.create(resources.PROJECTS, restricted)
    for about in CASES:
        repository.write(f"{about}/keep.yaml", config(f"keep-{about}", a="b"))
    repository.write("healthy/one.yaml", config("healthy", colour="blue"))
    repository.write("overlay/all.yaml", config("overlay", a="b"))
    repository.write("overlay/kustomization.yaml", "resources: [all.yaml]\n")
    repository.write("chart/Chart.yaml", "apiVersion: v2\nname: chart\nversion: 1.0.0\n")
    repository.write("chart/templates/all.yaml", config("chart", a="b"))
    await repository.push()
    healthy = await apps.create("healthy", repository.url, "healthy", destination=destination)
    names = {about: await apps.create(about, repository.url, about, destination=destination) for about in CASES}
    await together(*(apps.synced(name) for name in names.values()))
    before = await uids(apps, namespace)

    for about, one in CASES.items():
        # Before the commit, so that nobody syncs it with the options of before.
        patch = json.dumps(one.spec).replace("OWNED", str(owned)).replace("REPOSITORY", repository.url.rpartition("/")[0])
        await apps.patch(names[about], {"spec": json.loads(patch)})
        if one.files:
            repository.remove(f"{about}/keep.yaml")
        for path, content in one.files.items():
            write(repository.folder / about / path, content, about=about)
    repository.write("healthy/one.yaml", config("healthy", colour="green"))
    revision = await repository.push()
    for name in names.values():
        await apps.refresh(name)
    for about in ("ignores-what-jq-cannot-read", "ignores-for-ever"):
        # Such a rule is tried where there is a difference.
        if about in names:
            apps.plane.kubectl("-n", namespace, "patch", "configmap", f"keep-{about}", "--type=merge", '-p={"data":{"a":"c"}}')
    await apps.refresh(healthy)
    await apps.synced(healthy, revision)

    unclear: dict[str, str] = {}

    async def hear(about: str, one: Bad) -> None:
        def wanted(app: Object) -> bool:
            return one.is_told_in(said(app)) if one.says else is_at(app, revision)

        try:
            await apps.until(names[about], wanted, seconds=90)
        except AssertionError:
            app = await apps.get(names[about])
            unclear[about] = said(app) or f"nothing; it is {app['status']['sync']['status']}"

    await together(*(hear(about, one) for about, one in CASES.items()))
    after = await uids(apps, namespace)
    lost = {about for about, one in CASES.items() if not one.harmless and after.get(f"keep-{about}") != before[f"keep-{about}"]}
    assert not unclear
    assert not lost, "were deleted although nobody can tell what is wanted in their place"
    assert not owned.exists()

    repository.write("healthy/one.yaml", config("healthy", colour="red"))
    revision = await repository.push()
    await apps.refresh(healthy)
    await apps.synced(healthy, revision)
    async with aiohttp.ClientSession() as session, session.get(f"http://{controller.address}/readyz") as answer:
        assert answer.status == 200
    assert "Traceback" not in controller.log.read_text()


async def uids(apps: Apps, namespace: str) -> dict[str, str]:
    """Of the ConfigMaps in ``namespace``, by name."""
    listed = await apps.client.list(resources.CONFIG_MAPS, namespace=namespace)
    return {one["metadata"]["name"]: one["metadata"]["uid"] for one in listed.items}


@pytest.mark.parametrize("about", REFUSED)
async def test_what_has_the_wrong_shape_is_refused_by_the_api_server_with_the_name_of_the_field(apps: Apps, about: str) -> None:
    wrong = REFUSED[about]
    right = {"source": {"repoURL": "https://example.com/x.git", "path": "a"}, "destination": {"server": "x"}, "project": "default"}
    spec = {name: value for name, value in {**right, **wrong}.items() if value is not None} if isinstance(wrong, dict) else wrong
    with pytest.raises(InvalidObjectError, match=r"is invalid: \[?spec"):
        await apps.client.create(resources.APPLICATIONS, manifest("Application", f"refused-{about}", apps.control, spec=spec))


def manifest(kind: str, name: str, namespace: str, **fields: Any) -> Object:
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, **fields}
