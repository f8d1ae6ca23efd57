"""Where charts come from in tests: a Helm repository over HTTP, a real OCI registry (Debian's docker-registry), and the real ``helm`` that fills both."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson
import pytest
from aiohttp import web

from tests import tools

USER, PASSWORD = "robot", "sesame"
_HTPASSWD = "robot:$2b$04$C4vWFST0Jf3/CgBis.lxHOs9XdMX/yeUOdnEq6FLmHiDvfPYanQW2\n"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def helm(*arguments: object, cwd: Path | None = None, home: Path | None = None) -> str:
    """What the real ``helm`` prints. ``home`` keeps its settings and caches."""
    kept = {} if home is None else {f"HELM_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
    command = [str(tools.helm()), *map(str, arguments)]
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, **kept})
    assert ran.returncode == 0, f"{command}: {ran.stderr}"
    return ran.stdout


def write_chart(folder: Path, name: str, version: str, files: Mapping[str, str] | None = None, *, more: str = "") -> Path:
    """A chart in ``folder/name`` with one ConfigMap that tells its version and values."""
    chart = folder / name
    template = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-{{ .Chart.Name }}\n"
        f"data:\n  version: {{{{ .Chart.Version }}}}\n  published: '{version}'\n  greeting: {{{{ .Values.greeting | quote }}}}\n"
    )
    contents = {
        "Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\n{more}",
        "values.yaml": "greeting: hello\n",
        "templates/map.yaml": template,
        **(files or {}),
    }
    for path, text in contents.items():
        file = chart / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return chart


def packed(folder: Path, name: str, version: str, files: Mapping[str, str] | None = None, *, more: str = "") -> Path:
    """The ``.tgz`` that ``helm package`` makes of such a chart, in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    chart = write_chart(folder / "src", name, version, files, more=more)
    helm("package", chart, "--destination", folder)
    shutil.rmtree(chart)
    return folder / f"{name}-{version}.tgz"


class HelmServer:
    """Serves ``folder`` over HTTP as Helm repositories are served: with ETags, maybe behind a password, maybe with TLS.

    ``seen`` are the requests: method and path, status, the ``Authorization`` that came. ``override`` answers a path with something else;
    ``hold`` keeps every request waiting while it is clear.
    """

    def __init__(self, folder: Path, *, private: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self.folder = folder
        self.private = private
        self.seen: list[tuple[str, int, str]] = []
        self.override: dict[str, web.Response] = {}
        self.hold = asyncio.Event()
        self.hold.set()
        self.arrived = asyncio.Event()
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.hold.set()
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def publish(self) -> None:
        """Writes the index of what is in the folder, as ``helm repo index`` does."""
        helm("repo", "index", self.folder)

    def count(self, path: str) -> int:
        return sum(1 for asked, _, _ in self.seen if asked == path)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.arrived.set()
        await self.hold.wait()
        authorization = request.headers.get("Authorization", "")
        response = self._answer(request, authorization)
        self.seen.append((request.path, response.status, authorization))
        return response

    def _answer(self, request: web.Request, authorization: str) -> web.Response:
        if self.private and authorization != BASIC:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="charts"'})
        made = self.override.get(request.path)
        if made is not None:
            return web.Response(status=made.status, headers=made.headers, body=made.body)
        file = self.folder / request.path.lstrip("/")
        if not file.is_file():
            return web.Response(status=404)
        body = file.read_bytes()
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(body=body, headers={"ETag": etag})


class Registry:
    """A running docker-registry. ``address`` is its host and port."""

    def __init__(self, port: int, folder: Path, *, private: bool) -> None:
        self.address = f"127.0.0.1:{port}"
        self._folder = folder
        self._private = private

    def push(self, chart: Path, repository: str = "charts") -> None:
        config = self._folder / "client.json"
        auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        config.write_bytes(orjson.dumps({"auths": {self.address: {"auth": auth}} if self._private else {}}))
        helm("push", chart, f"oci://{self.address}/{repository}", "--plain-http", "--registry-config", config, home=self._folder / "helm")


@asynccontextmanager
async def registry(folder: Path, *, private: bool = False, auth: Mapping[str, object] | None = None) -> AsyncIterator[Registry]:
    """A real registry in ``folder``; ``private`` asks for a password, ``auth`` is the section of that name of its configuration."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed (tests/apt.txt)")
    configuration = await asyncio.to_thread(_configure, folder, private=private, auth=auth)
    process = await asyncio.create_subprocess_exec(
        program, "serve", str(configuration), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, env={"PATH": os.defpath, "OTEL_TRACES_EXPORTER": "none"}
    )  # fmt: skip
    assert process.stderr is not None
    said = ""
    try:
        while (found := re.search(r"listening on [^\s\"]*:(\d+)", said)) is None:
            line = (await process.stderr.readline()).decode()
            assert line, f"docker-registry ended: {said}"
            said += line
        drained = asyncio.get_running_loop().create_task(_drain(process.stderr))
        yield Registry(int(found[1]), folder, private=private)
    finally:
        process.terminate()
        await process.wait()
    await drained


def _configure(folder: Path, *, private: bool, auth: Mapping[str, object] | None) -> Path:
    folder.mkdir(parents=True)
    (folder / "htpasswd").write_text(_HTPASSWD)
    settings: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "info"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": "127.0.0.1:0", "secret": "x"},
    }
    if private:
        settings["auth"] = {"htpasswd": {"realm": "charts", "path": str(folder / "htpasswd")}}
    if auth is not None:
        settings["auth"] = auth
    configuration = folder / "config.yml"
    configuration.write_bytes(orjson.dumps(settings))
    return configuration


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass
