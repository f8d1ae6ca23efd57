"""Long answers piece by piece, and servers behind a proxy: what ``connections.py`` leaves to a general HTTP client.

Imported only when the first stream begins: ``aiohttp`` costs a fifth of a second and 25 MB, and a command that only asks and writes needs none.
Its errors do not leave this module; what does is ``OSError``, as from ``connections.py``.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
from yarl import URL

from homeostat.live import connections
from homeostat.live.access import Access

_CONNECT_SECONDS = 10.0


class Streams:
    """Requests to one server by ``aiohttp``. Streams are not bounded in number: each watch is one."""

    def __init__(self, access: Access, *, seconds: float) -> None:
        self._server = access.server
        self._extra: dict[str, Any] = {}
        if access.proxy:
            self._extra["proxy"] = access.proxy
        if access.tls_server_name:
            self._extra["server_hostname"] = access.tls_server_name
        tls: Any = access.tls if access.tls is not None else True
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=tls, keepalive_timeout=50, ttl_dns_cache=30, socket_factory=_socket),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity", "User-Agent": "homeostat"},
            skip_auto_headers=("Content-Type",),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=_CONNECT_SECONDS),
            read_bufsize=2**18,
        )

    async def aclose(self) -> None:
        await self._session.close()

    async def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> connections.Answer:
        """As :meth:`~homeostat.live.connections.Connections.request`, through the proxy."""
        url = URL(self._server + path, encoded=True)
        with _translated():
            async with self._session.request(method, url, data=body, headers=headers, allow_redirects=False, **self._extra) as response:
                return connections.Answer(response.status, await response.read(), response.headers.get("Retry-After", ""))

    @contextlib.asynccontextmanager
    async def open(
        self, path: str, headers: Mapping[str, str], *, idle: float
    ) -> AsyncIterator[tuple[connections.Answer, AsyncIterator[bytes]]]:
        """The answer to a GET, with its body in it when it is an error, else the chunks of the body as they come.

        ``idle`` is how many seconds may pass without a byte.
        """
        url = URL(self._server + path, encoded=True)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=idle)
        with _translated():
            async with self._session.get(url, headers=headers, timeout=timeout, allow_redirects=False, **self._extra) as response:
                body = await response.read() if response.status >= 300 else b""
                answer = connections.Answer(response.status, body, response.headers.get("Retry-After", ""))
                try:
                    yield answer, response.content.iter_any()
                finally:
                    # A stream that is left in the middle has nothing to say goodbye for; TLS would wait for an answer that comes after the loop's end.
                    if response.connection is not None and response.connection.transport is not None:
                        response.connection.transport.abort()


@contextlib.contextmanager
def _translated() -> Any:
    try:
        yield
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError) as error:
        raise connections.LostError("the connection was lost") from error
    except aiohttp.ClientError as error:
        if isinstance(error, OSError | TimeoutError):
            raise
        raise ConnectionError(str(error) or type(error).__name__) from error


def _socket(info: Any) -> socket.socket:
    family, kind, proto, _, _ = info
    made = socket.socket(family=family, type=kind, proto=proto)
    connections.notice_vanished_peers(made)
    return made
