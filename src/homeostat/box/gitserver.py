"""A Git server over HTTP on this machine, for trying and testing: real repositories in a folder, served by ``git http-backend``.

It speaks what hosting services speak (smart HTTP, protocol 2, push), may ask for a password or a token, and may speak TLS. It listens on the
loopback address only. It is no product: everyone who can sign in may do everything.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import os
import signal
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from aiohttp import web

_CHUNK = 64 * 1024
_SETTINGS = {
    "http.receivepack": "true",
    "uploadpack.allowAnySHA1InWant": "true",
    "safe.directory": "*",
    "gc.auto": "0",
    "receive.autogc": "false",
    "core.hooksPath": "/dev/null",
}


class Seen(NamedTuple):
    """One request that was answered: ``GET``, ``/web.git/info/refs``, ``git-upload-pack``, 200. ``sent`` is the size of the answer in bytes."""

    method: str
    path: str
    service: str
    status: int
    sent: int


class GitServer:
    """Serves the bare repositories in ``folder``; an async context manager.

    ``port`` 0 takes a free one. With ``username`` and ``password`` (basic) or ``token`` (bearer) every request must sign in. ``tls`` makes it
    HTTPS. ``seen`` holds the last thousand requests, oldest first. ``on_push`` is called in the event loop with the name of a repository after
    every push to it, also one that was refused: what a hosting service's webhook is for.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        username: str = "",
        password: str = "",
        token: str = "",
        tls: ssl.SSLContext | None = None,
        on_push: Callable[[str], None] | None = None,
    ) -> None:
        self.folder = folder
        self.port = port
        self.seen: deque[Seen] = deque(maxlen=1000)
        self._tls = tls
        self._on_push = on_push
        self._authorization = ""
        if token:
            self._authorization = f"Bearer {token}"
        elif username or password:
            self._authorization = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
        self._runner: web.AppRunner | None = None
        self._backend = ""

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.folder.mkdir, parents=True, exist_ok=True)
        self._backend = await _backend()
        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def url(self, name: str) -> str:
        """The address of the repository ``name``."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/{name}.git"

    async def create(self, name: str, *, branch: str = "main") -> Path:
        """Make the empty repository ``name`` unless it is there; answers its folder."""
        path = self.folder / f"{name}.git"
        if not await asyncio.to_thread((path / "HEAD").exists):
            process = await asyncio.create_subprocess_exec(
                "git", "init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}", str(path),
                stdin=asyncio.subprocess.DEVNULL, env=_environment({}),
            )  # fmt: skip
            if await process.wait():
                raise OSError(f"git init failed for {path}")
        return path

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        service = request.query.get("service") or request.path.rpartition("/")[2]
        if self._authorization and not hmac.compare_digest(request.headers.get("Authorization", "").encode(), self._authorization.encode()):
            scheme = self._authorization.partition(" ")[0]
            self._note(request, service, 401, 0)
            return web.Response(status=401, headers={"WWW-Authenticate": f'{scheme} realm="git"'}, text="sign in\n")
        variables = {
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query_string,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": request.remote or "",
            "REMOTE_USER": "git",
        }
        # Without a length the program reads to the end of its input, which is what a chunked body needs.
        if request.content_length is not None:
            variables["CONTENT_LENGTH"] = str(request.content_length)
        process = await asyncio.create_subprocess_exec(
            self._backend, env=_environment(variables), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_feed(request, process), name="git request body")
                response, sent = await _answer(request, process)
        except BaseException:
            # Not ``process.kill()``: it reaps a child that has just ended, and the loop's own watcher would then miss it.
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            raise
        finally:
            await asyncio.shield(process.wait())
            if self._on_push is not None and request.method == "POST" and service == "git-receive-pack":
                self._on_push(request.path.removesuffix("/git-receive-pack").strip("/").removesuffix(".git"))
        self._note(request, service, response.status, sent)
        return response

    def _note(self, request: web.Request, service: str, status: int, sent: int) -> None:
        self.seen.append(Seen(request.method, request.path, service, status, sent))


async def _feed(request: web.Request, process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    # The program may answer (an error) and end before it has read everything.
    with suppress(BrokenPipeError, ConnectionResetError):
        if request.can_read_body:
            async for chunk in request.content.iter_chunked(_CHUNK):
                process.stdin.write(chunk)
                await process.stdin.drain()
        process.stdin.close()
        await process.stdin.wait_closed()


async def _answer(request: web.Request, process: asyncio.subprocess.Process) -> tuple[web.StreamResponse, int]:
    """Turn what the CGI program writes (headers, an empty line, the body) into a response, as it comes."""
    assert process.stdout is not None
    status = 200
    headers: dict[str, str] = {}
    while (line := await process.stdout.readline()).strip():
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers[name] = value.strip()
    if not headers and status == HTTPStatus.OK:
        return web.Response(status=502, text="git http-backend failed\n"), 0
    response = web.StreamResponse(status=status, headers=headers)
    await response.prepare(request)
    sent = 0
    # A client that hangs up in the middle (it was killed, it has seen enough) is no error of ours.
    with suppress(ConnectionResetError):
        while chunk := await process.stdout.read(_CHUNK):
            await response.write(chunk)
            sent += len(chunk)
        await response.write_eof()
    return response, sent


async def _backend() -> str:
    """The path of the CGI program; started directly, it saves a process per request over ``git http-backend``."""
    process = await asyncio.create_subprocess_exec("git", "--exec-path", stdout=asyncio.subprocess.PIPE, env=_environment({}))
    output, _ = await process.communicate()
    return str(Path(output.decode().strip()) / "git-http-backend")


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_COUNT": str(len(_SETTINGS)),
        **variables,
    }
    for number, (name, value) in enumerate(_SETTINGS.items()):
        environment[f"GIT_CONFIG_KEY_{number}"] = name
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    return environment
