"""HTTP to servers that nobody vouches for: Helm repositories, OCI registries.

Addresses come from Applications and from what other servers answer, so each of them, redirects included, is checked before anything is sent: no
link-local address and no address at which clouds hand out credentials, whatever its name resolves to. Credentials (and client certificates) go to the
origin that they were configured for, and are left behind by a redirect. Answers are limited in size and time. A server that does not answer
is left alone for a while, longer with each failure. What the answers mean is not known here.
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import ssl
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDictProxy
from yarl import URL

from homeostat.desired.sources import errors, metadata
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.remote import Gates
from homeostat.desired.sources.urls import redact

_PORTS = {"https": 443, "http": 80}
_MAX_REDIRECTS = 5
_CHUNK = 256 * 1024
_NO_CREDENTIALS = Credentials()
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class WebLimits:
    """Seconds."""

    connect: float = 15.0
    silence: float = 30.0
    total: float = 300.0
    first_pause: float = 1.0
    longest_pause: float = 60.0


class Place(NamedTuple):
    """A checked address: ``url`` without user information, which is in ``username`` and ``password``."""

    url: str
    scheme: str
    host: str
    port: int
    username: str
    password: str

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"Place({self.url!r})"


def place(url: str) -> Place:
    """The parts of ``url``. Raises :class:`RefusedError` for what is no HTTP address, or one that nobody may be sent to."""
    shown = redact(url)
    if any(ord(character) <= 32 or character in "\\\x7f" for character in url) or len(url) > 8192:
        raise errors.RefusedError(f"The address {shown!r} has characters that no address has", hint="write spaces as %20")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise errors.RefusedError(f"The address {shown!r} is none") from error
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in _PORTS or not host:
        raise errors.RefusedError(f"The address {shown!r} is not of a web server", hint="use https://host/path")
    metadata.refuse(host, shown)
    netloc = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    bare = parts._replace(netloc=netloc, fragment="").geturl()
    return Place(bare, parts.scheme, host, port or _PORTS[parts.scheme], unquote(parts.username or ""), unquote(parts.password or ""))


@dataclass(frozen=True)
class Access:
    """How to ask the server at ``origin``. ``everywhere``: its credentials are for other hosts too (``passCredentials``)."""

    origin: str
    credentials: Credentials = _NO_CREDENTIALS
    everywhere: bool = False

    def covers(self, there: Place) -> bool:
        return there.origin == self.origin or self.everywhere

    @property
    def basic(self) -> str:
        """The header's value; empty without a user name and password."""
        credentials = self.credentials
        if not credentials.username and not credentials.password:
            return ""
        return "Basic " + base64.b64encode(f"{credentials.username}:{credentials.password}".encode()).decode()


class Answer(NamedTuple):
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    url: str
    """Where redirects have led to."""


@dataclass
class _Pause:
    failures: int = 0
    until: float = 0.0
    error: errors.UnavailableError | None = field(default=None, repr=False)


