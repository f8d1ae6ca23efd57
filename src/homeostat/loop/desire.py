"""The left half of the picture: source → revision → tree → render → desired objects of one app.

Whatever is wrong on this side (Git out of reach, a revision that is not there, a chart that does not render) becomes an
:class:`UndesiredError` with the text for the app's condition. The cluster is not looked at, but for its version and list of kinds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from enum import Enum

from msgspec.structs import replace

from homeostat.desired.render.detect import SourceType
from homeostat.desired.render.normalise import normalise
from homeostat.desired.render.renderer import RenderContext, Rendered, Renderer
from homeostat.desired.sources.errors import UnavailableError
from homeostat.desired.sources.git import GitSources, Repo
from homeostat.desired.sources.git_tree import GitTree
from homeostat.live.discovery import Discovery
from homeostat.loop import metrics
from homeostat.loop.memory import Memory, Wanted, digest_of
from homeostat.loop.trouble import Troubles
from homeostat.model import yaml
from homeostat.model.app import App, AppKey, Policy
from homeostat.model.errors import HomeostatError
from homeostat.model.filters import IN_CLUSTER, is_excluded
from homeostat.model.manifest import Manifest, Origin
from homeostat.model.settings import Settings
from homeostat.model.tree import Trace
from homeostat.sync import options as opt
from homeostat.sync.hooks import sort_out

OPTION_WARNING = "SyncOptionWarning"
"""The condition for a sync option that means nothing. Argo CD passes over such ones without a word."""

TOLD = 10
"""How many of an app's invalid manifests are named."""


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

    def __init__(
        self,
        *,
        sources: GitSources,
        renderer: Renderer,
        repository: Callable[[str, str], Repo],
        discovery: Discovery,
        settings: Callable[[], Settings],
    ) -> None:
        self._sources = sources
        self._renderer = renderer
        self._repository = repository
        self._discovery = discovery
        self._settings = settings
        self._troubles = Troubles()

    async def wanted(self, app: App, memory: Memory, *, revision: str = "", asked_at: float | None = None, hard: bool = False) -> Wanted:
        """The desired objects of ``app`` at ``revision`` (by default at what its source asks for).

        With ``asked_at`` (loop time) what the source said before then does not count; ``hard`` renders again. Raises :class:`UndesiredError`.
        """
        source = app.sources[0]
        commit = revision
        asked = revision or source.target_revision or "HEAD"
        try:
            repository = self._repository(source.repo_url, app.project)
            commit = await self._resolve(repository, revision or source.target_revision, source.tag_prefix, asked_at)
            tree = await self._sources.tree(repository, commit)
            rendered = await self._renderer.render(source=source, tree=tree, context=self.context(app, commit), hard=hard)
        except HomeostatError as error:
            raise UndesiredError(f"Failed to load target state: {error}", revision=asked, hint=error.hint) from error
        if rendered.fresh:
            metrics.RENDERS.inc()
        memory.wanted = self._wanted(app, commit, rendered, memory.wanted)
        return memory.wanted

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
        memory.wanted = self._wanted(app, app.synced_revision, rendered, memory.wanted)
        return memory.wanted

    def _wanted(self, app: App, commit: str, rendered: Rendered, known: Wanted | None) -> Wanted:
        """What the manifests mean for this app; as before where they, and all that they are read by, are as before."""
        settings, scopes = self._settings(), self._discovery.api_versions
        tracking, filters = settings.tracking, (settings.exclusions, settings.inclusions)
        server = app.destination.server or IN_CLUSTER
        basis = (rendered.digest, rendered.source_type, app.id, app.destination.namespace, server, tracking, filters, scopes)
        if known is not None and known.basis == basis:
            return known if known.revision == commit else replace(known, revision=commit)
        normalised = normalise(
            rendered.manifests,
            scope=self._discovery.scope,
            namespace=app.destination.namespace,
            tracking=tracking,
            app_id=app.id,
            excluded=lambda kind: is_excluded(settings, kind, server),
        )
        if normalised.problems:
            more = f" (and {len(normalised.problems) - TOLD} more)" if len(normalised.problems) > TOLD else ""
            raise UndesiredError(f"Failed to load target state: {'; '.join(normalised.problems[:TOLD])}{more}", revision=commit)
        sorted_out = sort_out(normalised.desired.values())
        meaningless = opt.ignored_options(Policy(), normalised.desired.values())
        return Wanted(
            revision=commit,
            basis=basis,
            source_type=rendered.source_type,
            objects={desired.key: desired for desired in sorted_out.plain},
            digests={desired.key: digest_of(desired.object) for desired in sorted_out.plain},
            hooks=sorted_out.hooks,
            warnings=(*normalised.warnings, *((OPTION_WARNING, told) for told in meaningless)),
            unknown=tuple(normalised.unknown.values()),
        )

    async def _resolve(self, repository: Repo, revision: str, tag_prefix: str, asked_at: float | None) -> str:
        """The commit of ``revision``; the last one known while the server does not answer, so that drift goes on being healed."""
        try:
            resolved = await self._sources.resolve(repository, revision, tag_prefix=tag_prefix, fresh=asked_at is not None, since=asked_at)
        except UnavailableError as error:
            try:
                resolved = await self._sources.resolve(repository, revision, tag_prefix=tag_prefix)
            except HomeostatError:
                raise error from None
            self._troubles.met(repository.key, error)
        else:
            if asked_at is not None:
                self._troubles.over(repository.key)
        return resolved.commit

    async def read_by(self, app: App, commit: str) -> tuple[Repo, GitTree, Trace]:
        """What the render of ``app`` at ``commit`` was read from: the repository, its files, and what of them was asked for."""
        source = app.sources[0]
        repository = self._repository(source.repo_url, app.project)
        tree = await self._sources.tree(repository, commit)
        return repository, tree, self._renderer.trace(source=source, context=self.context(app, commit))

    def trouble(self, app: App) -> str:
        """Why the repository of the app could not be asked the last time, when that is so and an older answer is being used."""
        return self._troubles.of(self.key_of(app)) if self._troubles else ""

    def key_of(self, app: App) -> str:
        """The repository of the app, by which apps that share it are told to look again."""
        try:
            return self._repository(app.sources[0].repo_url, app.project).key
        except HomeostatError:
            return ""

    async def poll(self, app: App) -> bool:
        """Asks the repository of the app whether anything moved; true when trouble with it began or ended, whoever met it."""
        repository = self._repository(app.sources[0].repo_url, app.project)
        try:
            await self._sources.poll(repository)
        except HomeostatError as error:
            self._troubles.met(repository.key, error)
        else:
            self._troubles.over(repository.key)
        return self._troubles.is_news(repository.key)

    def again_in(self, app: App) -> float | None:
        """In how many seconds the repository of the app should be polled again because it did not answer; ``None`` when there is no hurry."""
        try:
            return self._sources.again_in(self._repository(app.sources[0].repo_url, app.project))
        except HomeostatError:
            return None

    async def touched(self, app: App) -> Touched:
        """What its source asks for now means for the app; costs a look at the trace at most, and no network."""
        source = app.sources[0]
        try:
            repository = self._repository(source.repo_url, app.project)
            commit = (await self._sources.resolve(repository, source.target_revision, tag_prefix=source.tag_prefix)).commit
            if commit == app.synced_revision:
                return Touched.SAME
            tree = await self._sources.tree(repository, commit)
        except HomeostatError:
            return Touched.CHANGED
        with metrics.TRACE_CHECKS.time():
            holds = self._renderer.holds(source=source, tree=tree, context=self.context(app, commit))
        return Touched.HOLDS if holds else Touched.CHANGED

    def forget(self, app_key: AppKey) -> None:
        """The app is gone."""
        self._renderer.forget(str(app_key))

    def context(self, app: App, commit: str) -> RenderContext:
        """How the source of ``app`` is rendered at ``commit``."""
        settings = self._settings()
        kinds = {
            SourceType.HELM: settings.helm_enabled,
            SourceType.KUSTOMIZE: settings.kustomize_enabled,
            SourceType.DIRECTORY: settings.jsonnet_enabled,
        }
        return RenderContext(
            app_name=app.key.name,
            namespace=app.destination.namespace,
            project=app.project,
            revision=commit,
            kube_version=self._discovery.server_version,
            api_versions=self._discovery.api_versions,
            subject=str(app.key),
            build_options=tuple(settings.kustomize_build_options.split()),
            disabled=tuple(kind for kind, enabled in kinds.items() if not enabled),
        )
