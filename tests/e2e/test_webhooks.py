"""A push that a webhook tells of is applied without a poll, and nothing else is asked because of it."""

from __future__ import annotations

import hmac
import json
import re
from pathlib import Path

import pytest
from aiohttp import ClientSession

from homeostat.box.gitserver import GitServer
from homeostat.model.objects import Object
from tests.e2e.apps import Apps
from tests.e2e.controller import Controller
from tests.e2e.repository import Repository
from tests.e2e.texts import config

SECRET = "s3cret-of-the-webhook"


@pytest.fixture
def never_polled(apps: Apps) -> None:
    """Nothing is asked unless somebody says so."""
    patch = json.dumps({"data": {"timeout.reconciliation": "0"}})
    apps.plane.kubectl("-n", apps.control, "patch", "configmap", "argocd-cm", "--type=merge", f"-p={patch}")


async def push(controller: Controller, url: str, *, branch: str = "main", secret: str = "") -> int:
    """Tells of a push as GitHub does, and answers the status."""
    payload: Object = {"ref": f"refs/heads/{branch}", "repository": {"clone_url": url, "default_branch": "main"}}
    body = json.dumps(payload).encode()
    headers = {"X-GitHub-Event": "push", "Content-Type": "application/json"}
    if secret:
        headers["X-Hub-Signature-256"] = "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()
    async with ClientSession() as session, session.post(f"http://{controller.address}/api/webhook", data=body, headers=headers) as answer:
        return answer.status


async def metric(controller: Controller, name: str) -> float:
    async with ClientSession() as session, session.get(f"http://{controller.address}/metrics") as answer:
        found = re.search(rf"^{re.escape(name)} (\S+)$", await answer.text(), re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.mark.usefixtures("never_polled")
async def test_a_push_is_applied_when_a_webhook_tells_of_it(apps: Apps, controller: Controller, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    repository.write("b/two.yaml", config("two", colour="blue"))
    await repository.push()
    first, second = await apps.create("first", repository.url, "a"), await apps.create("second", repository.url, "b")
    await apps.synced(first)
    await apps.synced(second)
    renders = await metric(controller, "homeostat_renders_total")

    repository.write("a/one.yaml", config("one", colour="green"))
    revision = await repository.push()
    # By another name of it: what the app says is what is fetched.
    assert await push(controller, repository.url.removesuffix(".git").replace("http://", "https://robot@")) == 200
    await apps.synced(first, revision)
    one = await apps.live("", "ConfigMap", apps.namespace("first"), "one")
    assert one is not None
    assert one["data"] == {"colour": "green"}
    await apps.synced(second, revision)
    assert await metric(controller, "homeostat_renders_total") - renders == 1, "what reads nothing of the commit is not rendered"
    counted = f'argocd_webhook_requests_total{{repo="{repository.url.removesuffix(".git")}"}}'
    assert await metric(controller, counted) == 1


@pytest.mark.usefixtures("never_polled")
async def test_an_app_of_another_branch_is_not_looked_at(apps: Apps, controller: Controller, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    stable = await repository.push(branch="stable")
    await repository.push()
    app, other = (
        await apps.create("app", repository.url, "a"),
        await apps.create("other", repository.url, "a", source={"targetRevision": "stable"}),
    )
    await apps.synced(app)
    before = await apps.synced(other, stable)

    for branch in ("main", "feature", "main"):
        repository.write("a/one.yaml", config("one", branch=branch, colour="green"))
        revision = await repository.push(branch=branch)
        assert await push(controller, repository.url, branch=branch) == 200
        if branch == "main":
            await apps.synced(app, revision)
    assert (await apps.get(other))["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def test_only_who_has_the_secret_is_heard(apps: Apps, controller: Controller, repository: Repository) -> None:
    patch = json.dumps({"stringData": {"webhook.github.secret": "$hooks:github"}})
    labelled = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hooks", "labels": {"app.kubernetes.io/part-of": "argocd"}}}
    apps.plane.kubectl("-n", apps.control, "patch", "secret", "argocd-secret", "--type=merge", f"-p={patch}")
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    name = await apps.create("app", repository.url, "a")
    await apps.synced(name)
    # The app was created after the Secret was changed; but one watch may be ahead of another.
    while await push(controller, repository.url) == 200:
        await apps.refresh(name)
    assert await push(controller, repository.url, secret="$hooks:github") == 401
    apps.plane.kubectl("-n", apps.control, "apply", "-f", "-", stdin=json.dumps({**labelled, "stringData": {"github": SECRET}}))

    repository.write("a/one.yaml", config("one", colour="green"))
    revision = await repository.push()
    assert await push(controller, repository.url) == 401
    assert await push(controller, repository.url, secret="another") == 401
    while await push(controller, repository.url, secret=SECRET) != 200:
        await apps.refresh(name)
    await apps.synced(name, revision)
    log = controller.log.read_text()
    assert "a webhook is refused" in log
    assert SECRET not in log
    assert "Traceback" not in log


@pytest.mark.usefixtures("never_polled")
async def test_a_push_is_not_lost_while_the_git_server_is_down(
    apps: Apps, controller: Controller, repository: Repository, git: GitServer, tmp_path: Path
) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    name = await apps.create("app", repository.url, "a")
    await apps.synced(name)

    repository.write("a/one.yaml", config("one", colour="green"))
    revision = await repository.push()
    hidden = git.folder / "repository.git"
    hidden.rename(tmp_path / "hidden.git")
    assert await push(controller, repository.url) == 200
    await apps.until(name, lambda app: "ComparisonError" in {one["type"] for one in app["status"].get("conditions") or ()})
    (tmp_path / "hidden.git").rename(hidden)
    await apps.synced(name, revision)