class Web:
    """An async context manager. ``resolver`` answers what names resolve to (the system's, by default)."""

    def __init__(self, *, limits: WebLimits | None = None, gates: Gates | None = None, resolver: AbstractResolver | None = None) -> None:
        self._limits = limits or WebLimits()
        self._gates = gates or Gates()
        self._resolver = resolver
        self._contexts: dict[tuple[str, str, str, bool], ssl.SSLContext] = {}
        self._pauses: dict[tuple[str, Credentials], _Pause] = {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        resolver = _Guarded(self._resolver or aiohttp.ThreadedResolver())
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=resolver, limit=64),
            cookie_jar=aiohttp.DummyCookieJar(),
            # An archive that a server calls gzipped must stay what its digest is of, and nothing may grow behind our back.
            headers={"User-Agent": "homeostat", "Accept-Encoding": "identity"},
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(self._limits.total, sock_connect=self._limits.connect, sock_read=self._limits.silence),
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(
        self,
        url: str,
        *,
        access: Access,
        what: str,
        limit: int,
        headers: Mapping[str, str] | None = None,
        authorization: str = "",
        accept: frozenset[int] = frozenset({200}),
    ) -> Answer:
        """What the server answers, of at most ``limit`` bytes. ``what`` begins the errors; any status but those of ``accept`` is one. A redirect is
        followed where ``accept`` does not name it.

        ``authorization`` is sent where ``access`` covers the address, and not after a redirect to another origin.
        Raises a :class:`homeostat.desired.sources.errors.SourceError`.
        """
        return await self._ask(url, None, access, what, limit, dict(headers or {}), authorization, accept)

    async def post(
        self,
        url: str,
        *,
        body: bytes,
        access: Access,
        what: str,
        limit: int,
        headers: Mapping[str, str] | None = None,
        authorization: str = "",
        accept: frozenset[int] = frozenset({200}),
    ) -> Answer:
        """As :meth:`get`, with something to say. What is said to one server is not said to another: a redirect is an error."""
        return await self._ask(url, body, access, what, limit, dict(headers or {}), authorization, accept)

    async def _ask(
        self,
        url: str,
        data: bytes | None,
        access: Access,
        what: str,
        limit: int,
        headers: dict[str, str],
        authorization: str,
        accept: frozenset[int],
    ) -> Answer:
        there = place(url)
        pause = self._pauses.setdefault((there.origin, access.credentials), _Pause())
        if pause.error is not None and time.monotonic() < pause.until:
            raise type(pause.error)(pause.error.message, hint=pause.error.hint) from pause.error
        try:
            async with self._gates.place(there.host):
                answer = await self._follow(there, data, access, what, limit, headers, authorization, accept)
        except errors.UnavailableError as error:
            pause.failures += 1
            pause.error = error
            pause.until = time.monotonic() + min(self._limits.first_pause * 2 ** (pause.failures - 1), self._limits.longest_pause)
            raise
        self._pauses.pop((there.origin, access.credentials), None)
        return answer

    async def _follow(
        self,
        there: Place,
        data: bytes | None,
        access: Access,
        what: str,
        limit: int,
        headers: dict[str, str],
        authorization: str,
        accept: frozenset[int],
    ) -> Answer:
        first = there.origin
        for _ in range(_MAX_REDIRECTS + 1):
            covered = there.origin == first and access.covers(there)
            sent = {**headers, "Authorization": authorization} if authorization and covered else headers
            answer = await self._once(there, data, access.credentials, sent, what, limit, certified=covered)
            if answer.status not in _REDIRECTS or answer.status in accept:
                if answer.status not in accept:
                    raise _refusal(answer.status, f"{what} cannot be read", there.url)
                return answer
            if data is not None:
                raise errors.RefusedError(
                    f"{what} cannot be read: {redact(there.url)} redirects", hint="use the address that it redirects to"
                )
            target = place(urljoin(there.url, answer.headers.get("Location", "")))
            if there.scheme == "https" and target.scheme != "https":
                raise errors.RefusedError(f"{what} cannot be read: the server redirects from https to {redact(target.url)}")
            there = target
        raise errors.RefusedError(f"{what} cannot be read: the server redirects more than {_MAX_REDIRECTS} times")

    async def _once(
        self, there: Place, data: bytes | None, credentials: Credentials, headers: dict[str, str], what: str, limit: int, *, certified: bool
    ) -> Answer:
        assert self._session is not None
        start = f"{what} cannot be read"
        context = await self._context(credentials, certified=certified) if there.scheme == "https" else None
        proxy = _proxy(there, credentials)
        try:
            async with self._session.request(
                "GET" if data is None else "POST",
                URL(there.url, encoded=there.url.isascii()),  # signatures in addresses are of how these are written
                data=data,
                headers=headers,
                allow_redirects=False,
                proxy=proxy or None,
                ssl=context if context is not None else True,
            ) as response:
                if response.status in _REDIRECTS:
                    return Answer(response.status, response.headers, b"", there.url)
                body = bytearray()
                async for chunk in response.content.iter_chunked(_CHUNK):
                    body += chunk
                    if len(body) > limit:
                        raise errors.RefusedError(f"{start}: {redact(there.url)} has more than the limit of {limit} bytes")
                return Answer(response.status, response.headers, bytes(body), there.url)
        except (TimeoutError, aiohttp.ServerTimeoutError) as error:
            raise errors.SlowError(
                f"{start}: {there.host} does not answer in time", hint="check that the server is up and reachable from here"
            ) from error
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError) as error:
            hint = "add the authority's certificate to `argocd-tls-certs-cm` under the host's name"
            raise errors.IdentityError(
                f"{start}: the certificate of {there.host} is not trusted, or the server refuses ours", hint=hint
            ) from error
        except aiohttp.ClientConnectorDNSError as error:
            raise errors.UnreachableError(
                f"{start}: the name {there.host} does not resolve", hint="check the host name in the address"
            ) from error
        except (aiohttp.ClientConnectionError, OSError) as error:
            hint = "check that the server is up and reachable from here"
            raise errors.UnreachableError(f"{start}: there is no connection to {there.host}:{there.port}", hint=hint) from error
        except aiohttp.InvalidURL as error:
            raise errors.RefusedError(f"{start}: {redact(there.url)!r} is no address") from error
        except aiohttp.ClientError as error:
            raise errors.FetchFailedError(f"{start}: {there.host} does not answer as web servers do ({type(error).__name__})") from error

    async def _context(self, credentials: Credentials, *, certified: bool) -> ssl.SSLContext:
        certificate, key = (credentials.tls_client_cert, credentials.tls_client_key) if certified else ("", "")
        about = (credentials.ca, certificate, key, credentials.insecure)
        known = self._contexts.get(about)
        if known is None:
            try:
                known = self._contexts[about] = await asyncio.to_thread(_context, *about)
            except (ssl.SSLError, ValueError) as error:
                hint = "check tlsClientCertData, tlsClientCertKey and `argocd-tls-certs-cm`"
                raise errors.UnauthorisedError("The certificates of the repository cannot be read", hint=hint) from error
        return known


