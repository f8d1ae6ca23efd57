"""The left half of the picture: source → revision → tree → render → desired objects of one app.

Of several sources each is resolved, rendered and kept by itself; their objects are put together in the order of the sources. Whatever is wrong on this
side (Git out of reach, a revision that is not there, a chart that does not render) becomes an :class:`UndesiredError` with the text for the app's
condition. The cluster is not looked at, but for its version and list of kinds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any, TypeVar

from msgspec.structs import replace

from homeostat.desired.render.detect import SourceType
from homeostat.desired.render.normalise import normalise
from homeostat.desired.render.renderer import RenderContext, Rendered, Renderer
from homeostat.desired.sources.mounted import MountedTree, mounted
from homeostat.evaluate.requests import ref_mount
from homeostat.live.discovery import Discovery
from homeostat.loop import metrics
from homeostat.loop.locate import Located, Locator
from homeostat.loop.memory import Memory, Wanted, digest_of
from homeostat.model import yaml
from homeostat.model.app import App, AppKey, Policy
from homeostat.model.errors import HomeostatError
from homeostat.model.filters import IN_CLUSTER, is_excluded
from homeostat.model.manifest import Manifest, Origin
from homeostat.model.settings import Settings
from homeostat.model.sync import joined, parted
from homeostat.model.tasks import together
from homeostat.model.tree import Trace, Tree
from homeostat.sync import options as opt
from homeostat.sync.hooks import sort_out

OPTION_WARNING = "SyncOptionWarning"
"""The condition for a sync option that means nothing. Argo CD passes over such ones without a word."""

TOLD = 10
"""How many of an app's invalid manifests are named."""


T = TypeVar("T")


class Touched(Enum):
    """What a repository that moved means for one of its apps: the revision is the one that its status names; it is another one, and the render holds; or
    it has to be looked at.
    """

    SAME = "same"
    HOLDS = "holds"
    CHANGED = "changed"


