"""Git servers that misbehave in one particular way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from homeostat.box.gitserver import GitServer


class HeldServer(GitServer):
    """Answers a request only while ``go`` is set; ``arrived`` is set when one is waiting."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.go = asyncio.Event()
        self.arrived = asyncio.Event()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.arrived.set()
        await self.go.wait()
        return await super()._serve(request)


class RedirectingServer(GitServer):
    """Sends who asks for ``old.git`` to ``target``. ``authorizations`` are the headers that it was sent, empty ones included."""

    def __init__(self, folder: Path, *, username: str = "", password: str = "") -> None:
        super().__init__(folder, username=username, password=password)
        self.target = ""
        self.authorizations: list[str] = []

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.authorizations.append(request.headers.get("Authorization", ""))
        if request.path.startswith("/old.git/"):
            rest = request.path_qs.removeprefix("/old.git")
            return web.Response(status=301, headers={"Location": self.target + rest})
        return await super()._serve(request)


class FailingServer(GitServer):
    """Answers every request with ``status``."""

    def __init__(self, folder: Path, status: int) -> None:
        super().__init__(folder)
        self.status = status

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self._note(request, "", self.status, 0)
        return web.Response(status=self.status)


class Listener:
    """A port that accepts connections. ``url`` is of a repository there, ``connections`` counts."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/web.git"
        self.connections = 0
        self.arrived = asyncio.Event()


@asynccontextmanager
async def listening(*, hang: bool) -> AsyncIterator[Listener]:
    """A server that accepts and then is silent (``hang``), or hangs up at once."""
    found: list[Listener] = []
    talks: set[asyncio.Task[object]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        talks.add(talk)
        found[0].connections += 1
        found[0].arrived.set()
        while hang and await reader.read(4096):
            pass
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    found.append(Listener(server.sockets[0].getsockname()[1]))
    async with server:
        yield found[0]
    await asyncio.gather(*talks)  # who was killed has hung up, which is not heard at once
