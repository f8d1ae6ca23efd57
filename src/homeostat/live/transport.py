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

from homeostat.live import connections
from homeostat.live.access import Access
from homeostat.live.errors import ApiError, UnavailableError, from_answer, unreachable

CONNECTIONS = 64
"""Requests in flight at the same time; API servers allow an account a few hundred. Streams have connections of their own."""

TRIES = 6
LONGEST_WAIT = 30.0
"""Seconds. A server that asks for more gets its wish from the caller, not from a request that hangs."""

_FIRST_WAIT = 0.2
_REQUEST_SECONDS = 75.0
"""API servers give up after 60 s themselves."""


class Transport:
    """The one way to one server. ``reachable`` tells whether the last attempt got any answer at all."""

    def __init__(self, access: Access) -> None:
        self.server = access.server
        self.reachable = True
        self._access = access
        self._connections = connections.Connections(
            access.server, tls=access.tls, tls_server_name=access.tls_server_name, limit=CONNECTIONS, seconds=_REQUEST_SECONDS
        )
        self._extra: dict[str, Any] = {}
        if access.proxy:
            self._extra["proxy"] = access.proxy
        if access.tls_server_name:
            self._extra["server_hostname"] = access.tls_server_name
        tls: Any = access.tls if access.tls is not None else True
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=tls, keepalive_timeout=60, ttl_dns_cache=30, socket_factory=_socket),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity", "User-Agent": "homeostat"},
            skip_auto_headers=("Content-Type",),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=_REQUEST_SECONDS, sock_connect=10),
            read_bufsize=2**18,
        )

    async def aclose(self) -> None:
        await self._connections.aclose()
        await self._session.close()

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
            if self._access.proxy:
                status, answer, wait = await self._through_proxy(method, path, sent, body)
            else:
                status, answer, wait = await self._connections.request(method, path, sent, body)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._lost(error)
            raise unreachable(self.server, error) from error
        self.reachable = True
        return status, answer, _seconds(wait) if wait else 0.0

    async def _through_proxy(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> tuple[int, bytes, str]:
        url = URL(self.server + path, encoded=True)
        async with self._session.request(method, url, data=body, headers=headers, allow_redirects=False, **self._extra) as response:
            return response.status, await response.read(), response.headers.get("Retry-After", "")

    @contextlib.asynccontextmanager
    async def stream(self, path: str, *, idle: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """Chunks of a long answer as they come, after one attempt. ``idle`` is how many seconds may pass without a byte."""
        sent = await self._headers(None)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=idle)
        try:
            async with self._session.get(
                URL(self.server + path, encoded=True), headers=sent, timeout=timeout, allow_redirects=False, **self._extra
            ) as response:
                self.reachable = True
                if response.status >= 300:
                    answer = await response.read()
                    if response.status == 401:
                        await self._access.credentials.renew()
                    raise _error(response.status, answer, _seconds(response.headers.get("Retry-After", "")))
                yield response.content.iter_any()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._lost(error)
            raise unreachable(self.server, error) from error

    def _lost(self, error: BaseException) -> None:
        # A kept-alive connection that the server closes just then says nothing about the next one.
        if not isinstance(
            error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | ConnectionResetError | connections.LostError
        ):
            self.reachable = False

    async def _headers(self, headers: Mapping[str, str] | None) -> dict[str, str]:
        authorization = await self._access.credentials.header()
        sent = {"Accept": "application/json"}
        if authorization:
            sent["Authorization"] = authorization
        if headers:
            sent.update(headers)
        return sent


def backoff(attempt: int, *, first: float = _FIRST_WAIT, longest: float = LONGEST_WAIT) -> float:
    """Seconds to wait after the ``attempt``-th failure in a row (from 1): doubling, capped, spread over half of itself."""
    wait = min(longest, first * 2.0 ** min(attempt - 1, 30))
    return wait * random.uniform(0.5, 1.0)  # noqa: S311  spreads load, guards nothing


def _seconds(retry_after: str) -> float:
    """Kubernetes sends whole seconds; the other form of the header, a date, counts as not sent."""
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        return 0.0


def _error(status: int, answer: bytes, wait: float, *, secret: bool = False) -> ApiError:
    try:
        payload = orjson.loads(answer)
    except orjson.JSONDecodeError:
        payload = None
    return from_answer(status, payload, text=answer[:500].decode(errors="replace"), retry_after=wait, secret=secret)


def _socket(info: Any) -> socket.socket:
    family, kind, proto, _, _ = info
    made = socket.socket(family=family, type=kind, proto=proto)
    connections.notice_vanished_peers(made)
    return made
