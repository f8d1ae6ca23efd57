"""A reverse proxy between a client and an API server that breaks things on request: for tests of what happens then.

A real server on a real port, so that the client under test sees real answers, real lost connections and real silence.

    async with Proxy(plane.kubeconfig) as proxy:
        proxy.fault(method="PATCH", status=429, headers={"Retry-After": "1"}, times=2)
        async with await Client.connect(str(proxy.kubeconfig)) as client: ...
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web
from yarl import URL

from homeostat.live import access

_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "host", "keep-alive", "authorization"}


@dataclasses.dataclass
class Fault:
    """What happens to a request whose method is ``method`` (any when empty) and whose path and query ``path`` (a regular expression) is found in.

    ``status`` answers at once instead of the server, as a ``Status`` object with ``message`` and ``reason``, or with ``body`` as it is. ``drop`` closes the connection:
    before the server sees the request, or with ``after`` when it has carried it out. ``hold`` is waited for first. ``times`` is how often (-1:
    always); ``hits`` counts.
    """

    method: str = ""
    path: str = ""
    times: int = 1
    status: int = 0
    body: bytes = b""
    message: str = "broken on purpose"
    reason: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    drop: bool = False
    after: bool = False
    hold: asyncio.Event | None = None
    hits: int = 0

    def applies(self, request: web.Request) -> bool:
        return self.times != 0 and (not self.method or self.method == request.method) and re.search(self.path, request.path_qs) is not None


class Proxy:
    """``server`` is its address, ``kubeconfig`` a file that leads a client to it; ``requests`` lists ``(method, path and query)`` as they came.

    ``token`` and ``accept``, when set, are what the server is shown instead of the kubeconfig's credentials and the client's Accept header.
    Without ``own_credentials`` the client's own are passed on.
    """

    def __init__(self, kubeconfig: Path, *, port: int = 0) -> None:
        self.requests: list[tuple[str, str]] = []
        self.faults: list[Fault] = []
        self.port = port
        self.token = ""
        self.accept = ""
        self.own_credentials = True
        self._upstream = kubeconfig
        self._folder = tempfile.TemporaryDirectory(prefix="homeostat-proxy-")
        self._open: set[asyncio.Transport] = set()
        self._handling: set[asyncio.Task[Any]] = set()
        self._stack = contextlib.AsyncExitStack()
        self._runner: web.ServerRunner | None = None

    @property
    def server(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        path = Path(self._folder.name) / "kubeconfig"
        if not path.exists():
            config = {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "proxy",
                "clusters": [{"name": "proxy", "cluster": {"server": self.server}}],
                "users": [{"name": "proxy", "user": {}}],
                "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
            }
            path.write_text(json.dumps(config))
        return path

    async def __aenter__(self) -> Self:
        self._access = await access.load(str(self._upstream))
        connector = aiohttp.TCPConnector(limit=0, ssl=self._access.tls or True)
        self._session = await self._stack.enter_async_context(
            aiohttp.ClientSession(connector=connector, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None))
        )
        await self.up()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.down()
        await self._stack.aclose()
        self._folder.cleanup()

    async def up(self) -> None:
        """Listens, on the same port as before."""
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None, handler_cancellation=True), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        if not self.port:
            self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def down(self) -> None:
        """Cuts every connection and accepts no new one, as a server that is stopped."""
        runner, self._runner = self._runner, None
        if runner is not None:
            self.cut()
            await runner.cleanup()
            if self._handling:
                await asyncio.wait(self._handling)
            for _ in range(5):  # the tasks of aiohttp that ran ours need some rounds of the loop to end
                await asyncio.sleep(0)

    def cut(self) -> int:
        """Drops every connection that is being served, in the middle of whatever it is; answers how many."""
        dropped = len(self._open)
        for transport in list(self._open):
            transport.abort()
        return dropped

    def fault(self, **what: Any) -> Fault:
        """Adds a :class:`Fault`; later ones go first."""
        made = Fault(**what)
        self.faults.insert(0, made)
        return made

    def count(self, method: str, path: str) -> int:
        """How many requests came with this method and a path in which the regular expression is found."""
        return sum(1 for asked, where in self.requests if asked == method and re.search(path, where))

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        assert isinstance(transport, asyncio.Transport)
        self.requests.append((request.method, request.path_qs))
        task = asyncio.current_task()
        assert task is not None
        self._open.add(transport)
        self._handling.add(task)
        try:
            return await self._serve(request, transport)
        finally:
            self._open.discard(transport)
            self._handling.discard(task)

    async def _serve(self, request: Any, transport: asyncio.Transport) -> web.StreamResponse:
        fault = next((fault for fault in self.faults if fault.applies(request)), None)
        if fault is not None:
            fault.times -= 1
            fault.hits += 1
            if fault.hold is not None:
                await fault.hold.wait()
            if fault.status:
                return _status(fault)
            if fault.drop and not fault.after:
                transport.abort()
                return web.Response()
        sent = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        sent["Authorization"] = request.headers.get("Authorization", "")
        if self.own_credentials:
            sent["Authorization"] = f"Bearer {self.token}" if self.token else await self._access.credentials.header()
        if self.accept:
            sent["Accept"] = self.accept
        asked = URL(request.raw_path, encoded=True)  # absolute, when a client takes this for a forward proxy
        url = URL(self._access.server + asked.raw_path_qs, encoded=True)
        try:
            async with self._session.request(request.method, url, headers=sent, data=await request.read() or None) as upstream:
                if fault is not None and fault.drop:
                    await upstream.read()
                    transport.abort()
                    return web.Response()
                return await _forward(request, upstream)
        except aiohttp.ClientError:
            transport.abort()
            return web.Response()


async def _forward(request: Any, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=upstream.status)
    for name, value in upstream.headers.items():
        if name.lower() not in _HOP_BY_HOP:
            response.headers[name] = value
    await response.prepare(request)
    with contextlib.suppress(ConnectionResetError):
        async for chunk in upstream.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
    return response


def _status(fault: Fault) -> web.Response:
    if fault.body:
        return web.Response(status=fault.status, body=fault.body, headers=fault.headers, content_type="application/json")
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": fault.message,
        "reason": fault.reason,
        "code": fault.status,
    }
    return web.json_response(body, status=fault.status, headers=fault.headers)
