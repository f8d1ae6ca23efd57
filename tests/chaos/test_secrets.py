"""Values are planted wherever secrets are kept or may get to by mistake. None of them may leave by any way out of the program."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from homeostat.argo import resources
from homeostat.box.gitserver import GitServer
from homeostat.model.objects import Object
from tests.cluster import Cluster
from tests.e2e.apps import Apps, conditions_of
from tests.e2e.controller import PROGRAM, Controller
from tests.e2e.repository import Repository

PASSWORD = "planted-password-uqzt"
WRONG_PASSWORD = "planted-wrong-password-hwmk"
IN_URL = "planted-in-url-xkcv"
VALUE = "planted-value-bnru"
LIVE = "planted-live-value-yyqp"
NUMBER = 73918462501739
PLANTED = [PASSWORD, WRONG_PASSWORD, IN_URL, VALUE, LIVE, str(NUMBER)]

SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n"
ENCODED = base64.b64encode(VALUE.encode()).decode()

APPS = {
    "fine": {"all.yaml": f"{SECRET}data: {{a: {ENCODED}}}\nstringData: {{b: {VALUE}}}\n"},
    "number": {"all.yaml": f"{SECRET}stringData: {{a: {NUMBER}}}\n"},
    "object": {"all.yaml": f"{SECRET}data: {{a: {{b: {VALUE}}}}}\n"},
    "list": {"all.yaml": f"{SECRET}data: [{VALUE}]\n"},
    "not-encoded": {"all.yaml": f"{SECRET}data: {{a: '{VALUE}!'}}\n"},
    "bad-type": {"all.yaml": f"{SECRET}type: kubernetes.io/dockerconfigjson\nstringData: {{.dockerconfigjson: '{VALUE}'}}\n"},
    "bad-key": {"all.yaml": f"{SECRET}stringData: {{'not a key': {VALUE}}}\n"},
    "broken-yaml": {"all.yaml": f"{SECRET}stringData:\n  a: {VALUE}\n b: [{VALUE}\n"},
    "broken-json": {"all.json": f'{{"apiVersion": "v1", "kind": "Secret", "stringData": {{"a": "{VALUE}" "b"'},
    "no-name": {"all.yaml": f"apiVersion: v1\nkind: Secret\nstringData: {{a: {VALUE}}}\n"},
    "label": {"all.yaml": f"apiVersion: v1\nkind: Secret\nmetadata: {{name: x, labels: [{VALUE}]}}\nstringData: {{a: {VALUE}}}\n"},
    "generated": {
        "kustomization.yaml": f"secretGenerator: [{{name: x, literals: [a={VALUE}]}}]\nresources: [broken.yaml]\n",
        "broken.yaml": f"{SECRET}stringData: {{a: {VALUE}\n",
    },
    "chart": {
        "Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
        "values.yaml": f"password: {VALUE}\n",
        "templates/all.yaml": f"{SECRET}data: {{a: '{{{{ .Values.password }}}}', b: [}}\n",
    },
    "chart-fine": {
        "Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
        "values.yaml": f"password: {VALUE}\n",
        "templates/all.yaml": f"{SECRET}data: {{a: '{{{{ .Values.password | b64enc }}}}'}}\n",
    },
}
WELL = {"fine", "chart-fine"}

COMMANDS = [("get", "-o", "yaml", "--show-operation"), ("diff",), ("resources", "-o", "wide"), ("manifests",)]
"""One of each family of forms: every verb in every form is tried beside the command line's own tests."""
SHOWN = ["fine", "number", "not-encoded", "chart"]


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[GitServer]:
    """A Git server that asks for the planted password."""
    async with GitServer(tmp_path / "guarded", username="robot", password=PASSWORD) as server:
        await server.create("secrets")
        yield server


@pytest.fixture
async def talkative(plane: Cluster, control: str, tmp_path: Path) -> AsyncIterator[Controller]:
    """A controller that logs all it has to say."""
    controller = Controller(plane.kubeconfig, control, tmp_path / "controller")
    await controller.start("--log-level", "debug")
    try:
        yield controller
    finally:
        await controller.stop()


