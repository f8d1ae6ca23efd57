"""The way to one API server: sessions, credentials, patience. Bytes in, bytes out.

Every request of the process goes through :meth:`Transport.request` or :meth:`Transport.stream`, so what is retried is decided here alone:

- 429, and 503 with a ``Retry-After``: the server did not do it and says when to come back; any request is sent again.
- a lost connection, or a 503 without a word: only requests that may safely be done twice.

A bounded number of times, with capped and jittered waits. Everything else is the caller's to decide. What the bytes mean is in ``client.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import orjson
from yarl import URL

from homeostat.live.access import Access
from homeostat.live.errors import ApiError, UnavailableError, from_answer, unreachable

CONNECTIONS = 64
"""Requests in flight at the same time; API servers allow an account a few hundred. Streams have connections of their own."""

TRIES = 6
LONGEST_WAIT = 30.0
"""Seconds. A server that asks for more gets its wish from the caller, not from a request that hangs."""

_FIRST_WAIT = 0.2
_REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=75, sock_connect=10)
"""API servers give up after 60 s themselves."""

_DEAD_AFTER = 45
"""Seconds after which a silent peer that acknowledges nothing is given up: a node that vanished sends no FIN."""


class Transport:
    """Sessions to one server. ``reachable`` tells whether the last attempt got any answer at all."""

    def __init__(self, access: Access) -> None:
        self.server = access.server
        self.reachable = True
        self._access = access
        self._requests = self._session(CONNECTIONS)
        self._streams = self._session(0)
        self._extra: dict[str, Any] = {}
        if access.proxy:
            self._extra["proxy"] = access.proxy
        if access.tls_server_name:
            self._extra["server_hostname"] = access.tls_server_name

    def _session(self, limit: int) -> aiohttp.ClientSession:
        tls: Any = self._access.tls if self._access.tls is not None else True
        connector = aiohttp.TCPConnector(limit=limit, ssl=tls, keepalive_timeout=60, ttl_dns_cache=30, socket_factory=_socket)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "homeostat"},
            skip_auto_headers=("Content-Type",),
            auto_decompress=False,
            timeout=_REQUEST_TIMEOUT,
            read_bufsize=2**18,
        )

    async def aclose(self) -> None:
        await self._requests.close()
        await self._streams.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool,
        secret: bool = False,
    ) -> bytes:
        """The body of the server's answer. ``path`` is encoded and starts with a slash; ``secret`` keeps quoted input out of errors.

        Raises the :class:`ApiError` that the answer stands for; :class:`UnavailableError` when there was none.
        """
        renewed = False
        attempt = 0
        while True:
            attempt += 1
            try:
                status, answer, wait = await self._once(method, path, body, headers)
            except UnavailableError:
                if not repeatable or attempt >= TRIES:
                    raise
                await asyncio.sleep(backoff(attempt))
                continue
            if status < 300:
                return answer
            if status == 401 and not renewed:
                renewed = True
                if await self._access.credentials.renew():
                    continue
            again = status == 429 or (status == 503 and (wait > 0 or repeatable))
            if not again or attempt >= TRIES or wait > LONGEST_WAIT:
                raise _error(status, answer, wait, secret=secret)
            await asyncio.sleep(max(wait, 0.0) + backoff(attempt))

    async def _once(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None) -> tuple[int, bytes, float]:
        sent = await self._headers(headers)
        try:
            async with self._requests.request(
                method,
                URL(self.server + path, encoded=True),
                data=body,
                headers=sent,
                allow_redirects=False,
                **self._extra,
            ) as response:
                answer = await response.read()
                self.reachable = True
                wait = 0.0 if response.status < 300 else _retry_after(response.headers)
                return response.status, answer, wait
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._lost(error)
            raise unreachable(self.server, error) from error

    @contextlib.asynccontextmanager
    async def stream(self, path: str, *, idle: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """Chunks of a long answer as they come, after one attempt. ``idle`` is how many seconds may pass without a byte."""
        sent = await self._headers(None)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=idle)
        try:
            async with self._streams.get(
                URL(self.server + path, encoded=True), headers=sent, timeout=timeout, allow_redirects=False, **self._extra
            ) as response:
                self.reachable = True
                if response.status >= 300:
                    answer = await response.read()
                    if response.status == 401:
                        await self._access.credentials.renew()
                    raise _error(response.status, answer, _retry_after(response.headers))
                yield response.content.iter_any()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._lost(error)
            raise unreachable(self.server, error) from error

    def _lost(self, error: BaseException) -> None:
        # A kept-alive connection that the server closes just then says nothing about the next one.
        if isinstance(error, aiohttp.ClientConnectorError | TimeoutError):
            self.reachable = False

    async def _headers(self, headers: Mapping[str, str] | None) -> dict[str, str]:
        authorization = await self._access.credentials.header()
        sent = {"Authorization": authorization} if authorization else {}
        if headers:
            sent.update(headers)
        return sent


def backoff(attempt: int, *, first: float = _FIRST_WAIT, longest: float = LONGEST_WAIT) -> float:
    """Seconds to wait after the ``attempt``-th failure in a row (from 1): doubling, capped, spread over half of itself."""
    wait = min(longest, first * 2.0 ** min(attempt - 1, 30))
    return wait * random.uniform(0.5, 1.0)  # noqa: S311  spreads load, guards nothing


def _retry_after(headers: Mapping[str, str]) -> float:
    """Kubernetes sends whole seconds; the other form of the header, a date, counts as not sent."""
    try:
        return float(headers.get("Retry-After", "0"))
    except ValueError:
        return 0.0


def _error(status: int, answer: bytes, wait: float, *, secret: bool = False) -> ApiError:
    try:
        payload = orjson.loads(answer)
    except orjson.JSONDecodeError:
        payload = None
    return from_answer(status, payload, text=answer[:500].decode(errors="replace"), retry_after=wait, secret=secret)


def _socket(info: Any) -> socket.socket:
    """A socket that notices a vanished peer within a minute, also when nothing is being sent."""
    family, kind, proto, _, _ = info
    made = socket.socket(family=family, type=kind, proto=proto)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 20), ("TCP_KEEPINTVL", 8), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", _DEAD_AFTER * 1000)):
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made
