"""One face for every kind of source, so that the loop treats Git repositories and charts alike: a source becomes a revision, a revision a tree.

The kind is read off the source: ``chart`` set, or an ``oci://`` address, is a chart; all else is Git. A tree holds all that a render needs, dependencies
of its chart included. What each kind does is in ``git.py`` and ``charts.py``; whose credentials fit is decided by whoever makes the repositories.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping

import msgspec

from homeostat.desired.sources.charts import ChartRepository, ChartSources
from homeostat.desired.sources.dependencies import Dependencies
from homeostat.desired.sources.git import GitSources, Repo
from homeostat.desired.sources.overlays import KUSTOMIZATIONS, Doors, Overlays
from homeostat.desired.sources.value_files import ValueFiles
from homeostat.model.app import Source
from homeostat.model.tree import Tree, TreeError


class Pinned(msgspec.Struct, frozen=True):
    """What a source means now: a commit, or a version of a chart. ``reference`` is what led to a commit, as ``git.Resolved`` has it."""

    revision: str
    reference: str = ""


class Sources:
    """See the module.

    ``repository`` answers the Git repository of an address and a project with its credentials, ``chart_repository`` that of charts (its last argument
    is ``passCredentials``), ``names`` the addresses behind the names of a project's Helm repositories.
    """

    def __init__(
        self,
        *,
        git: GitSources,
        charts: ChartSources,
        dependencies: Dependencies,
        overlays: Overlays,
        value_files: ValueFiles,
        repository: Callable[[str, str], Repo],
        chart_repository: Callable[[str, str, bool], ChartRepository],
        names: Callable[[str], Mapping[str, str]],
    ) -> None:
        self.git = git
        self._charts = charts
        self._dependencies = dependencies
        self._overlays = overlays
        self._value_files = value_files
        self._repository = repository
        self._chart_repository = chart_repository
        self._names = names
        self._listeners: list[Callable[[str], None]] = []

    def subscribe(self, moved: Callable[[str], None]) -> None:
        """``moved`` is called with the key of a repository in which something may have moved: as :meth:`GitSources.subscribe` says, and after each poll
        of a repository of charts, whoever heard of its news first. It must be quick, and ask nothing of this object.
        """
        self.git.subscribe(moved)
        self.git.subscribe(lambda repository: self._tell(self._overlays.users(repository)))
        self._listeners.append(moved)

    def repository(self, source: Source, project: str) -> Repo | None:
        """The Git repository of the source, where it is one."""
        return None if is_chart(source) else self._repository(source.repo_url, project)

    def key(self, source: Source, project: str) -> str:
        """What the sources have in common that hear of the same news: the repository's normalised address. Raises :class:`RefusedError`."""
        if is_chart(source):
            where, chart = self._shop(source, project)
            return (
                f"{where.key}/{chart}".rstrip("/") if where.is_oci else where.key
            )  # an index is of many charts, a registry is asked for each
        return self._repository(source.repo_url, project).key

    async def resolve(self, source: Source, project: str, *, revision: str = "", fresh: bool = False, since: float | None = None) -> Pinned:
        """What ``revision`` (else the source's own) means now; ``fresh`` and ``since`` as for :meth:`GitSources.resolve`.

        Raises a :class:`homeostat.desired.sources.errors.SourceError`.
        """
        asked = revision or source.target_revision
        if is_chart(source):
            where, chart = self._shop(source, project)
            return Pinned(await self._charts.resolve(where, chart, asked, fresh=fresh, since=since))
        repository = self._repository(source.repo_url, project)
        found = await self.git.resolve(repository, asked, tag_prefix=source.tag_prefix, fresh=fresh, since=since)
        return Pinned(found.commit, found.reference)

    async def tree(self, source: Source, project: str, revision: str, *, fresh: bool = False, since: float | None = None) -> Tree:
        """The files at a pinned ``revision``, with the dependencies of the source's chart. Versions of dependencies that no lock pins are asked for
        anew with ``fresh``.
        """
        tree: Tree
        if is_chart(source):
            where, chart = self._shop(source, project)
            tree = await self._charts.tree(where, chart, revision)
        else:
            tree = await self.git.tree(self._repository(source.repo_url, project), revision)
        return await self.completed(tree, source, project, fresh=fresh, since=since)

    async def completed(self, tree: Tree, source: Source, project: str, *, fresh: bool = False, since: float | None = None) -> Tree:
        """``tree`` with what the render of ``source`` needs besides: for files that came some other way than by :meth:`tree`."""
        path = posixpath.normpath(source.path or ".")
        if source.plugin is not None or source.directory is not None or path.startswith(("/", "..")):
            return tree
        path = "" if path == "." else path

        def repository(url: str) -> ChartRepository:
            return self._chart_repository(url, project, source.helm is not None and source.helm.pass_credentials)

        if source.kustomize is not None or (source.helm is None and _is_overlay(tree, path)):
            doors = Doors(lambda url: self._repository(url, project), repository)
            added = source.kustomize.components if source.kustomize is not None else ()
            return await self._overlays.mounted(
                tree, path, doors, key=lambda: self.key(source, project), components=added, fresh=fresh, since=since
            )
        tree = await self._dependencies.mounted(
            tree, path, repository=repository, names=lambda: self._names(project), fresh=fresh, since=since
        )
        return await self._value_files.mounted(
            tree, source, server=repository, key=lambda: self.key(source, project), fresh=fresh, since=since
        )

    async def poll(self, source: Source, project: str) -> bool:
        """Ask the server, and say whether anything moved."""
        key = self.key(source, project)
        if is_chart(source):
            where, chart = self._shop(source, project)
            moved = await self._charts.poll(where, chart)
            self._tell([key])
            users: set[str] = set()
        else:
            moved = await self.git.poll(self._repository(source.repo_url, project))
            users = await self._overlays.poll(key)
            self._tell(users)
        others, lost = await self._value_files.poll(key)
        self._tell(others)
        if lost is not None:
            raise lost
        return moved or bool(users | others)

    def _tell(self, keys: Iterable[str]) -> None:
        for key in keys:
            for listener in self._listeners:
                listener(key)

    def again_in(self, source: Source, project: str) -> float | None:
        """When a poll of a repository whose server did not answer is worth while; ``None``: as for all others (charts wait by host)."""
        return None if is_chart(source) else self.git.again_in(self._repository(source.repo_url, project))

    def _shop(self, source: Source, project: str) -> tuple[ChartRepository, str]:
        """The repository and the name of the chart in it; no name: the repository of a registry is the artefact itself."""
        passing_on = source.helm is not None and source.helm.pass_credentials
        return self._chart_repository(source.repo_url, project, passing_on), source.chart


def is_chart(source: Source) -> bool:
    return bool(source.chart) or source.repo_url.startswith("oci://")


def _is_overlay(tree: Tree, path: str) -> bool:
    """Whether Kustomize renders it, as :func:`homeostat.desired.render.detect.detect` says; so too where the render will refuse to look."""
    try:
        return any(tree.stat(posixpath.join(path, name)) is not None for name in KUSTOMIZATIONS)
    except TreeError:
        return True