def _context(ca: str, certificate: str, key: str, insecure: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ca or None)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # of mode 0600; OpenSSL reads certificates from files only
            file.write(f"{certificate}\n{key}\n")
            file.flush()
            context.load_cert_chain(file.name)
    return context


def _proxy(there: Place, credentials: Credentials) -> str:
    """The proxy of the Secret, else of the environment; empty: none."""
    if credentials.proxy:
        if not credentials.proxy.startswith(("http://", "https://")):
            raise errors.RefusedError(
                f"The proxy for {there.host} is none of HTTP", hint="`proxy` of the repository Secret is http://host:port"
            )
        return "" if credentials.no_proxy and proxy_bypass_environment(there.host, {"no": credentials.no_proxy}) else credentials.proxy
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return ""
    proxies = getproxies_environment()
    return "" if proxy_bypass_environment(there.host, proxies) else proxies.get(there.scheme, "")


def _refusal(status: int, start: str, url: str) -> errors.SourceError:
    said = f"{redact(url)} answers {status}"
    if status in {401, 403, 407}:
        return errors.UnauthorisedError(
            f"{start}: the server refused the sign-in ({said})", hint="check the repository Secret of this address"
        )
    if status in {404, 410}:
        return errors.RepositoryMissingError(f"{start}: there is nothing of this name, or it is hidden from these credentials ({said})")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return errors.FetchFailedError(f"{start}: the server asks for fewer requests ({said})", hint="lengthen timeout.reconciliation")
    return errors.FetchFailedError(f"{start}: {said}")


class _Guarded(AbstractResolver):
    """Refuses names that resolve to where nobody may be sent. The connection is made to what was looked at here, and to nothing else."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for result in found:
            metadata.refuse(result["host"], f"{host} ({result['host']})")
        return found

    async def close(self) -> None:
        await self._inner.close()


def mapping(body: bytes, refusal: str) -> dict[str, Any]:
    """The JSON object in an answer's ``body``. Raises :class:`homeostat.desired.sources.errors.FetchFailedError` with ``refusal`` for anything else."""
    try:
        found = orjson.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise errors.FetchFailedError(refusal)
    return found
