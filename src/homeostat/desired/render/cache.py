"""Renders that still hold. A render is kept with the tree it was made from and its trace, and is as good as new while a later tree answers
everything in the trace alike (design point 2). A failure is kept the same way: the same files fail the same way.

What a render is, and how one is made, is not known here; nor is anything kept for apps that are gone (:meth:`RenderCache.forget`).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

import msgspec

from homeostat.desired.errors import RenderError, RenderStoppedError
from homeostat.model.tree import IncomparableTreesError, Trace, Tree

T = TypeVar("T")

_PER_SOURCE = 2
"""A source's own render and one more (a preview, the revision of a running sync)."""

_DIFFERENCES_KEPT = 32
_STOPPED_SECONDS = 60.0
_STOPPED_MAX_SECONDS = 1800.0
"""How long a render that was stopped by a limit is not tried again while nothing changes; it doubles each time."""


class Made(msgspec.Struct, Generic[T], frozen=True):
    """What a run came to: a ``value`` or an ``error``. ``revision`` is set when it depends on the commit itself and not just on its files."""

    trace: Trace
    value: T | None = None
    error: RenderError | None = None
    revision: str = ""


class _Entry(Generic[T]):
    def __init__(self, made: Made[T], tree: Tree, expires: float, stops: int) -> None:
        self.made = made
        self.tree = tree
        self.expires = expires
        self.stops = stops


class RenderCache(Generic[T]):
    """Keeps the last renders of each subject. Two that ask for the same at the same time get one run."""

    def __init__(self) -> None:
        self._subjects: dict[str, OrderedDict[bytes, _Entry[T]]] = {}
        self._locks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._differences: OrderedDict[tuple[str, str], Trace] = OrderedDict()

    def forget(self, subject: str) -> None:
        self._subjects.pop(subject, None)

    async def get(
        self,
        subject: str,
        key: bytes,
        *,
        tree: Tree,
        revision: str,
        make: Callable[[Trace], Awaitable[Made[T]]],
        hard: bool = False,
        sources: int = 1,
    ) -> tuple[T, bool]:
        """The value for ``key`` over ``tree``, and whether it was made just now. ``make`` is given the trace of the last run.

        ``key`` stands for everything that the value depends on but the tree and the revision. ``hard`` makes it anew.
        ``sources`` is how many sources the subject has that values are kept of. Raises the run's error.
        """
        entry = self._entry(subject, key)
        if entry is not None and not hard and self._holds(entry, tree, revision):
            return _result(entry.made), False
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            since = self._entry(subject, key)
            # Someone else may have made it while we waited; if so it is as hard as we asked for.
            if since is not None and (since is not entry or not hard) and self._holds(since, tree, revision):
                return _result(since.made), False
            made = await make(since.made.trace if since is not None else frozenset())
            self._keep(subject, key, made, tree, since, sources)
        return _result(made), True

    def holds(self, subject: str, key: bytes, *, tree: Tree, revision: str) -> bool:
        """Whether :meth:`get` would make nothing."""
        entry = self._entry(subject, key)
        return entry is not None and self._holds(entry, tree, revision)

    def trace(self, subject: str, key: bytes) -> Trace:
        """What the value that is kept for ``key`` was made from; empty when none is kept."""
        entry = self._entry(subject, key)
        return entry.made.trace if entry is not None else frozenset()

    def _entry(self, subject: str, key: bytes) -> _Entry[T] | None:
        entries = self._subjects.get(subject)
        return entries.get(key) if entries is not None else None

    def _keep(self, subject: str, key: bytes, made: Made[T], tree: Tree, before: _Entry[T] | None, sources: int) -> None:
        expires, stops = 0.0, 0
        if isinstance(made.error, RenderStoppedError):
            stops = before.stops + 1 if before is not None else 1
            expires = asyncio.get_running_loop().time() + min(_STOPPED_SECONDS * 2 ** (stops - 1), _STOPPED_MAX_SECONDS)
        entries = self._subjects.setdefault(subject, OrderedDict())
        entries[key] = _Entry(made, tree, expires, stops)
        entries.move_to_end(key)
        while len(entries) > _PER_SOURCE * sources:
            entries.popitem(last=False)

    def _holds(self, entry: _Entry[T], tree: Tree, revision: str) -> bool:
        if entry.made.revision and entry.made.revision != revision:
            return False
        if entry.expires and asyncio.get_running_loop().time() >= entry.expires:
            return False
        if entry.tree.id != tree.id:
            try:
                changed = self._difference(entry.tree, tree)
            except IncomparableTreesError:  # the source has become another kind of tree: a chart got dependencies, say
                return False
            if not entry.made.trace.isdisjoint(changed):
                return False
            entry.tree = tree
        return True

    def _difference(self, old: Tree, new: Tree) -> Trace:
        """Computed once for all the apps of a repository that move from one commit to the next."""
        step = (old.id, new.id)
        known = self._differences.get(step)
        if known is None:
            known = self._differences[step] = new.changed_since(old)
            while len(self._differences) > _DIFFERENCES_KEPT:
                self._differences.popitem(last=False)
        return known


def _result(made: Made[T]) -> T:
    if made.error is not None:
        raise made.error.again()
    assert made.value is not None
    return made.value
