"""Puts the parts together, once: the one module that knows every package of the house.

:func:`assemble` makes the parts that look at a cluster (the controller and the command line both need them), :class:`Controller` runs the loop on
them. Here is also the list of everything that runs in the process:

    the cluster's watches         live.cluster
    the control plane's watches   argo.control (Applications, projects, settings, repository Secrets; events out)
    the loop                      loop.engine (workers, poller)
    changes that count for less   loop.updates (examined before the loop is told)
    the evaluators                evaluate.pool (child processes, started when needed)
    the HTTP server               web.probes (/healthz, /readyz, /metrics), web.webhooks (/api/webhook)
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from prometheus_client import REGISTRY

from homeostat import toolchain
from homeostat.argo.control import ControlPlane
from homeostat.argo.metrics import AppCollector
from homeostat.argo.repositories import Repositories
from homeostat.compare.health.scripts import Judge
from homeostat.compare.ignore import Ignorer
from homeostat.desired.plugins.config import read_folder
from homeostat.desired.plugins.plugins import Plugins
from homeostat.desired.render.renderer import Renderer
from homeostat.desired.sources.artefacts import MEDIA_TYPES
from homeostat.desired.sources.charts import ChartSources
from homeostat.desired.sources.dependencies import Dependencies
from homeostat.desired.sources.folder import own_folder
from homeostat.desired.sources.git import GitSources
from homeostat.desired.sources.overlays import Overlays
from homeostat.desired.sources.sources import Sources
from homeostat.desired.sources.value_files import ValueFiles
from homeostat.desired.sources.web import Web
from homeostat.evaluate.pool import Pool
from homeostat.evaluate.requests import SemverRequest
from homeostat.live.client import Client
from homeostat.live.cluster import Cluster
from homeostat.loop.deleting import Deleter
from homeostat.loop.desire import Desirer
from homeostat.loop.engine import Engine
from homeostat.loop.guarding import Guarding
from homeostat.loop.lasthooks import LastHooks
from homeostat.loop.locate import Locator
from homeostat.loop.look import Looker
from homeostat.loop.reconcile import Reconciler
from homeostat.loop.remains import Remains
from homeostat.loop.syncing import Syncer
from homeostat.loop.updates import Updates
from homeostat.model.filters import is_excluded
from homeostat.model.settings import Settings

log = structlog.get_logger()


@dataclass(frozen=True)
class Options:
    """What an operator decides when starting the process.

    ``cache`` is where clones are kept (beside those of other processes); ``file_roots`` are folders whose repositories may be named by ``file:`` addresses; ``workers`` is how many apps
    are looked at side by side, ``evaluators`` how many evaluator processes there are at most. ``plugins`` is the folder of the ``plugin.yaml`` files of
    commands, ``plugin_sockets`` the one of the sockets of sidecars.
    """

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str = "argocd"
    cache: Path | None = None
    file_roots: Sequence[Path] = ()
    workers: int = 16
    evaluators: int = 0
    plugins: Path | None = None
    plugin_sockets: Path | None = None


@dataclass(frozen=True)
class Parts:
    """What looks at one cluster, started."""

    client: Client
    cluster: Cluster
    control: ControlPlane
    pool: Pool
    plugins: Plugins
    sources: Sources
    desirer: Desirer
    looker: Looker
    judge: Judge
    settings: Callable[[], Settings]


def cache_folder() -> Path:
    """Where clones are kept unless somebody says otherwise."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "homeostat" / "sources"


@asynccontextmanager
async def assemble(options: Options, *, progress: Callable[[str], None] | None = None) -> AsyncIterator[Parts]:
    """Everything that looks, started and ended with the context. Raises :class:`homeostat.live.errors.ApiError` without a cluster."""
    program = await asyncio.to_thread(toolchain.program, "evaluator", progress=progress)
    with own_folder(options.cache or cache_folder()) as clones:
        async with _assembled(options, program, clones) as parts:
            yield parts


