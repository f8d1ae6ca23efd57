"""What is due, and who does it. This page shows every task of the loop:

    worker 1 … n     take the next app from the queue and reconcile it
    poller           asks each repository in use, once per interval, whether anything moved
    spreader         tells the apps of a repository that moved, the touched ones first
    listener         hears of pushes from others, and sees to it that their repositories are asked (``pushes``)
    (callbacks)      an app's resource changed, an object of an app changed, a repository moved → the app is due

A failure of one app is that app's: it is logged, and the app is due again with capped back-off. What reconciling means is next door.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import structlog

from homeostat.desired.sources.urls import redact
from homeostat.live.cluster import Cluster
from homeostat.live.errors import ApiError
from homeostat.loop import metrics
from homeostat.loop.desire import Desirer, Touched
from homeostat.loop.pushes import Found, Published, Push, Pushes
from homeostat.loop.queue import AppQueue, Priority
from homeostat.loop.reconcile import Reconciler
from homeostat.loop.seam import Apps
from homeostat.model.app import App, AppKey
from homeostat.model.objects import Key
from homeostat.model.settings import Settings
from homeostat.model.tasks import together

log = structlog.get_logger()

FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 60.0

POLL_CLOCK = 2.0
"""Seconds between two looks at which repositories are due."""

SPREAD_AT_ONCE = 20
"""Apps that are told that their repository moved before others get a turn: about a millisecond."""


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
        self._locator = desirer.locator
        self._settings = settings
        self._workers = workers
        self.queue = AppQueue(periodic=max(1, workers * 3 // 4))
        self._failures: dict[AppKey, int] = {}
        self._asked: dict[AppKey, float] = {}
        self._moved: set[str] = set()
        self._something_moved = asyncio.Event()
        self._moved_lately: set[str] = set()
        self._pushes = Pushes(in_use=self._repositories_in_use, apps=self._known, fetch=self._fetch, look=self._look)

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
                group.create_task(self._spread(), name="spread what moved")
                group.create_task(self._pushes.run(), name="listener")
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
            key, _ = await self.queue.take()
            started = time.monotonic()
            try:
                after = await self._reconciler.reconcile(key, asked_at=self._asked.pop(key, None))
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
        asked = app is not None and (bool(app.refresh) or (app.requested is not None and not app.requested.automated))
        if asked:
            self._asked.setdefault(key, time.monotonic())
        self.queue.add(key, Priority.HUMAN if asked else Priority.CHANGED)

    def _object_changed(self, _: Key, app_ids: frozenset[str]) -> None:
        for app_id in app_ids:
            key = self._reconciler.key_of(app_id)
            if key is not None:
                self.queue.add(key, Priority.CHANGED)

    def repository_moved(self, repository: str) -> None:
        """References of a repository moved: everybody who uses it looks again. Those whose render reads what changed go first."""
        self._moved.add(repository)
        self._moved_lately.add(repository)
        self._something_moved.set()

    def pushed(self, push: Push) -> bool:
        """Somebody says that a Git repository was pushed to; see :mod:`homeostat.loop.pushes`. False: not now, too many say so."""
        return self._pushes.pushed(push)

    def published(self, published: Published) -> bool:
        """Somebody says that tags were published in an OCI registry: apps that ask for one look with new eyes. False: not now."""
        return self._pushes.published(published)

    async def _fetch(self, repository: str) -> Found:
        using = self._repositories_in_use().get(repository)
        if not using:
            return Found.NOTHING
        self._moved_lately.discard(repository)
        await self._ask(repository, using)
        if self._locator.trouble(using[0], repository):
            return Found.TROUBLE
        return Found.NEWS if repository in self._moved_lately else Found.NOTHING

    def _look(self, keys: Iterable[AppKey]) -> None:
        for key in keys:
            self._asked.setdefault(key, time.monotonic())
            self.queue.add(key, Priority.CHANGED)

    async def _spread(self) -> None:
        while True:
            await self._something_moved.wait()
            self._something_moved.clear()
            moved, self._moved = self._moved, set()
            using = self._repositories_in_use()
            resting: list[AppKey] = []
            for repository in moved:
                for number, app in enumerate(using.get(repository, ())):
                    if not number % SPREAD_AT_ONCE:
                        await asyncio.sleep(0)  # who asked goes on first, and the loop turns: there may be thousands
                    touched = await self._desirer.touched(app)
                    if touched is Touched.CHANGED:
                        self.queue.add(app.key, Priority.CHANGED)
                    elif touched is Touched.HOLDS:
                        resting.append(app.key)
            # Only now: with nothing more urgent in the queue yet, they would take all the workers.
            for key in resting:
                self.queue.add(key, Priority.PERIODIC)

    async def _poll(self) -> None:
        due: dict[str, float] = {}
        asking: set[str] = set()

        async def ask(repository: str, using: Sequence[App], every: float) -> None:
            try:
                again = await self._ask(repository, using)
            finally:
                asking.discard(repository)
            due[repository] = time.monotonic() + (every if again is None else min(again, every))

        async with asyncio.TaskGroup() as group:
            while True:
                settings = self._settings()
                using = self._repositories_in_use()
                now = time.monotonic()
                for repository in due.keys() - using.keys():
                    del due[repository]
                # Spread, so that a restart does not make all repositories be asked in the same second for ever.
                every = {repository: settings.timeout + random.uniform(0, settings.timeout_jitter) for repository in using}  # noqa: S311
                for repository in using.keys() - asking:
                    due.setdefault(repository, now + every[repository])
                ready = [repository for repository, at in due.items() if at <= now] if settings.timeout > 0 else []
                for repository in ready:
                    del due[repository]
                    asking.add(repository)
                    # One that hangs keeps nobody waiting.
                    group.create_task(ask(repository, using[repository], every[repository]), name=f"poll {repository}")
                await asyncio.sleep(POLL_CLOCK)

    async def _ask(self, repository: str, using: Sequence[App]) -> float | None:
        """Polls a repository; answers when it should be asked again sooner than usual."""
        # A project may have credentials of its own for the repository; those who share them share the fetch.
        if any(await together(*(self._locator.poll(app, repository) for app in {app.project: app for app in using}.values()))):
            log.info("a repository can be asked again, or no more", repository=redact(repository), apps=len(using))
            for app in using:
                self.queue.add(app.key, Priority.PERIODIC)
        return self._locator.again_in(using[0], repository)

    def _known(self) -> Iterator[App]:
        for key in self._apps.keys():  # noqa: SIM118 (it is no mapping)
            app = self._apps.get(key)
            if app is not None:
                yield app

    def _repositories_in_use(self) -> dict[str, list[App]]:
        using: dict[str, list[App]] = {}
        for app in self._known():
            if app.sources and not app.problems and not app.skip:
                for repository in self._locator.repositories(app):
                    using.setdefault(repository, []).append(app)
        return using
