"""The left half of the picture: source → revision → tree → render → desired objects of one app.

Whatever is wrong on this side (Git out of reach, a revision that is not there, a chart that does not render) becomes an
:class:`UndesiredError` with the text for the app's condition. The cluster is not looked at, but for its version and list of kinds.
"""

from __future__ import annotations

from collections.abc import Callable

from homeostat.desired.render.normalise import normalise
from homeostat.desired.render.renderer import RenderContext, Renderer
from homeostat.desired.sources.git import GitSources, Repo
from homeostat.live.discovery import Discovery
from homeostat.loop.memory import Memory, Wanted, digest_of
from homeostat.model.app import App, AppKey
from homeostat.model.errors import HomeostatError
from homeostat.model.objects import Key
from homeostat.model.settings import Settings
from homeostat.sync.hooks import sort_out


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
        repository: Callable[[str], Repo],
        discovery: Discovery,
        settings: Callable[[], Settings],
    ) -> None:
        self._sources = sources
        self._renderer = renderer
        self._repository = repository
        self._discovery = discovery
        self._settings = settings

    async def wanted(self, app: App, memory: Memory, *, revision: str = "", fresh: bool = False, hard: bool = False) -> Wanted:
        """The desired objects of ``app`` at ``revision`` (by default at what its source asks for).

        ``fresh`` asks the source again, ``hard`` renders again. Raises :class:`UndesiredError`.
        """
        source = app.sources[0]
        commit = revision
        asked = revision or source.target_revision or "HEAD"
        try:
            repository = self._repository(source.repo_url)
            resolved = await self._sources.resolve(repository, revision or source.target_revision, fresh=fresh)
            commit = resolved.commit
            tree = await self._sources.tree(repository, commit)
            rendered = await self._renderer.render(source=source, tree=tree, context=self._context(app, commit), hard=hard)
        except HomeostatError as error:
            raise UndesiredError(f"Failed to load target state: {error}", revision=asked, hint=error.hint) from error
        known = memory.wanted
        if known is not None and known.render == rendered.digest and known.source_type == rendered.source_type:
            if known.revision == commit:
                return known
            wanted = Wanted(
                commit,
                known.source_type,
                known.render,
                known.objects,
                known.digests,
                known.hooks,
                known.warnings,
                known.invalid,
                known.unknown,
            )
        else:
            settings = self._settings()
            normalised = normalise(
                rendered.manifests,
                scope=self._discovery.scope,
                namespace=app.destination.namespace,
                tracking=settings.tracking,
                app_id=app.id,
            )
            sorted_out = sort_out(normalised.desired.values())
            objects = {desired.key: desired for desired in sorted_out.plain}
            digests: dict[Key, bytes] = {key: digest_of(desired.object) for key, desired in objects.items()}
            wanted = Wanted(
                commit,
                rendered.source_type,
                rendered.digest,
                objects,
                digests,
                hooks=sorted_out.hooks,
                warnings=normalised.warnings,
                invalid=normalised.problems,
                unknown=tuple(normalised.unknown.values()),
            )
        memory.wanted = wanted
        return wanted

    async def poll(self, url: str) -> bool:
        """Asks the repository whether anything moved. Raises :class:`HomeostatError`."""
        return await self._sources.poll(self._repository(url))

    async def untouched(self, app: App) -> bool:
        """Whether the render of the app still holds at what its source asks for now; costs a look at the trace, and no network."""
        source = app.sources[0]
        try:
            repository = self._repository(source.repo_url)
            commit = (await self._sources.resolve(repository, source.target_revision)).commit
            tree = await self._sources.tree(repository, commit)
        except HomeostatError:
            return False
        return self._renderer.holds(source=source, tree=tree, context=self._context(app, commit))

    def forget(self, app_key: AppKey) -> None:
        """The app is gone."""
        self._renderer.forget(str(app_key))

    def _context(self, app: App, commit: str) -> RenderContext:
        return RenderContext(
            app_name=app.key.name,
            namespace=app.destination.namespace,
            project=app.project,
            revision=commit,
            kube_version=self._discovery.server_version,
            api_versions=self._discovery.api_versions,
            subject=str(app.key),
            build_options=tuple(self._settings().kustomize_build_options.split()),
        )
