"""What is due, and who does it. This page shows every task of the loop:

    worker 1 … n     take the next app from the queue and reconcile it
    poller           asks each repository in use, once per interval, whether anything moved
    (callbacks)      an app's resource changed, an object of an app changed, a repository moved → the app is due

A failure of one app is that app's: it is logged, and the app is due again with capped back-off. What reconciling means is next door.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Collection

import structlog

from homeostat.live.cluster import Cluster
from homeostat.live.errors import ApiError
from homeostat.loop import metrics
from homeostat.loop.desire import Desirer
from homeostat.loop.queue import AppQueue, Priority
from homeostat.loop.reconcile import Reconciler
from homeostat.loop.seam import Apps
from homeostat.model.app import AppKey
from homeostat.model.errors import HomeostatError
from homeostat.model.objects import Key
from homeostat.model.settings import Settings

log = structlog.get_logger()

FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 60.0


class Engine:
    """Runs the loop until it is cancelled. ``workers`` apps are looked at side by side."""

    def __init__(
        self,
        *,
        apps: Apps,
        cluster: Cluster,
        reconciler: Reconciler,
        desirer: Desirer,
        settings: Callable[[], Settings],
        workers: int = 16,
    ) -> None:
        self._apps = apps
        self._cluster = cluster
        self._reconciler = reconciler
        self._desirer = desirer
        self._settings = settings
        self._workers = workers
        self.queue = AppQueue()
        self._failures: dict[AppKey, int] = {}

    async def run(self) -> None:
        """Until cancelled. Everything that is there is due once; after that, whatever changes."""
        unsubscribe = self._cluster.subscribe(self._object_changed)
        self._apps.subscribe(self._app_changed)
        self.everything_due()
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self._workers):
                    group.create_task(self._work(), name=f"worker {number + 1}")
                group.create_task(self._poll(), name="poller")
        finally:
            self.queue.close()
            unsubscribe()

    def everything_due(self) -> None:
        """All apps are looked at again: at the start, and when a setting changed that may matter to each."""
        known = self._apps.keys()
        for key in known:
            self.queue.add(key, Priority.PERIODIC)

    async def _work(self) -> None:
        while True:
            key, priority = await self.queue.take()
            started = time.monotonic()
            try:
                after = await self._reconciler.reconcile(key, priority)
            except ApiError as error:
                self._failed(key, log.bind(error=str(error), status=error.status).warning)
            except Exception:  # noqa: BLE001 - one app's fault must not end the loop for the others
                self._failed(key, log.exception)
            else:
                self._failures.pop(key, None)
                if after.seconds is not None:
                    self.queue.add_later(key, after.seconds, Priority.CHANGED)
            finally:
                self.queue.done(key)
                metrics.RECONCILE.observe(time.monotonic() - started)
                metrics.DUE.set(len(self.queue))

    def _failed(self, key: AppKey, tell: Callable[..., object]) -> None:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        wait = min(FIRST_BACKOFF * 2.0 ** min(failures, 10), LONGEST_BACKOFF)
        tell("app could not be looked at", app=str(key), again_in=wait)
        self.queue.add_later(key, wait, Priority.PERIODIC)

    def _app_changed(self, key: AppKey) -> None:
        app = self._apps.get(key)
        asked = app is not None and (bool(app.refresh) or app.requested is not None)
        self.queue.add(key, Priority.HUMAN if asked else Priority.CHANGED)

    def _object_changed(self, _: Key, app_ids: frozenset[str]) -> None:
        for app_id in app_ids:
            key = self._reconciler.key_of(app_id)
            if key is not None:
                self.queue.add(key, Priority.CHANGED)

    async def _poll(self) -> None:
        due: dict[str, float] = {}
        while True:
            settings = self._settings()
            sources = self._sources_in_use()
            now = time.monotonic()
            for url in due.keys() - sources.keys():
                del due[url]
            for url in sources:
                # Spread, so that a restart does not make all repositories be asked in the same second for ever.
                due.setdefault(url, now + settings.timeout + random.uniform(0, settings.timeout_jitter))  # noqa: S311
            ready = [url for url, at in due.items() if at <= now] if settings.timeout > 0 else []
            async with asyncio.TaskGroup() as group:
                for url in ready:
                    del due[url]
                    group.create_task(self._ask(url, sources[url]), name=f"poll {url}")
            soonest = min(due.values(), default=now + settings.timeout) - time.monotonic()
            await asyncio.sleep(min(max(soonest, 0.1), 5.0))

    async def _ask(self, url: str, using: Collection[AppKey]) -> None:
        try:
            moved = await self._desirer.poll(url)
        except HomeostatError as error:
            log.warning("repository could not be polled", repository=url, error=str(error))
            moved = True  # the apps say so in their own conditions
        if moved:
            await self.repository_moved(using)

    async def repository_moved(self, using: Collection[AppKey]) -> None:
        """Apps whose render read what changed go before those that only have a new revision to note."""
        for key in using:
            app = self._apps.get(key)
            if app is not None:
                untouched = await self._desirer.untouched(app)
                self.queue.add(key, Priority.PERIODIC if untouched else Priority.CHANGED)

    def _sources_in_use(self) -> dict[str, list[AppKey]]:
        using: dict[str, list[AppKey]] = {}
        known = self._apps.keys()
        for key in known:
            app = self._apps.get(key)
            if app is not None and app.sources and not app.problems:
                using.setdefault(app.sources[0].repo_url, []).append(key)
        return using
