"""The Applications of one control namespace: found by name, changed without overwriting others, followed as they change.

Only the requests and specs of Applications are written here, and always against the version they were decided on. Nothing is polled: who waits
for something follows the watch.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

from homeostat.argo.errors import NotInstalledError
from homeostat.argo.resources import APPLICATIONS
from homeostat.cli.apps.common import Place
from homeostat.cli.apps.errors import AppNotFoundError, RefusedError
from homeostat.live.client import Client
from homeostat.live.errors import ConflictError, GoneError, NotFoundError, UnavailableError
from homeostat.model.objects import Object

_ATTEMPTS = 8
_WATCH_AGAIN = 0.5
"""Seconds before a watch that broke is begun anew."""


class Applications:
    """``namespace`` is the control namespace. A name may be written as ``namespace/name``, as argocd prints them, in another one, too."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client = client
        self.namespace = namespace

    def split(self, name: str) -> tuple[str, str]:
        """``team/web`` → ``("team", "web")``; a name alone is one of the control namespace."""
        namespace, _, plain = name.rpartition("/")
        return namespace or self.namespace, plain

    def name_of(self, app: Object) -> str:
        """The name by which ``app`` is found here, and named in messages: with its namespace when that is another one."""
        metadata = app["metadata"]
        return str(metadata["name"]) if metadata["namespace"] == self.namespace else f"{metadata['namespace']}/{metadata['name']}"

    async def get(self, name: str) -> Object:
        """Raises :class:`AppNotFoundError`, :class:`NotInstalledError`, :class:`ApiError`."""
        namespace, plain = self.split(name)
        try:
            return _shown(await self.client.get(APPLICATIONS, namespace, plain))
        except NotFoundError:
            raise await self._missing(namespace, plain) from None

    async def listed(self, selector: str = "", *, namespace: str = "") -> list[Object]:
        """Those of the control namespace, or of another; sorted by name."""
        try:
            listing = await self.client.list(APPLICATIONS, namespace=namespace or self.namespace, label_selector=selector)
        except NotFoundError as error:
            raise NotInstalledError("Application") from error
        return sorted((_shown(app) for app in listing.items), key=lambda app: str(app["metadata"]["name"]))

    async def chosen(self, names: Sequence[str], selector: str) -> list[Object]:
        """The apps of those names, or with those labels. Raises :class:`RefusedError` when nothing, or both, is named."""
        if bool(names) == bool(selector):
            raise RefusedError("name one or more apps, or choose them with --selector", hint="`homeostat app list` shows what there is")
        if names:
            return [await self.get(name) for name in dict.fromkeys(names)]
        found = await self.listed(selector)
        if not found:
            raise RefusedError(f"no app in namespace {self.namespace} has the labels {selector}")
        return found

    async def change(self, name: str, decide: Callable[[Object], dict[str, Any] | None]) -> tuple[Object, Object | None]:
        """Merges the patch that ``decide`` makes of the app as it is; made anew when somebody else was quicker.

        Answers the app before and after; the latter is ``None`` when there was nothing to do.
        """
        for attempt in range(_ATTEMPTS):
            before = await self.get(name)
            patch = decide(before)
            if patch is None:
                return before, None
            metadata = before["metadata"]
            patch["metadata"] = {**patch.get("metadata", {}), "uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
            try:
                return before, _shown(await self.client.patch(APPLICATIONS, metadata["namespace"], metadata["name"], patch))
            except ConflictError:
                if attempt + 1 == _ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    async def follow(self, name: str, uid: str = "") -> AsyncGenerator[Object | None, None]:
        """The app as it is, and again whenever it changed; ``None`` at last when it (the one with ``uid``) is gone. Close the iterator."""
        namespace, plain = self.split(name)
        seen = ""
        while True:
            selection = f"metadata.name={plain}"
            listing = await self.client.list(APPLICATIONS, namespace=namespace, field_selector=selection)
            app = listing.items[0] if listing.items else None
            if app is None or (uid and app["metadata"]["uid"] != uid):
                yield None
                return
            if app["metadata"]["resourceVersion"] != seen:
                seen = app["metadata"]["resourceVersion"]
                yield _shown(app)
            try:
                watch = self.client.watch(
                    APPLICATIONS, resource_version=listing.resource_version, namespace=namespace, field_selector=selection
                )
                async with aclosing(watch) as events:
                    async for event in events:
                        if event.type == "BOOKMARK":
                            continue
                        if event.type == "DELETED":
                            yield None
                            return
                        seen = event.object["metadata"]["resourceVersion"]
                        yield _shown(event.object)
            except GoneError:
                continue
            except UnavailableError:
                await asyncio.sleep(_WATCH_AGAIN)  # The list says whether the server is really gone.

    async def _missing(self, namespace: str, name: str) -> Exception:
        return AppNotFoundError(namespace, name, [str(app["metadata"]["name"]) for app in await self.listed(namespace=namespace)])


@asynccontextmanager
async def connected(place: Place) -> AsyncIterator[Applications]:
    """The Applications at ``place``. No request is sent yet. Raises :class:`~homeostat.live.access.AccessError`."""
    async with await Client.connect(place.kubeconfig, place.context) as client:
        yield Applications(client, place.namespace)


def _shown(app: Object) -> Object:
    """Without managedFields, which say nothing to a person and fill pages."""
    app["metadata"].pop("managedFields", None)
    return app