async def test_what_is_planted_never_comes_out(apps: Apps, talkative: Controller, guarded: GitServer, tmp_path: Path) -> None:
    with_password = guarded.url("secrets").replace("http://", f"http://robot:{PASSWORD}@")
    repository = Repository(tmp_path / "work", with_password)
    url = guarded.url("secrets")
    await credentials(apps, "right", url=url, username="robot", password=PASSWORD)
    await credentials(apps, "wrong", url=f"{url}-wrong", username="robot", password=WRONG_PASSWORD)
    for about, files in APPS.items():
        for path, text in files.items():
            repository.write(f"{about}/{path}", text)
    await repository.push()
    names = {about: await apps.create(about, url, about) for about in APPS}
    names["refused"] = await apps.create("refused", f"{url}-wrong", "fine")
    with_wrong_password = guarded.url("unknown").replace("http://", f"http://robot:{IN_URL}@")
    names["in-url"] = await apps.create("in-url", with_wrong_password, "fine")
    for about, name in names.items():
        if about in WELL:
            await apps.synced(name)
        else:
            await apps.until(name, is_told)

    await drift(apps, names["fine"])
    said = {f"Application {about}": json.dumps(without_the_users_own(await apps.get(name))) for about, name in names.items()}
    for about in SHOWN:
        for command in COMMANDS:
            said[f"homeostat app {command[0]} {about}"] = await output(apps, *command, names[about])
    said["events"] = json.dumps((await apps.client.list(resources.EVENTS, namespace=apps.control)).items)
    async with aiohttp.ClientSession() as session, session.get(f"http://{talkative.address}/metrics") as answer:
        said["metrics"] = await answer.text()
    said["log"] = talkative.log.read_text()
    assert {where: found for where, text in said.items() if (found := planted_in(text))} == {}
    assert "data.a" in said["homeostat app diff fine"] or "  a:" in said["homeostat app diff fine"], "there is a difference to be shown"
    assert "Traceback" not in said["log"]


async def credentials(apps: Apps, name: str, *, url: str, username: str, password: str) -> None:
    metadata = {
        "name": name,
        "namespace": apps.control,
        "labels": {"argocd.argoproj.io/secret-type": "repository"},
    }
    text = {"type": "git", "url": url, "username": username, "password": password}
    await apps.client.create(resources.SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": text})


async def drift(apps: Apps, name: str) -> None:
    """Somebody changes the live Secret, and nobody heals it."""
    await apps.patch(name, {"spec": {"syncPolicy": {"automated": None}}})
    namespace = apps.namespace("fine")
    await apps.client.patch(resources.SECRETS, namespace, "x", {"stringData": {"a": LIVE}})
    await apps.until(name, lambda app: app["status"]["sync"]["status"] == "OutOfSync")


def is_told(app: Object) -> bool:
    state = (app.get("status") or {}).get("operationState") or {}
    return bool(conditions_of(app)) or state.get("phase") == "Failed" or bool(state.get("retryCount"))


def without_the_users_own(app: Object) -> Object:
    """An Application without what the user wrote, and the copies of it that Argo CD's status has: a password in an address stands there."""

    def cut(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: cut(inner) for name, inner in value.items() if name not in {"source", "managedFields"}}
        return [cut(inner) for inner in value] if isinstance(value, list) else value

    cleaned: Object = cut({name: app[name] for name in app if name != "spec"})
    return cleaned


async def output(apps: Apps, *arguments: str) -> str:
    """All that a command prints, whatever becomes of it."""
    where = ("--kubeconfig", str(apps.plane.kubeconfig), "--namespace", apps.control)
    command = (*PROGRAM, "app", arguments[0], *where, *arguments[1:])
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    printed, _ = await process.communicate()
    return printed.decode()


def planted_in(text: str) -> list[str]:
    """What is found of the planted values, as they are or as a Secret holds them."""
    encoded = {value: base64.b64encode(value.encode()).decode().rstrip("=")[:-1] for value in PLANTED}
    return [value for value in PLANTED if value in text or encoded[value] in text]
