"""Charts from Helm repositories and OCI registries: a range of versions becomes a version, a version the digest of an archive, and that a tree.

One face for both kinds of servers, and for artefacts of a registry that are no charts (the chart's name is empty then): their revision is a digest. The root of a tree is the chart. A version is looked up in what the server said last; its archive is fetched once
for all apps, held against its digest, and kept by it (``blobs.py``). Signatures (``.prov``) are not looked at.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol

from homeostat.desired.sources import versions
from homeostat.desired.sources.archive import ArchiveTree
from homeostat.desired.sources.artefacts import Artefact
from homeostat.desired.sources.blobs import Blobs, digest_of
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import ArchiveError, RefusedError, RevisionMissingError
from homeostat.desired.sources.helm_repository import MAX_CHART, HelmRepository
from homeostat.desired.sources.oci import Descriptor, OciRepository, registry_url
from homeostat.desired.sources.web import Access, Web, place
from homeostat.evaluate.pool import Pool
from homeostat.evaluate.requests import HelmIndexRequest, SemverRequest

_CHART_LAYERS = ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip")
_MAX_CONFIGURED = 5000
_NO_CREDENTIALS = Credentials()


class ChartRepository(NamedTuple):
    """Where charts are. ``url`` is ``https://…`` or of a registry (``oci://…``, or without a scheme). Hashed and compared with its credentials.

    ``everywhere`` sends the credentials to other hosts that an index names, too (``passCredentials``).
    """

    url: str
    credentials: Credentials = _NO_CREDENTIALS
    everywhere: bool = False

    @property
    def is_oci(self) -> bool:
        return "://" not in self.url or self.url.startswith("oci://")

    @property
    def key(self) -> str:
        """The address by which two sources of the same repository are known as such."""
        return self.url.rstrip("/") if not self.is_oci else "oci://" + self.url.removeprefix("oci://").rstrip("/")

    def __repr__(self) -> str:
        return f"ChartRepository({self.key!r})"


class _Shop(Protocol):
    """What both kinds of servers answer about one chart."""

    async def choose(self, wanted: str, since: float | None) -> str | None: ...

    async def tree(self, version: str) -> ArchiveTree: ...

    async def news(self) -> bool: ...


class ChartSources:
    """Every chart and artefact of the process. ``root`` is the folder of the caches; a later process goes on with it. ``media_types`` are the
    layers of artefacts that are allowed (:data:`artefacts.MEDIA_TYPES`, unless a setting says otherwise).
    """

    def __init__(
        self, root: Path, *, pool: Pool, web: Web, blobs: Blobs | None = None, media_types: Callable[[], frozenset[str]] | None = None
    ) -> None:
        self._root = root
        self._media_types = media_types
        self._pool = pool
        self._web = web
        self._blobs = blobs or Blobs(root / "blobs")
        self._repositories: dict[ChartRepository, HelmRepository] = {}
        self._charts: dict[tuple[ChartRepository, str], _Shop] = {}

    async def resolve(
        self, repository: ChartRepository, chart: str, revision: str, *, fresh: bool = False, since: float | None = None
    ) -> str:
        """The version that ``revision`` (a version, a range, or nothing for the highest) means.

        Without ``fresh`` nothing is asked of a server that has answered this process before. With it, the answer comes from a request that begins
        after the call, or at ``since`` (:func:`time.monotonic`) or later. Raises a :class:`homeostat.desired.sources.errors.SourceError`.
        """
        asked_at = (time.monotonic() if since is None else since) if fresh else None
        version = await self._chart(repository, chart).choose(revision.strip(), asked_at)
        if version is None:
            raise RevisionMissingError(
                f"The repository {repository.key} has no {f'version of the chart {chart!r} in' if chart else 'tag'} {revision or '*'!r}",
                hint="check `chart` and `targetRevision`; pre-releases are only in ranges that name one, such as >=1.0.0-0",
            )
        return version

    async def tree(self, repository: ChartRepository, chart: str, version: str) -> ArchiveTree:
        """The files of exactly this version; the root is the chart."""
        tree = await self._chart(repository, chart).tree(version)
        if chart and not any(entry.name == "Chart.yaml" for entry in tree.list("") or ()):
            # Of an empty archive an app without objects would be made, which is in sync with nothing.
            raise ArchiveError(
                f"The chart {chart!r} {version} of {repository.key} is refused: it has no Chart.yaml", hint="ask whoever publishes it"
            )
        return tree

    async def poll(self, repository: ChartRepository, chart: str) -> bool:
        """Ask the server, and say whether anything about the chart has changed since the last answer."""
        return await self._chart(repository, chart).news()

    def artefact(self, repository: ChartRepository) -> Artefact:
        """The files at the address itself, which is of a registry. Raises :class:`RefusedError`."""
        found = self._chart(repository, "") if repository.is_oci else None
        if not isinstance(found, Artefact):
            raise RefusedError(f"{repository.key} is no repository in an OCI registry", hint="write oci://host/repository")
        return found

    async def highest(self, constraint: str, candidates: Sequence[str], matching: str = "") -> str | None:
        request = SemverRequest(constraint=constraint, versions=tuple(candidates), filter=matching)
        answer = await self._pool.evaluate(request, subject=f"versions {constraint}")
        return str(answer.value) if answer.value is not None else None

    def _chart(self, repository: ChartRepository, chart: str) -> _Shop:
        known = self._charts.get((repository, chart))
        if known is None:
            if (not chart and not repository.is_oci) or chart.startswith(("/", ".")) or ".." in chart:
                raise RefusedError(f"{chart!r} is no name of a chart")
            if len(self._charts) >= _MAX_CONFIGURED:  # credentials that were changed, apps that are gone: what is still in use comes back
                self._charts.clear()
                self._repositories.clear()
            known = self._charts[repository, chart] = (
                self._registry(repository, chart) if repository.is_oci else self._http(repository, chart)
            )
        return known

    def _registry(self, repository: ChartRepository, chart: str) -> _RegistryChart | Artefact:
        address = f"{repository.key}/{chart}" if chart else repository.key
        base, name = registry_url(address, plain_http=repository.credentials.plain_http)
        access = Access(place(base).origin, repository.credentials)
        registry = OciRepository(address, access, web=self._web, base=base, name=name)
        if not chart:
            return Artefact(registry, self._blobs, self.highest, media_types=self._media_types)
        return _RegistryChart(registry, self._blobs, self.highest)

    def _http(self, repository: ChartRepository, chart: str) -> _IndexedChart:
        known = self._repositories.get(repository)
        if known is None:
            there = place(repository.url)
            credentials = repository.credentials
            if there.password and not credentials.username:
                credentials = replace(credentials, username=there.username, password=there.password)
            access = Access(there.origin, credentials, repository.everywhere)
            known = self._repositories[repository] = HelmRepository(
                there.url, access, web=self._web, read=self._read_index, folder=self._root / "indexes"
            )
        return _IndexedChart(known, chart, self._blobs, self.highest)

    async def _read_index(self, text: str) -> dict[str, object]:
        answer = await self._pool.evaluate(HelmIndexRequest(text=text), subject="index.yaml")
        found: dict[str, object] = answer.value
        return found


class _IndexedChart:
    """A chart in the index of a Helm repository."""

    def __init__(self, repository: HelmRepository, name: str, blobs: Blobs, highest: versions.Highest) -> None:
        self._repository = repository
        self._name = name
        self._blobs = blobs
        self._highest = highest
        self._chosen: dict[str, str | None] = {}
        self._chosen_of: object = None
        self._undigested: dict[tuple[str, str], str] = {}

    async def choose(self, wanted: str, since: float | None) -> str | None:
        index = await self._repository.index(since=since)
        if self._chosen_of is not index:
            self._chosen, self._chosen_of = {}, index
        if wanted not in self._chosen:
            found = await versions.choose(wanted, [entry.version for entry in index.entries.get(self._name, ())], self._highest)
            if self._chosen_of is not index:  # it has changed while the versions were compared
                return found
            self._chosen[wanted] = found
        return self._chosen[wanted]

    async def tree(self, version: str) -> ArchiveTree:
        entry = await self._repository.version(self._name, version)
        name = f"{self._name}-{version}.tgz of {self._repository.url}"
        digest = entry.digest or self._undigested.get((version, entry.urls[0]), "")
        if digest:
            return await self._blobs.tree(digest, name=name, fetch=lambda: self._repository.archive(self._name, entry))
        # An index may say no digest: what comes first is what this version is for as long as this process lives.
        data = await self._repository.archive(self._name, entry)
        digest = self._undigested.setdefault((version, entry.urls[0]), digest_of(data))

        async def fetched() -> bytes:
            return data

        return await self._blobs.tree(digest, name=name, fetch=fetched)

    async def news(self) -> bool:
        before = self._chosen_of
        index = await self._repository.index(since=time.monotonic())
        return before is not None and getattr(before, "entries", {}).get(self._name) != index.entries.get(self._name)


class _Pinned(NamedTuple):
    digest: str
    layer: Descriptor
    asked_at: float


class _RegistryChart:
    """A chart in an OCI registry: a repository of its own, whose tags are its versions (with ``_`` for ``+``)."""

    def __init__(self, repository: OciRepository, blobs: Blobs, highest: versions.Highest) -> None:
        self._repository = repository
        self._blobs = blobs
        self._highest = highest
        self._versions: list[str] | None = None
        self._listed_at = float("-inf")
        self._chosen: dict[str, str | None] = {}
        self._pinned: dict[str, _Pinned] = {}
        self._lock = asyncio.Lock()

    async def choose(self, wanted: str, since: float | None) -> str | None:
        if versions.is_exact(wanted) or wanted.startswith("sha256:"):
            await self._pin(wanted, since)
            return wanted
        found = await self._in_range(wanted, since)
        if found is not None:
            await self._pin(found, since)
        return found

    async def _in_range(self, wanted: str, since: float | None) -> str | None:
        async with self._lock:
            if self._versions is None or (since is not None and self._listed_at < since):
                await self._list()
            assert self._versions is not None
            if wanted not in self._chosen:
                self._chosen[wanted] = await versions.choose(wanted, self._versions, self._highest)
            return self._chosen[wanted]

    async def tree(self, version: str) -> ArchiveTree:
        pinned = await self._pin(version, None)

        async def fetch() -> bytes:
            return await self._repository.blob(pinned.layer, limit=MAX_CHART)

        return await self._blobs.tree(pinned.layer.digest, name=f"{version} of {self._repository.address}", fetch=fetch)

    async def news(self) -> bool:
        async with self._lock:
            before = self._versions
            if before is not None:
                await self._list()
            changed = before != self._versions
        for version, known in list(self._pinned.items()):
            changed |= (await self._pin(version, time.monotonic())).digest != known.digest
        return changed

    async def _list(self) -> None:
        began = time.monotonic()
        found = [tag.replace("_", "+") for tag in await self._repository.tags()]
        if found != self._versions:
            self._chosen = {}
        self._versions, self._listed_at = found, began

    async def _pin(self, version: str, since: float | None) -> _Pinned:
        async with self._lock:
            known = self._pinned.get(version)
            if known is not None and (since is None or known.asked_at >= since):
                return known
            began = time.monotonic()
            manifest = await self._repository.manifest(version if version.startswith("sha256:") else version.replace("+", "_"))
            layers = [layer for layer in manifest.layers if layer.media_type in _CHART_LAYERS]
            if len(layers) != 1:
                kinds = ", ".join(layer.media_type for layer in manifest.layers) or "nothing"
                raise RefusedError(f"The OCI repository {self._repository.address} holds no Helm chart at {version}, but {kinds[:300]}")
            self._pinned[version] = pinned = _Pinned(manifest.digest, layers[0], began)
            return pinned
