"""The Applications of the control namespace as they stand: each as an app for the loop, and as JSON for whoever writes its status.

An event that tells what we know already (the echo of our own write, or an older state than its answer) is not news; one that overtakes the answer
waits for it. The body is kept as JSON
without its managed fields: a thousand dictionaries would cost ten times the memory. No I/O here: ``control.py`` watches, ``writer.py`` writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
import orjson

from homeostat.argo.projects import Project
from homeostat.argo.read import key_of_app, read_app
from homeostat.live import wire
from homeostat.model.app import App, AppKey
from homeostat.model.objects import Object
from homeostat.model.settings import Settings

Changed = Callable[[AppKey], None]


class _Entry(msgspec.Struct):
    app: App
    raw: bytes
    version: int


class Store:
    """``projects`` and ``settings`` are asked each time an Application is read."""

    def __init__(self, *, projects: Callable[[], Mapping[str, Project]], settings: Callable[[], Settings]) -> None:
        self._projects = projects
        self._settings = settings
        self._entries: dict[AppKey, _Entry] = {}
        self._listeners: list[Changed] = []
        self._writing: dict[AppKey, tuple[str, wire.Seen] | None] = {}

    @property
    def namespace(self) -> str:
        """The control namespace."""
        return self._settings().namespace

    def get(self, key: AppKey) -> App | None:
        entry = self._entries.get(key)
        return entry.app if entry is not None else None

    def object(self, key: AppKey) -> Object | None:
        """The Application as the API server has it, without managed fields. The caller's to change."""
        entry = self._entries.get(key)
        return orjson.loads(entry.raw) if entry is not None else None

    def keys(self) -> Iterable[AppKey]:
        return list(self._entries)

    def subscribe(self, changed: Changed) -> None:
        """``changed`` is called in the event loop whenever somebody else changed what an app wants, asked something of it, or deleted it."""
        self._listeners.append(changed)

    def saw(self, obj: Object) -> None:
        """A list or a watch brought ``obj``."""
        self._take(obj, own=False)

    def wrote(self, obj: Object) -> None:
        """``obj`` is the answer to a write of ours."""
        self._take(obj, own=True)

    @contextmanager
    def writing(self, key: AppKey) -> Iterator[None]:
        """For the time of a write of ours: the watch may be quicker than the answer, and its event must not be taken for somebody else's doing."""
        self._writing[key] = None
        try:
            yield
        finally:
            overtook = self._writing.pop(key)
            if overtook is not None:
                self.told(*overtook)

    def told(self, kind: str, seen: wire.Seen) -> None:
        """A listener for a reflector."""
        key = AppKey(seen.key.kind, seen.key.namespace, seen.key.name)
        if key in self._writing:
            self._writing[key] = (kind, seen)  # of several the last one tells all
            return
        entry = self._entries.get(key)
        if kind == "DELETED":
            if entry is not None and entry.app.uid == seen.uid:
                self.forget(key)
        elif entry is None or not seen.version or seen.version > entry.version or entry.app.uid != seen.uid:
            self.saw(seen.object)

    def forget(self, key: AppKey) -> None:
        """The Application is gone."""
        if self._entries.pop(key, None) is not None:
            self._tell(key)

    def reread(self, wanted: Callable[[App], bool]) -> None:
        """Reads the Applications of ``wanted`` again, because what they refer to has changed."""
        for entry in list(self._entries.values()):
            if wanted(entry.app):
                self._take(orjson.loads(entry.raw), own=False)

    def _take(self, obj: Object, *, own: bool) -> None:
        key = key_of_app(obj)
        obj["metadata"].pop("managedFields", None)
        app = read_app(obj, self._settings(), self._projects())
        before = self._entries.get(key)
        self._entries[key] = _Entry(app, orjson.dumps(obj), wire.number(app.resource_version))
        if before is None or _news(before.app, app, own=own):
            self._tell(key)

    def _tell(self, key: AppKey) -> None:
        for changed in self._listeners:
            changed(key)


def _wants(app: App) -> tuple[Any, ...]:
    """What of an app others decide."""
    return (
        app.uid, app.spec, app.problems, app.deleting, app.finalizer, app.approved_at, app.skip, app.windows, app.signatures, app.guards_off,
    )  # fmt: skip


def _news(before: App, after: App, *, own: bool) -> bool:
    """Whether the step is one that the loop has not taken itself. In the answer to our own write, a request that is gone is our own doing."""
    if _wants(before) != _wants(after):
        return True
    if own:
        asked = after.requested is not None and before.requested is not None and after.requested.raw != before.requested.raw
        return asked or bool(after.refresh and after.refresh != before.refresh)
    return any(getattr(before, name) != getattr(after, name) for name in ("requested", "refresh", "state", "history", "recorded", "duties"))
