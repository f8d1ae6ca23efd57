"""Files in an OCI registry: a tag, a range of versions or a digest becomes a digest, and that the tree of one layer.

Argo CD (an ``oci://`` address without a chart; its ``util/oci``) and Flux (``OCIRepository``) read the same artefacts by slightly different rules. Both
are here: :data:`CONTENT` and :class:`Layer` say which layer is meant, :meth:`Artefact.choose` and :meth:`Artefact.find` which manifest. Layers are fetched
once for all apps, held against their digests and kept by them (``blobs.py``). Who signed an artefact is looked at in ``cosign.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from homeostat.desired.sources import cosign, versions
from homeostat.desired.sources.archive import ArchiveTree
from homeostat.desired.sources.blobs import Blobs, checked_digest
from homeostat.desired.sources.errors import RefusedError, RevisionMissingError
from homeostat.desired.sources.oci import Descriptor, Manifest, OciRepository, is_reference

_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
MEDIA_TYPES = frozenset(
    {
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        _CHART,
        "application/vnd.cncf.flux.content.v1.tar+gzip",
    }
)
"""Layers that Argo CD takes unless ``reposerver.oci.layer.media.types`` says otherwise, and those that ``flux push artifact`` makes."""
MAX_LAYER = 64 * 1024 * 1024
_MAX_DIGESTS = 1000


@dataclass(frozen=True)
class Reference:
    """Flux's ``spec.ref``: ``digest`` wins over ``semver`` (among the tags that the regular expression ``semver_filter`` matches), that over ``tag``."""

    tag: str = ""
    semver: str = ""
    semver_filter: str = ""
    digest: str = ""


class Found(NamedTuple):
    """What is meant: the manifest's ``digest`` (Argo CD's revision), and the tag that led to it, if any."""

    digest: str
    tag: str = ""

    @property
    def revision(self) -> str:
        """As Flux writes it: ``tag@sha256:…``, or the digest."""
        return f"{self.tag}@{self.digest}" if self.tag else self.digest


@dataclass(frozen=True)
class Layer:
    """Flux's ``spec.layerSelector``: the first layer, or the first of a media type. ``copy``: as one file, and not what is in it."""

    media_type: str = ""
    copy: bool = False


CONTENT = None
"""Argo CD's rule: the one layer that is an archive, of a media type that is allowed. The root of a chart is its folder."""


class Highest(Protocol):
    """Answers the highest of some versions that satisfies a constraint, among those that a regular expression matches, or ``None``."""

    def __call__(self, constraint: str, candidates: list[str], matching: str = "", /) -> Awaitable[str | None]: ...


class _Known(NamedTuple):
    """What the registry said of a tag: also that there is none."""

    said: Manifest | RevisionMissingError
    asked_at: float

    @property
    def digest(self) -> str:
        return self.said.digest if isinstance(self.said, Manifest) else ""


