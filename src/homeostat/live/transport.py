"""The way to one API server: credentials and patience. Bytes in, bytes out.

Every request of the process goes through :meth:`Transport.request` or :meth:`Transport.stream`, so what is retried is decided here alone:

- 429, and 503 with a ``Retry-After``: the server did not do it and says when to come back; any request is sent again.
- a lost connection, or a 503 without a word: only requests that may safely be done twice.

A bounded number of times, with capped and jittered waits. Everything else is the caller's to decide. How bytes travel is in ``connections.py``
and ``streams.py``, what they mean in ``client.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

import orjson

from homeostat.live import connections
from homeostat.live.access import Access
from homeostat.live.errors import ApiError, UnavailableError, from_answer, unreachable

if TYPE_CHECKING:
    from homeostat.live.streams import Streams

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
        self._streams: Streams | None = None

    async def aclose(self) -> None:
        await self._connections.aclose()
        if self._streams is not None:
            await self._streams.aclose()

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
                answer = await self._once(method, path, body, headers)
            except UnavailableError:
                if not repeatable or attempt >= TRIES:
                    raise
                await asyncio.sleep(backoff(attempt))
                continue
            if answer.status < 300:
                return answer.body
            if answer.status == 401 and not renewed:
                renewed = True
                if await self._access.credentials.renew():
                    continue
            wait = _seconds(answer.retry_after)
            again = answer.status == 429 or (answer.status == 503 and (wait > 0 or repeatable))
            if not again or attempt >= TRIES or wait > LONGEST_WAIT:
                raise _error(answer, secret=secret)
            await asyncio.sleep(wait + backoff(attempt))

    async def _once(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None) -> connections.Answer:
        sent = await self._headers(headers)
        way = await self._aside() if self._access.proxy else self._connections
        try:
            answer = await way.request(method, path, sent, body)
        except (OSError, TimeoutError) as error:
            raise self._lost(error) from error
        self.reachable = True
        return answer

    @contextlib.asynccontextmanager
    async def stream(self, path: str, *, idle: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """Chunks of a long answer as they come, after one attempt. ``idle`` is how many seconds may pass without a byte."""
        streams = await self._aside()
        try:
            async with streams.open(path, await self._headers(None), idle=idle) as (answer, chunks):
                self.reachable = True
                if answer.status >= 300:
                    if answer.status == 401:
                        await self._access.credentials.renew()
                    raise _error(answer)
                yield chunks
        except (OSError, TimeoutError) as error:
            raise self._lost(error) from error

    async def _aside(self) -> Streams:
        if self._streams is None:
            await asyncio.to_thread(__import__, "homeostat.live.streams")  # it takes a while, and the loop must not wait for it
            from homeostat.live.streams import Streams  # noqa: PLC0415  see there

            self._streams = self._streams or Streams(self._access, seconds=_REQUEST_SECONDS)
        return self._streams

    def _lost(self, error: OSError | TimeoutError) -> UnavailableError:
        # A kept-alive connection that the server closes just then says nothing about the next one.
        if not isinstance(error, ConnectionResetError | BrokenPipeError | connections.LostError):
            self.reachable = False
        return unreachable(self.server, error)

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
        return max(0.0, float(retry_after or 0))
    except ValueError:
        return 0.0


def _error(answer: connections.Answer, *, secret: bool = False) -> ApiError:
    try:
        payload = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        payload = None
    text = answer.body[:500].decode(errors="replace")
    return from_answer(answer.status, payload, text=text, retry_after=_seconds(answer.retry_after), secret=secret)
