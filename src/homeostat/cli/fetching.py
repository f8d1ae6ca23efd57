"""Sources fetched with no cluster: what commands need that look at Applications in files, where a source lies in no repository at hand.

There are no credentials but those in the address: those of a cluster stay in it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from homeostat.desired.sources.charts import ChartRepository, ChartSources
from homeostat.desired.sources.dependencies import Dependencies
from homeostat.desired.sources.folder import own_folder
from homeostat.desired.sources.git import GitSources, Repo
from homeostat.desired.sources.overlays import Overlays
from homeostat.desired.sources.sources import Sources
from homeostat.desired.sources.value_files import ValueFiles
from homeostat.desired.sources.web import Web
from homeostat.evaluate.pool import Pool
from homeostat.evaluate.requests import SemverRequest
from homeostat.lint.apps import Fetch
from homeostat.model.app import Source
from homeostat.model.tree import Tree
from homeostat.wiring import cache_folder


class _Fetching(Fetch):
    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def tree(self, source: Source, project: str) -> Tree | None:
        pinned = await self._sources.resolve(source, project)
        return await self._sources.tree(source, project, pinned.revision)

    async def completed(self, tree: Tree, source: Source, project: str) -> Tree:
        return await self._sources.completed(tree, source, project)


@asynccontextmanager
async def fetching(pool: Pool, *, file_roots: Sequence[Path] = ()) -> AsyncIterator[Fetch]:
    """Every kind of source. ``file_roots`` are the folders whose repositories ``file:`` addresses may name."""

    async def highest(constraint: str, versions: Sequence[str]) -> str | None:
        answer = await pool.evaluate(SemverRequest(constraint=constraint, versions=tuple(versions)), subject=f"versions {constraint}")
        return str(answer.value) if answer.value is not None else None

    def repository(url: str, _project: str) -> Repo:
        return Repo(url)

    def chart_repository(url: str, _project: str, everywhere: bool) -> ChartRepository:
        return ChartRepository(url, everywhere=everywhere)

    def names(_project: str) -> Mapping[str, str]:
        return {}

    with own_folder(cache_folder()) as clones:
        async with Web() as web, GitSources(clones, highest=highest, file_roots=file_roots) as git:
            charts = ChartSources(clones / "charts", pool=pool, web=web)
            sources = Sources(
                git=git,
                charts=charts,
                dependencies=Dependencies(charts, pool=pool),
                overlays=Overlays(git=git, charts=charts, web=web, with_charts=lambda: True),
                value_files=ValueFiles(web),
                repository=repository,
                chart_repository=chart_repository,
                names=names,
            )
            yield _Fetching(sources)
