"""An HTTP proxy that tunnels (``CONNECT``), as companies have them."""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from typing import Self


class Proxy:
    """Listens on the loopback address. ``tunnels`` are the ``host:port`` that it was asked for; with ``password`` one has to sign in as ``bob``."""

    def __init__(self, password: str = "") -> None:
        self.tunnels: list[str] = []
        self.port = 0
        self._wanted = "Basic " + base64.b64encode(f"bob:{password}".encode()).decode() if password else ""
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._tunnel(reader, writer)
        finally:
            self._open.discard(task)
            writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split(" ", 2)
        if self._wanted and f"proxy-authorization: {self._wanted}".lower() not in head.lower():
            writer.write(
                b'HTTP/1.1 407 Sign in\r\nProxy-Authenticate: Basic realm="proxy"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
            )
            await writer.drain()
            return
        assert method == "CONNECT", head
        self.tunnels.append(target)
        host, _, port = target.rpartition(":")
        there, back = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, back), name="to the server")
                group.create_task(_pump(there, writer), name="from the server")
        finally:
            back.close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()
