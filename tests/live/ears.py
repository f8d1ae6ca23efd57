"""Listeners that remember what they were told, and can be waited for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from homeostat.live import wire
from homeostat.live.reflector import Reflector
from homeostat.model import tasks
from homeostat.model.objects import Key, Object


class _Remembering:
    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def _told(self) -> None:
        self._changed.set()

    async def until(self, happened: Callable[[], bool]) -> None:
        """Waits until ``happened()``; looks again whenever something was told. The time limit of the test is the limit."""
        while not happened():
            self._changed.clear()
            await self._changed.wait()


class Ear(_Remembering):
    """Listens to a reflector: ``events`` are (type, name), ``objects`` what is there by now."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[str, str]] = []
        self.objects: dict[str, Object] = {}

    def __call__(self, kind: str, seen: wire.Seen) -> None:
        name = seen.key.name
        if name == "kube-root-ca.crt":
            return
        self.events.append((kind, name))
        if kind == "DELETED":
            self.objects.pop(name, None)
        else:
            self.objects[name] = seen.object
        self._told()

    def data(self, name: str) -> Any:
        return (self.objects.get(name) or {}).get("data")


class Concerned(_Remembering):
    """Listens to a cluster: ``told`` are (name, apps)."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, set[str]]] = []

    def __call__(self, key: Key, apps: frozenset[str]) -> None:
        self.told.append((key.name, set(apps)))
        self._told()


@contextlib.asynccontextmanager
async def running(reflector: Reflector) -> AsyncIterator[Reflector]:
    """Runs a reflector meanwhile; it has settled before the body begins."""
    task = tasks.spawn(reflector.run(), name="reflector under test")
    try:
        await reflector.settled.wait()
        yield reflector
    finally:
        await tasks.cancel([task])
