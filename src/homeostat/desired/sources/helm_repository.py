"""A Helm repository over HTTP: its ``index.yaml``, and where in it the archive of a chart is.

The index is asked for with its ETag and date, so that one which has not changed costs no transfer and no parsing; what an evaluator made of it
is kept on disk. Who asks while a request runs gets the *next* one's answer, since the running one may have looked too early; so any number of
askers costs at most two. Choosing among versions and the archives themselves are ``charts.py``'s business.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import urljoin, urlsplit, urlunsplit
from uuid import uuid4

import msgspec

from homeostat.desired.sources.errors import FetchFailedError, RevisionMissingError
from homeostat.desired.sources.web import Access, Web, place
from homeostat.evaluate.errors import EvaluateError

MAX_INDEX = 48 * 1024 * 1024
"""Bytes of an index.yaml. The largest public ones have 20 MB."""
MAX_CHART = 64 * 1024 * 1024
_UNUSED = 30 * 24 * 3600.0
"""Seconds after which an index that no process has asked for goes."""


class Version(msgspec.Struct, frozen=True):
    """One version of a chart as the index lists it. ``digest`` is ``sha256:…`` or empty."""

    version: str
    urls: tuple[str, ...]
    digest: str = ""


class Index(msgspec.Struct, frozen=True):
    """What the index says, and by which the server recognises it."""

    entries: dict[str, tuple[Version, ...]]
    etag: str = ""
    modified: str = ""


ReadIndex = Callable[[str], Awaitable[Mapping[str, object]]]
"""Parses an index.yaml (``HelmIndexRequest`` through the evaluator's pool)."""


class HelmRepository:
    """The repository at ``url``, as one set of credentials sees it. ``folder`` is where indexes are kept."""

    def __init__(self, url: str, access: Access, *, web: Web, read: ReadIndex, folder: Path) -> None:
        self.url = url
        self._what = f"The Helm repository {url}"
        self._access = access
        self._web = web
        self._read = read
        about = msgspec.json.encode([url, access.basic, access.credentials.bearer_token, access.credentials.tls_client_cert])
        self._file = folder / f"{hashlib.sha256(about).hexdigest()}.json"
        self._index: Index | None = None
        self._asked_at = float("-inf")
        self._lock = asyncio.Lock()

    async def index(self, *, since: float | None = None) -> Index:
        """The index. With ``since`` (:func:`time.monotonic`) it comes from a request that began then or later; else any of this process will do."""
        if self._index is not None and (since is None or self._asked_at >= since):
            return self._index
        async with self._lock:
            if self._index is None or (since is not None and self._asked_at < since):
                began = time.monotonic()
                self._index = await self._ask()
                self._asked_at = began
            return self._index

    async def version(self, chart: str, version: str) -> Version:
        """The entry of exactly this version. Raises :class:`RevisionMissingError`."""
        for entry in (await self.index()).entries.get(chart, ()):
            if entry.version == version:
                return entry
        raise RevisionMissingError(f"{self._what} has no version {version!r} of the chart {chart!r}", hint="check `targetRevision`")

    async def archive(self, chart: str, entry: Version) -> bytes:
        """The chart's archive, as the server sends it."""
        url = self.absolute(entry.urls[0])
        what = f"The chart {chart} {entry.version} of {self.url}"
        covered = self._access.covers(place(url))
        answer = await self._web.get(
            url, access=self._access, what=what, limit=MAX_CHART, authorization=self._authorization if covered else ""
        )
        return answer.body

    def absolute(self, url: str) -> str:
        """Addresses in an index may be relative to the repository, whose query (a token, say) they then inherit."""
        base = urlsplit(self.url)
        if urlsplit(url).scheme:
            return url
        joined = urlsplit(urljoin(urlunsplit(base._replace(path=base.path.rstrip("/") + "/", query="")), url))
        return urlunsplit(joined._replace(query=joined.query or base.query))

    @property
    def _authorization(self) -> str:
        token = self._access.credentials.bearer_token
        return self._access.basic or (f"Bearer {token}" if token else "")

    async def _ask(self) -> Index:
        known = self._index or await asyncio.to_thread(self._load)
        headers = {}
        if known is not None and known.etag:
            headers["If-None-Match"] = known.etag
        if known is not None and known.modified:
            headers["If-Modified-Since"] = known.modified
        base = urlsplit(self.url)
        answer = await self._web.get(
            urlunsplit(base._replace(path=base.path.rstrip("/") + "/index.yaml")),
            access=self._access,
            what=self._what,
            limit=MAX_INDEX,
            headers=headers,
            authorization=self._authorization,
            accept=frozenset({200, 304}),
        )
        if answer.status == 304 and known is not None:
            return known
        entries = await self._parse(answer.body)
        index = Index(entries, etag=answer.headers.get("ETag", ""), modified=answer.headers.get("Last-Modified", ""))
        await asyncio.to_thread(self._save, index)
        return index

    async def _parse(self, body: bytes) -> dict[str, tuple[Version, ...]]:
        try:
            found = await self._read(body.decode())
            return await asyncio.to_thread(_entries, found)
        except (EvaluateError, UnicodeDecodeError, msgspec.ValidationError) as error:
            raise FetchFailedError(f"{self._what} has an index.yaml that cannot be read ({error})", hint="ask whoever runs it") from error

    def _load(self) -> Index | None:
        try:
            os.utime(self._file)
            return msgspec.json.decode(self._file.read_bytes(), type=Index)
        except (OSError, msgspec.DecodeError):
            return None

    def _save(self, index: Index) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch = self._file.with_suffix(f".{uuid4().hex}.new")
        scratch.write_bytes(msgspec.json.encode(index))
        scratch.rename(self._file)
        long_ago = time.time() - _UNUSED
        for path in self._file.parent.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < long_ago:
                    path.unlink()


def _entries(found: Mapping[str, object]) -> dict[str, tuple[Version, ...]]:
    entries = msgspec.convert(found.get("entries") or {}, dict[str, tuple[Version, ...]])
    return {name: tuple(_with_digest(version) for version in versions) for name, versions in entries.items()}


def _with_digest(version: Version) -> Version:
    digest = version.digest.strip().lower()
    if not digest or digest.startswith("sha256:"):
        return version if digest == version.digest else msgspec.structs.replace(version, digest=digest)
    return msgspec.structs.replace(version, digest=f"sha256:{digest}")