class Artefact:
    """All versions of the artefact in one repository, as one set of credentials sees them."""

    def __init__(
        self, repository: OciRepository, blobs: Blobs, highest: Highest, *, media_types: Callable[[], frozenset[str]] | None = None
    ) -> None:
        self._repository = repository
        self._blobs = blobs
        self._highest = highest
        self._media_types = media_types or (lambda: MEDIA_TYPES)
        self._tags: list[str] | None = None
        self._listed_at = float("-inf")
        self._chosen: dict[tuple[str, str], str | None] = {}
        self._by_tag: dict[str, _Known] = {}
        self._by_digest: dict[str, Manifest] = {}
        self._lock = asyncio.Lock()

    async def choose(self, wanted: str, since: float | None) -> str | None:
        """The digest that Argo CD's ``targetRevision`` means: a digest or any tag, else a range of versions; ``None`` when nothing is in it.

        With ``since`` (:func:`time.monotonic`) the answer comes from a request that began then or later.
        """
        if wanted and is_reference(wanted):
            with contextlib.suppress(RevisionMissingError):
                return (await self._manifest(wanted, since)).digest
        tag = await self._in_range(wanted, "", since)
        return None if tag is None else (await self._manifest(tag, since)).digest

    async def find(self, reference: Reference, *, since: float | None = None) -> Found:
        """What Flux's ``spec.ref`` means; nothing is the tag ``latest``. Raises a :class:`homeostat.desired.sources.errors.SourceError`."""
        if reference.digest:
            digest = checked_digest(reference.digest, f"The OCI repository {self._repository.address}")
            return Found((await self._manifest(digest, since)).digest)
        tag: str | None = reference.tag or "latest"
        if reference.semver:
            tag = await self._in_range(reference.semver, reference.semver_filter, since)
            if tag is None:
                among = f" among those that match {reference.semver_filter!r}" if reference.semver_filter else ""
                raise RevisionMissingError(
                    f"The OCI repository {self._repository.address} has no version in {reference.semver!r}{among}", hint="check `spec.ref`"
                )
        assert tag is not None
        return Found((await self._manifest(tag, since)).digest, tag.replace("+", "_"))

    async def tree(self, version: str, layer: Layer | None = CONTENT) -> ArchiveTree:
        """The files of the artefact of this digest. Raises :class:`RefusedError` when it has no such layer, and what unpacking raises."""
        manifest = await self._manifest(version, None)
        part = self._content(manifest) if layer is None else self._selected(manifest, layer)
        name = f"{version} of {self._repository.address}"

        async def fetch() -> bytes:
            return await self._repository.blob(part, limit=MAX_LAYER)

        if layer is not None and layer.copy:
            data = await self._blobs.data(part.digest, name=name, fetch=fetch)
            return ArchiveTree({f"{manifest.digest.partition(':')[2]}.tgz": data})
        is_chart = layer is None and part.media_type == _CHART
        return await self._blobs.tree(part.digest, name=name, fetch=fetch, top_folder=is_chart)

    async def annotations(self, version: str) -> Mapping[str, str]:
        """What its manifest says about an artefact (author, revision of the source, …)."""
        return (await self._manifest(version, None)).annotations or {}

    async def problem(self, version: str, keys: Mapping[str, str]) -> str:
        """Why it does not count as signed by one of ``keys``; see :func:`cosign.verify`."""
        return await cosign.verify(self._repository, (await self._manifest(version, None)).digest, keys)

    async def news(self) -> bool:
        """Ask the registry, and say whether the tags, or what those lead to that anybody asked for, have changed."""
        async with self._lock:
            before = self._tags
            if before is not None:
                await self._list()
            changed = before != self._tags
        for tag, known in list(self._by_tag.items()):
            changed |= (await self._ask(tag, time.monotonic())).digest != known.digest
        return changed

    async def _manifest(self, reference: str, since: float | None) -> Manifest:
        if ":" in reference:
            manifest = self._by_digest.get(reference)
            return manifest if manifest is not None else self._keep(await self._repository.manifest(reference))
        said = (await self._ask(reference, since)).said
        if isinstance(said, Manifest):
            return said
        raise RevisionMissingError(said.message, hint=said.hint)

    async def _ask(self, tag: str, since: float | None) -> _Known:
        async with self._lock:
            known = self._by_tag.get(tag)
            if known is None or (since is not None and known.asked_at < since):
                began = time.monotonic()
                try:
                    known = _Known(self._keep(await self._repository.manifest(tag.replace("+", "_"))), began)
                except RevisionMissingError as error:
                    known = _Known(error.with_traceback(None), began)
                self._by_tag[tag] = known
            return known

    def _keep(self, manifest: Manifest) -> Manifest:
        """What has a digest never changes. The oldest go first."""
        self._by_digest[manifest.digest] = manifest
        while len(self._by_digest) > _MAX_DIGESTS:
            self._by_digest.pop(next(iter(self._by_digest)))
        return manifest

    async def _in_range(self, wanted: str, matching: str, since: float | None) -> str | None:
        async with self._lock:
            if self._tags is None or (since is not None and self._listed_at < since):
                await self._list()
            assert self._tags is not None
            if (wanted, matching) not in self._chosen:
                self._chosen[wanted, matching] = await versions.choose(
                    wanted, self._tags, lambda constraint, tags: self._highest(constraint, list(tags), matching)
                )
            return self._chosen[wanted, matching]

    async def _list(self) -> None:
        """No tag has a ``+``: by convention an ``_`` stands for it."""
        began = time.monotonic()
        found = [tag.replace("_", "+") for tag in await self._repository.tags()]
        if found != self._tags:
            self._chosen = {}
        self._tags, self._listed_at = found, began

    def _content(self, manifest: Manifest) -> Descriptor:
        archives = [layer for layer in manifest.layers if layer.media_type.endswith(("tar+gzip", "tar"))]
        allowed = self._media_types()
        for layer in archives:
            if layer.media_type not in allowed:
                raise self._refused(
                    manifest, f"a layer of the media type {layer.media_type[:200]!r}", "`reposerver.oci.layer.media.types` allows more"
                )
        if len(archives) != 1:
            raise self._refused(manifest, f"{self._kinds(manifest)}, and no single archive of files", "put all files into one layer")
        return archives[0]

    def _selected(self, manifest: Manifest, wanted: Layer) -> Descriptor:
        for layer in manifest.layers:
            if wanted.media_type in {"", layer.media_type}:
                return layer
        lacking = f"no layer of the media type {wanted.media_type!r}" if wanted.media_type else "no layer"
        raise self._refused(manifest, f"{self._kinds(manifest)}, and {lacking}", "check `spec.layerSelector`")

    def _refused(self, manifest: Manifest, holds: str, hint: str) -> RefusedError:
        return RefusedError(f"The OCI repository {self._repository.address} holds {holds}, at {manifest.digest}", hint=hint)

    @staticmethod
    def _kinds(manifest: Manifest) -> str:
        if manifest.manifests:
            return f"an index of {len(manifest.manifests)} manifests"
        return ", ".join(layer.media_type[:100] for layer in manifest.layers[:5]) or "nothing"