class UndesiredError(HomeostatError):
    """What an app wants cannot be told; ``revision`` is what it asked for, resolved as far as it could be."""

    def __init__(self, message: str, *, revision: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.revision = revision


class Desirer:
    """Answers what an app wants at a revision."""

    def __init__(self, *, locator: Locator, renderer: Renderer, discovery: Discovery, settings: Callable[[], Settings]) -> None:
        self.locator = locator
        self._renderer = renderer
        self._discovery = discovery
        self._settings = settings

    async def wanted(self, app: App, memory: Memory, *, revision: str = "", asked_at: float | None = None, hard: bool = False) -> Wanted:
        """The desired objects of ``app`` at ``revision`` (by default at what its sources ask for; of several :func:`~homeostat.model.sync.joined`).

        With ``asked_at`` (loop time) what a source said before then does not count; ``hard`` renders again. Raises :class:`UndesiredError`.
        """
        located = await self._located(app, revision, asked_at=asked_at)
        refs = _refs(located)
        rendered = await _each([self._rendered(app, number, located, refs, hard=hard) for number in range(len(located))])
        for one in rendered:
            if one is not None and one.fresh:
                metrics.RENDERS.inc()
        memory.wanted = self._wanted(app, joined(one.revision for one in located), rendered, memory.wanted)
        return memory.wanted

    async def _located(self, app: App, revision: str, *, asked_at: float | None = None) -> list[Located]:
        """The sources of the app at ``revision``, in their order."""
        pins = parted(revision) if len(app.sources) > 1 else (revision,)
        pins = pins or ("",) * len(app.sources)
        asked = joined(pin or source.target_revision or "HEAD" for pin, source in zip(pins, app.sources, strict=False))
        if len(pins) != len(app.sources):
            message = f"expected a revision for each of the {len(app.sources)} sources, found {len(pins)} ({revision})"
            raise UndesiredError(f"Failed to load target state: {message}", revision=asked)

        async def locate(number: int) -> Located:
            with _failing(app, number, asked):
                found = await self.locator.locate(app.sources[number], app.project, revision=pins[number], asked_at=asked_at)
                unproven = await self.locator.unproven(found, app, self._settings().signing_keys)
            if unproven:
                raise UndesiredError(f"{_where(app, number)}{unproven}", revision=asked)
            return found

        return await _each([locate(number) for number in range(len(app.sources))])

    async def _rendered(
        self, app: App, number: int, located: Sequence[Located], refs: Mapping[str, Tree], *, hard: bool
    ) -> Rendered | None:
        """What a source renders to; ``None`` for one that others refer to, and no more."""
        one = located[number]
        if one.source.only_ref:
            return None
        with _failing(app, number, joined(each.source.target_revision or "HEAD" for each in located)):
            tree, context = mounted(one.tree, refs), self.context(app, one.revision, refs)
            return await self._renderer.render(source=one.source, tree=tree, context=context, hard=hard)

    def allow_handed_in(self, app: App) -> None:
        """Raises :class:`UndesiredError` when an operation must not bring its own manifests: nobody has signed them."""
        try:
            refused = self.locator.must_be_signed(app)
        except HomeostatError as error:
            raise UndesiredError(str(error), revision=app.synced_revision, hint=error.hint) from error
        if refused:
            raise UndesiredError("Cannot use local manifests when source integrity is enforced", revision=app.synced_revision)

    def handed_in(self, app: App, texts: Sequence[str], memory: Memory) -> Wanted:
        """What an operation that brings its own manifests wants: one object or several (YAML, JSON) in each of ``texts``. Raises :class:`UndesiredError`."""
        manifests = []
        try:
            for number, text in enumerate(texts):
                place = f"operation.sync.manifests[{number}]"
                manifests += [Manifest(obj, Origin(place)) for obj in yaml.load_all(text, name=place) if obj is not None]
        except HomeostatError as error:
            raise UndesiredError(str(error), revision=app.synced_revision, hint=error.hint) from error
        wrong = next((one for one in manifests if not isinstance(one.object, dict)), None)
        if wrong is not None:
            raise UndesiredError(f"{wrong.origin}: expected an object, found {type(wrong.object).__name__}", revision=app.synced_revision)
        digest = hashlib.blake2b("\0".join(texts).encode(), digest_size=16).hexdigest()
        rendered = Rendered(tuple(manifests), source_type="", digest=digest)
        memory.wanted = self._wanted(app, app.synced_revision, [rendered], memory.wanted)
        return memory.wanted

    def _wanted(self, app: App, revision: str, rendered: Sequence[Rendered | None], known: Wanted | None) -> Wanted:
        """What the manifests mean for this app; as before where they, and all that they are read by, are as before."""
        settings, scopes = self._settings(), self._discovery.api_versions
        tracking, filters = settings.tracking, (settings.exclusions, settings.inclusions)
        server = app.destination.server or IN_CLUSTER
        made = tuple((one.digest, one.source_type) if one is not None else ("", "") for one in rendered)
        basis = (made, app.id, app.destination.namespace, server, tracking, filters, scopes)
        if known is not None and known.basis == basis:
            return known if known.revision == revision else replace(known, revision=revision)
        normalised = normalise(
            _together(rendered),
            scope=self._discovery.scope,
            namespace=app.destination.namespace,
            tracking=tracking,
            app_id=app.id,
            excluded=lambda kind: is_excluded(settings, kind, server),
        )
        if normalised.problems:
            more = f" (and {len(normalised.problems) - TOLD} more)" if len(normalised.problems) > TOLD else ""
            raise UndesiredError(f"Failed to load target state: {'; '.join(normalised.problems[:TOLD])}{more}", revision=revision)
        sorted_out = sort_out(normalised.desired.values())
        meaningless = opt.ignored_options(Policy(), normalised.desired.values())
        return Wanted(
            revision=revision,
            basis=basis,
            source_types=tuple(source_type for _, source_type in made),
            objects={desired.key: desired for desired in sorted_out.plain},
            digests={desired.key: digest_of(desired.object) for desired in sorted_out.plain},
            hooks=sorted_out.hooks,
            warnings=(*normalised.warnings, *((OPTION_WARNING, told) for told in meaningless)),
            unknown=tuple(normalised.unknown.values()),
        )

    async def read_by(self, app: App, revision: str, number: int = 0) -> tuple[Located, Trace]:
        """What the render of one of the sources of ``app`` was read from at ``revision``: its files, and what of them was asked for."""
        located = await self._located(app, revision)
        one, refs = located[number], _refs(located)
        return one, self._renderer.trace(source=one.source, context=self.context(app, one.revision, refs))

    async def touched(self, app: App) -> Touched:
        """What its sources ask for now means for the app; costs a look at the trace at most, and no network."""
        try:
            located = await self._located(app, "")
        except UndesiredError:
            return Touched.CHANGED
        same = joined(one.revision for one in located) == app.synced_revision
        # What is mounted may have moved by itself: a base in another repository, a version that no lock pins.
        if same and not any(isinstance(one.tree, MountedTree) for one in located):
            return Touched.SAME
        refs = _refs(located)
        with metrics.TRACE_CHECKS.time():
            holds = all(
                self._renderer.holds(source=one.source, tree=mounted(one.tree, refs), context=self.context(app, one.revision, refs))
                for one in located
                if not one.source.only_ref
            )
        if not holds:
            return Touched.CHANGED
        return Touched.SAME if same else Touched.HOLDS

    def forget(self, app_key: AppKey) -> None:
        """The app is gone."""
        self._renderer.forget(str(app_key))

    def context(self, app: App, revision: str, refs: Mapping[str, Tree] | None = None) -> RenderContext:
        """How a source of ``app`` is rendered at ``revision``, which may name files of the sources ``refs``."""
        settings = self._settings()
        kinds = {
            SourceType.HELM: settings.helm_enabled,
            SourceType.KUSTOMIZE: settings.kustomize_enabled,
            SourceType.DIRECTORY: settings.jsonnet_enabled,
        }
        return RenderContext(
            app_name=app.key.name,
            app_id=app.id,
            namespace=app.destination.namespace,
            project=app.project,
            revision=revision,
            kube_version=self._discovery.server_version,
            api_versions=self._discovery.api_versions,
            subject=str(app.key),
            build_options=tuple(settings.kustomize_build_options.split()),
            disabled=tuple(kind for kind, enabled in kinds.items() if not enabled),
            refs=tuple(mount.rpartition("/")[2] for mount in refs) if refs else (),
            sources=len(app.sources),
            generate_paths=app.generate_paths,
        )


async def _each(coros: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Side by side; of one without the price of a task."""
    return [await coros[0]] if len(coros) == 1 else await together(*coros)


def _refs(located: Sequence[Located]) -> Mapping[str, Tree]:
    """What charts may refer to, by where it is mounted."""
    return {ref_mount(one.source.ref): one.tree for one in located if one.source.ref} if len(located) > 1 else {}


@contextmanager
def _failing(app: App, number: int, asked: str) -> Iterator[None]:
    """Whatever is wrong with a source is what is wrong with the app; of several it is said with which."""
    try:
        yield
    except HomeostatError as error:
        raise UndesiredError(f"Failed to load target state: {_where(app, number)}{error}", revision=asked, hint=error.hint) from error


def _where(app: App, number: int) -> str:
    return f"spec.sources[{number}]: " if len(app.sources) > 1 else ""


def _together(rendered: Sequence[Rendered | None]) -> Sequence[Manifest]:
    """The manifests of all sources; of several it is noted from which each is."""
    if len(rendered) == 1 and rendered[0] is not None:
        return rendered[0].manifests
    return [
        Manifest(manifest.object, replace(manifest.origin, source=number))
        for number, one in enumerate(rendered)
        if one is not None
        for manifest in one.manifests
    ]
