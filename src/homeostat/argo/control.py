"""Everything of Argo CD's that Homeostat keeps an eye on in the control namespace: Applications, projects, settings, repositories' Secrets.

One watch each, and callbacks when something changed. :class:`ControlPlane` is the loop's :class:`~homeostat.loop.seam.Apps`. What is read from the
objects is decided in ``read.py``, ``projects.py`` and ``settings.py``; how a status is written in ``status.py`` and ``writer.py``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Sequence

import structlog

from homeostat.argo.errors import NotInstalledError
from homeostat.argo.events import EventWriter
from homeostat.argo.projects import Project, read_project
from homeostat.argo.resources import APPLICATIONS, CONFIG_MAPS, PROJECTS, SECRETS
from homeostat.argo.settings import CONFIG_MAPS as SETTINGS_NAMES
from homeostat.argo.settings import read_settings
from homeostat.argo.store import Changed, Store
from homeostat.argo.webhooks import WebhookSecrets, read_webhook_secrets
from homeostat.argo.writer import StatusWriter
from homeostat.live import wire
from homeostat.live.client import Client
from homeostat.live.errors import NotFoundError
from homeostat.live.reflector import Reflector
from homeostat.model.app import App, AppKey, Duty
from homeostat.model.objects import Object
from homeostat.model.report import Report
from homeostat.model.settings import Settings

log = structlog.get_logger(__name__)

DEFAULT_NAMESPACE = "argocd"
REPOSITORY_SECRETS = "argocd.argoproj.io/secret-type in (repository,repo-creds)"
PART_OF = "app.kubernetes.io/part-of=argocd"
"""Argo CD reads only ConfigMaps, and Secrets that it refers to, with this label."""


class ControlPlane:
    """Start :meth:`run` in a task group, then await :meth:`ready`.

    ``settings``, ``projects``, ``secrets`` (the Secrets of repositories, as objects) and ``webhook_secrets`` are what they are now; ask again after a
    callback, or whenever they are needed.
    """

    def __init__(self, client: Client, *, namespace: str = DEFAULT_NAMESPACE, clock: Callable[[], float] = time.time) -> None:
        self.namespace = namespace
        self.settings = Settings(namespace=namespace)
        self.projects: dict[str, Project] = {}
        self.events = EventWriter(client, clock=clock)
        self.store = Store(projects=lambda: self.projects, settings=lambda: self.settings)
        self.writer = StatusWriter(client, self.store, self.events, clock=clock)
        self._config_maps: dict[str, Object] = {}
        self.webhook_secrets = WebhookSecrets({})
        self._secrets: dict[str, Object] = {}
        self._own_secrets: dict[str, Object] = {}
        self._settings_listeners: list[Callable[[], None]] = []
        self._repository_listeners: list[Callable[[], None]] = []
        # Projects and settings first: an Application is read by what they say.
        self._reflectors = (
            Reflector(client, PROJECTS, self._on_project, namespace=namespace),
            Reflector(client, CONFIG_MAPS, self._on_config_map, namespace=namespace, label_selector=PART_OF),
            Reflector(client, SECRETS, self._on_secret, namespace=namespace, label_selector=REPOSITORY_SECRETS),
            Reflector(client, SECRETS, self._on_own_secret, namespace=namespace, label_selector=PART_OF),
        )
        self._applications = Reflector(client, APPLICATIONS, self.store.told, namespace=namespace)

    async def run(self) -> None:
        """Watches and writes events until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for reflector in self._reflectors:
                group.create_task(reflector.run(), name=f"watch {reflector.resource} of the control plane")
            group.create_task(self._watch_applications(), name="watch applications")
            group.create_task(self.events.run(), name="write events")

    async def ready(self) -> None:
        """Returns when everything was listed once.

        Raises :class:`NotInstalledError` when the cluster does not know Argo CD's kinds, and :class:`ApiError` for what else is in the way
        (no rights, no answer): :meth:`run` goes on trying.
        """
        for reflector in (*self._reflectors, self._applications):
            await reflector.settled.wait()
            if reflector.synced.is_set() or reflector.error is None:
                continue
            if isinstance(reflector.error, NotFoundError):
                raise NotInstalledError(reflector.resource.kind) from reflector.error
            raise reflector.error

    @property
    def secrets(self) -> Sequence[Object]:
        """The ``repository`` and ``repo-creds`` Secrets."""
        return list(self._secrets.values())

    def subscribe_settings(self, changed: Callable[[], None]) -> None:
        """``changed`` is called when :attr:`settings` is another than before."""
        self._settings_listeners.append(changed)

    def subscribe_repositories(self, changed: Callable[[], None]) -> None:
        """``changed`` is called when :attr:`secrets` has changed."""
        self._repository_listeners.append(changed)

    # What the loop asks for (homeostat.loop.seam.Apps).

    def get(self, key: AppKey) -> App | None:
        return self.store.get(key)

    def keys(self) -> Iterable[AppKey]:
        return self.store.keys()

    def subscribe(self, changed: Changed) -> None:
        self.store.subscribe(changed)

    async def report(self, app: App, report: Report) -> App:
        return await self.writer.report(app, report)

    async def bind(self, app: App, duties: Collection[Duty]) -> None:
        await self.writer.bind(app, duties)

    async def _watch_applications(self) -> None:
        for reflector in self._reflectors:
            await reflector.settled.wait()
        await self._applications.run()

    def _on_project(self, kind: str, seen: wire.Seen) -> None:
        name = seen.key.name
        before = self.projects.get(name)
        if kind == "DELETED":
            self.projects.pop(name, None)
        else:
            self.projects[name] = read_project(seen.object)
        if self.projects.get(name) != before:
            self.store.reread(lambda app: app.project == name)

    def _on_config_map(self, kind: str, seen: wire.Seen) -> None:
        name = seen.key.name
        if name not in SETTINGS_NAMES:
            return
        if kind == "DELETED":
            self._config_maps.pop(name, None)
        else:
            self._config_maps[name] = seen.object
        settings = read_settings(self._config_maps, namespace=self.namespace)
        if settings == self.settings:
            return
        for warning in settings.warnings:
            if warning not in self.settings.warnings:
                log.warning("a setting cannot be read", reason=warning)
        self.settings = settings
        for changed in self._settings_listeners:
            changed()

    def _on_secret(self, kind: str, seen: wire.Seen) -> None:
        if kind == "DELETED":
            self._secrets.pop(seen.key.name, None)
        else:
            self._secrets[seen.key.name] = seen.object
        for changed in self._repository_listeners:
            changed()

    def _on_own_secret(self, kind: str, seen: wire.Seen) -> None:
        if kind == "DELETED":
            self._own_secrets.pop(seen.key.name, None)
        else:
            self._own_secrets[seen.key.name] = seen.object
        before, self.webhook_secrets = self.webhook_secrets.unreadable, read_webhook_secrets(self._own_secrets)
        if self.webhook_secrets.unreadable != before:
            log.warning("secrets of webhooks refer to Secrets or keys that are not there", keys=self.webhook_secrets.unreadable)