@asynccontextmanager
async def _assembled(options: Options, program: Path, clones: Path) -> AsyncIterator[Parts]:
    async with (
        await Client.connect(options.kubeconfig, options.context) as client,
        Pool(program=program, size=options.evaluators or os.cpu_count() or 2) as pool,
    ):
        control = ControlPlane(client, namespace=options.namespace)

        def settings() -> Settings:
            return control.settings

        async def highest(constraint: str, versions: Sequence[str]) -> str | None:
            answer = await pool.evaluate(SemverRequest(constraint=constraint, versions=tuple(versions)), subject=f"versions {constraint}")
            return str(answer.value) if answer.value is not None else None

        repositories = Repositories(control)
        async with (
            Cluster(client, tracking=control.settings.tracking, excluded=lambda kind: is_excluded(control.settings, kind)) as cluster,
            GitSources(
                clones, highest=highest, file_roots=options.file_roots, with_submodules=lambda: control.settings.git_submodules
            ) as git,
            Web() as web,
        ):
            charts = ChartSources(
                clones / "charts", pool=pool, web=web, media_types=lambda: frozenset(control.settings.oci_media_types) or MEDIA_TYPES
            )
            sources = Sources(
                git=git,
                charts=charts,
                dependencies=Dependencies(charts, pool=pool),
                overlays=Overlays(
                    git=git, charts=charts, web=web, with_charts=lambda: "--enable-helm" in control.settings.kustomize_build_options
                ),
                value_files=ValueFiles(web, schemes=lambda: control.settings.helm_value_file_schemes),
                repository=repositories.git,
                chart_repository=repositories.charts,
                names=repositories.names,
            )
            judge = Judge(pool, lambda: control.settings.health_scripts)
            ignorer = Ignorer(pool, settings)
            definitions = await asyncio.to_thread(read_folder, options.plugins) if options.plugins else ()
            plugins = Plugins(definitions, sockets=options.plugin_sockets)
            renderer = Renderer(pool=pool, plugins=plugins)
            desirer = Desirer(locator=Locator(sources), renderer=renderer, discovery=cluster.discovery, settings=settings)
            looker = Looker(cluster, judge=judge, ignorer=ignorer, settings=settings)
            yield Parts(client, cluster, control, pool, plugins, sources, desirer, looker, judge, settings)


class Controller:
    """The loop on assembled parts. ``started`` is set once every app has been handed to the loop."""

    def __init__(self, parts: Parts, *, workers: int = 16) -> None:
        cluster, settings = parts.cluster, parts.settings
        self._parts = parts
        self.started = asyncio.Event()
        self._settings_changed = asyncio.Event()
        remains = Remains(cluster, judge=parts.judge, settings=settings)
        self.reconciler = Reconciler(
            apps=parts.control,
            cluster=cluster,
            desirer=parts.desirer,
            looker=parts.looker,
            guarding=Guarding(cluster, settings=settings),
            syncer=Syncer(cluster, judge=parts.judge, ignorer=parts.looker.ignorer, settings=settings),
            deleter=Deleter(remains, apps=parts.control, looker=parts.looker, hooks=LastHooks(remains, desirer=parts.desirer)),
        )
        self._updates = Updates(cluster, ignorer=parts.looker.ignorer, judge=parts.judge, settings=settings)
        self.engine = Engine(
            apps=parts.control,
            cluster=cluster,
            reconciler=self.reconciler,
            desirer=parts.desirer,
            settings=settings,
            workers=workers,
        )

    @property
    def ready(self) -> bool:
        """The loop runs and the API server answers."""
        return self.started.is_set() and self._parts.cluster.connected

    async def run(self) -> None:
        """Until cancelled. Raises :class:`homeostat.argo.errors.NotInstalledError` on a cluster without Argo CD's kinds."""
        parts = self._parts
        collector = AppCollector(parts.control.store)
        REGISTRY.register(collector)
        try:
            await self._run(parts)
        finally:
            REGISTRY.unregister(collector)

    async def _run(self, parts: Parts) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(parts.control.run(), name="control plane")
            await parts.control.ready()
            await parts.cluster.retrack(parts.settings().tracking)
            parts.control.subscribe_settings(self._settings_changed.set)
            parts.control.subscribe_repositories(self.engine.everything_due)
            parts.sources.subscribe(self.engine.repository_moved)
            group.create_task(self.engine.run(), name="loop")
            group.create_task(self._updates.run(), name="ignored updates")
            self.started.set()
            await self._check_settings()
            log.info("controller started", apps=len(list(parts.control.keys())), namespace=parts.control.namespace)

            while True:
                await self._settings_changed.wait()
                self._settings_changed.clear()
                await parts.cluster.retrack(parts.settings().tracking)
                await parts.cluster.refilter()
                await self._check_settings()
                self.engine.everything_due()

    async def _check_settings(self) -> None:
        """Says what is wrong with the system's own rules; an app is told of those that are meant for its objects."""
        settings = self._parts.settings()
        asked = (*settings.ignore, *(rule for rule in settings.ignore_updates if rule not in settings.ignore))
        for problem in await self._parts.looker.ignorer.problems(asked):
            log.warning("a setting cannot be read", reason=problem)
