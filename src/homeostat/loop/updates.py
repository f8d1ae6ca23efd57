"""``ignoreResourceUpdates``: changes of objects that make no app due.

Some controllers write to their objects all the time. What the rules (``resource.customizations.ignoreResourceUpdates.*``, and the system's
``ignoreDifferences`` unless ``ignoreDifferencesOnResourceUpdates`` is off) take out of an object does not count here, nor do its resource version,
generation and managed fields: when nothing else of it has changed, and its health is the same, nobody is told (reference 2.1, ``skipResourceUpdate``).

A change of a kind that has rules waits here for the evaluators, a few milliseconds; all others pass at once. Only what an app manages or desires makes
an app due, so the annotation ``ignore-resource-updates``, which extends the rules to what such objects bring about, has nothing to do here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import orjson

from homeostat.compare import rules
from homeostat.compare.errors import IgnoreError
from homeostat.compare.health.scripts import Judge
from homeostat.compare.ignore import Ignorer, without
from homeostat.live.cluster import Cluster
from homeostat.live.index import Change
from homeostat.model import glob
from homeostat.model.app import Ignore
from homeostat.model.objects import GroupKind, Object
from homeostat.model.settings import Settings

_WORKERS: Final = 4
_MOST_WAITING: Final = 1000
"""Changes that wait for one worker; beyond that they pass unexamined: too many looks are better than a late one."""

_NEVER: Final = (("metadata", "resourceVersion"), ("metadata", "generation"), ("metadata", "managedFields"))


class _Waiting(NamedTuple):
    change: Change
    after: bytes


class Updates:
    """The sieve of one cluster. Between :meth:`run` and its end every change of a live object goes through it."""

    def __init__(self, cluster: Cluster, *, ignorer: Ignorer, judge: Judge, settings: Callable[[], Settings]) -> None:
        self._cluster = cluster
        self._ignorer = ignorer
        self._judge = judge
        self._settings = settings
        self._asked: tuple[Ignore, ...] = ()
        self._kinds: dict[GroupKind, bool] = {}
        # The changes of one object are examined one after the other: always by the same worker.
        self._lines: list[deque[_Waiting]] = [deque() for _ in range(_WORKERS)]
        self._news = [asyncio.Event() for _ in range(_WORKERS)]

    async def run(self) -> None:
        """Until cancelled; then changes pass unexamined."""
        self._cluster.sieve = self._take
        try:
            async with asyncio.TaskGroup() as group:
                for line, news in zip(self._lines, self._news, strict=True):
                    group.create_task(self._work(line, news), name="examine changes")
        finally:
            self._cluster.sieve = None
            for line in self._lines:
                while line:
                    self._cluster.tell(line.popleft().change)

    def _take(self, change: Change, after: bytes) -> bool:
        asked = self._settings().ignore_updates
        if not asked or not self._meant(asked, change.key.group_kind):
            return False
        number = hash(change.key) % _WORKERS
        if len(self._lines[number]) >= _MOST_WAITING:
            return False
        self._lines[number].append(_Waiting(change, after))
        self._news[number].set()
        return True

    def _meant(self, asked: tuple[Ignore, ...], kind: GroupKind) -> bool:
        """Whether any rule may be meant for the kind; remembered while the rules stay."""
        if asked is not self._asked:
            self._asked, self._kinds = asked, {}
        known = self._kinds.get(kind)
        if known is None:
            known = self._kinds[kind] = any(glob.matches(rule.group, kind.group) and glob.matches(rule.kind, kind.kind) for rule in asked)
        return known

    async def _work(self, line: deque[_Waiting], news: asyncio.Event) -> None:
        while True:
            await news.wait()
            news.clear()
            while line:
                change, after = line[0]  # stays until it is told: it must not be lost when we are cancelled
                if await self._matters(change, after):
                    self._cluster.tell(change)
                line.popleft()

    async def _matters(self, change: Change, after: bytes) -> bool:
        old, new = orjson.loads(change.before), orjson.loads(after)
        try:
            asked = rules.choose(self._settings().ignore_updates, change.key)
            if await self._rest(asked, old) != await self._rest(asked, new):
                return True
        except IgnoreError:
            return True
        before, now = await self._judge.gate(old), await self._judge.gate(new)
        return (before and before.status) != (now and now.status)

    async def _rest(self, asked: rules.Chosen, obj: Object) -> tuple[Any, ...]:
        """What of the object counts. That it is another one, or on its way out, always does."""
        rest: Any = obj
        for pointer in (*asked.pointers, *_NEVER):
            rest = without(rest, pointer)
        if asked.programs:
            rest = await self._ignorer.cut(rest, asked.programs)
        metadata = obj.get("metadata") or {}
        return metadata.get("uid"), metadata.get("deletionTimestamp"), rest
