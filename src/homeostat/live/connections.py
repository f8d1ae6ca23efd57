"""Plain HTTP/1.1 requests to one server over connections that are kept alive: as little Python per request as can be.

Requests to the API server are most of what this process does, and a general HTTP client spends three times as much on each. What is here is
exactly what they need: a body out, a whole body back, over TLS or not. Streams, and servers behind a proxy, go through ``aiohttp``
(``transport.py``), which also decides what is tried again. Parsing is ``httptools``' (the parser of Node.js).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import httptools

_CONNECT_SECONDS = 10.0

_IDLE_SECONDS = 50.0
"""A connection that was idle for longer is not used again: API servers and load balancers close them after a minute or more."""

_DEAD_AFTER = 45
"""Seconds after which a silent peer that acknowledges nothing is given up: a node that vanished sends no FIN."""


class LostError(ConnectionError):
    """The connection ended, or something that is no HTTP came, before the answer was complete."""


class Answer(NamedTuple):
    """``retry_after`` is the header of this name, empty when there is none."""

    status: int
    body: bytes
    retry_after: str


class Connections:
    """A pool of connections to ``server`` (a URL, possibly with a path). At most ``limit`` requests are under way at one time."""

    def __init__(self, server: str, *, tls: ssl.SSLContext | None, tls_server_name: str = "", limit: int, seconds: float) -> None:
        url = urlsplit(server)
        self._host = url.hostname or ""
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._prefix = url.path.rstrip("/")
        self._head = f"Host: {url.netloc.rpartition('@')[2]}\r\nUser-Agent: homeostat\r\nAccept-Encoding: identity\r\n"
        self._tls = tls
        self._tls_name = (tls_server_name or self._host) if tls is not None else None
        self._seconds = seconds
        self._free = asyncio.Semaphore(limit)
        self._idle: list[_Connection] = []
        self._open: set[_Connection] = set()
        self._closed = False

    async def request(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
        """Sends one request and waits for the whole answer.

        Raises ``OSError`` (:class:`LostError` among them) when none came, and ``TimeoutError`` when it took too long.
        """
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        if not path.isprintable() or " " in path or lines.count("\n") != len(headers):
            raise ValueError("a request's path and headers cannot hold blanks and control characters")
        length = f"Content-Length: {len(body)}\r\n" if body is not None else ""
        head = f"{method} {self._prefix}{path} HTTP/1.1\r\n{self._head}{lines}{length}\r\n".encode("latin-1")
        async with self._free:
            connection = self._take() or await self._connect()
            answer = await connection.exchange(head + body if body else head, self._seconds)
            if connection.usable and not self._closed:
                connection.idle_since = connection.loop.time()
                self._idle.append(connection)
            return answer

    async def aclose(self) -> None:
        """Closes every connection; requests under way fail."""
        self._closed = True
        ending = list(self._open)
        for connection in ending:
            connection.close()
        for connection in ending:
            await connection.ended.wait()

    def _take(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and connection.loop.time() - connection.idle_since < _IDLE_SECONDS:
                return connection
            connection.close()
        return None

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, connection = await loop.create_connection(
                lambda: _Connection(loop, self._open), self._host, self._port, ssl=self._tls, server_hostname=self._tls_name
            )
        return connection


class _Connection(asyncio.Protocol):
    """One connection: one request at a time. Also what the parser calls back (``on_…``)."""

    def __init__(self, loop: asyncio.AbstractEventLoop, everybody: set[_Connection]) -> None:
        self.loop = loop
        self.usable = True
        self.idle_since = 0.0
        self.ended = asyncio.Event()
        self._everybody = everybody
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._parser: Any = None
        self._chunks: list[bytes] = []
        self._retry_after = ""

    async def exchange(self, request: bytes, seconds: float) -> Answer:
        if self._transport is None or not self.usable:
            raise LostError("the connection was closed")
        self._parser = httptools.HttpResponseParser(self)
        self._chunks = []
        self._retry_after = ""
        waiter: asyncio.Future[Answer] = self.loop.create_future()
        self._waiter = waiter
        timer = self.loop.call_later(seconds, self._fail, TimeoutError(f"no answer within {seconds:g} seconds"))
        self._transport.write(request)
        try:
            return await waiter
        except BaseException:  # also when cancelled: the answer is still to come, and would be taken for that of the next request
            self.close()
            raise
        finally:
            timer.cancel()

    def close(self) -> None:
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not of this class, and has its methods
        self._everybody.add(self)
        notice_vanished_peers(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:  # nobody asked for anything
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(LostError(f"the answer is no HTTP: {error}"))
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        self._everybody.discard(self)
        self._fail(exc if isinstance(exc, OSError) else LostError("the connection was lost"))
        self.ended.set()

    def on_message_begin(self) -> None:
        if self._waiter is None:  # a second answer to one request: whatever it is, it must not become that of the next one
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == 11 and name.lower() == b"retry-after":
            self._retry_after = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200 or self._waiter is None:  # 100 Continue and the like announce the real one
            return
        if not self._parser.should_keep_alive():
            self.close()
        waiter, self._waiter = self._waiter, None
        if not waiter.done():
            waiter.set_result(Answer(status, b"".join(self._chunks), self._retry_after))

    def _fail(self, error: BaseException) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)


def notice_vanished_peers(made: Any) -> None:
    """Makes a socket notice within a minute that its peer is gone, also when nothing is being sent."""
    with contextlib.suppress(OSError):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("TCP_KEEPIDLE", 20), ("TCP_KEEPINTVL", 8), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", _DEAD_AFTER * 1000)):
            if hasattr(socket, option):
                made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
