"""What an app that is being deleted still has in the cluster, and the words for what keeps it there. Nothing is decided here, and nothing planned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec

from homeostat.compare.health.scripts import Judge
from homeostat.live.cluster import Cluster
from homeostat.live.errors import NotFoundError
from homeostat.loop.observing import observe
from homeostat.model import times
from homeostat.model.app import App
from homeostat.model.hooks import HOOK_FINALIZER
from homeostat.model.objects import GroupKind, Key, Object, key_of
from homeostat.model.settings import Settings
from homeostat.model.sync import ResultCode
from homeostat.model.tracking import Tracking
from homeostat.sync.run import Done, Runner, RunOptions
from homeostat.sync.step import Cleanup, LiveHealth

TRY_AGAIN = 10.0
"""Seconds until something that was refused, or of which nothing is heard, is looked at again."""

PATIENCE = 10.0
"""Seconds after which an object that is kept by somebody else's finalizer is worth a condition."""

LOOK_EVERY = 2.0
"""Seconds between two looks at all of an app whose objects go one by one."""

AT_ONCE = 50
"""Objects that are read before others get a turn: about a millisecond."""

NAMED = 3

_NO_KEEPERS = frozenset({"foregroundDeletion", "orphan", HOOK_FINALIZER})
"""Finalizers that go by themselves: the garbage collector's, and our own."""


class Pending(msgspec.Struct, frozen=True):
    """Why the app is still there. ``failed``: something is in the way; ``seconds``: when to look again if nothing is seen to change.

    ``abandoned``: nothing more can be done for it: once this has been told the app goes, and what it has is left. ``unchanged``: what was told a
    moment ago holds.
    """

    message: str
    failed: bool = False
    seconds: float | None = None
    abandoned: bool = False
    unchanged: bool = False


class _Leaving(msgspec.Struct, frozen=True):
    """Objects by uid that are on their way out: while one of them is there, nothing follows. ``until``: when to look at the whole app all the same."""

    uids: dict[Key, str]
    until: float


class Remains:
    """Of the apps of one cluster."""

    def __init__(self, cluster: Cluster, *, judge: Judge, settings: Callable[[], Settings]) -> None:
        self.cluster = cluster
        self.runner = Runner(cluster)
        self._judge = judge
        self._settings = settings
        self._leaving: dict[str, _Leaving] = {}

    @property
    def tracking(self) -> Tracking:
        return self._settings().tracking

    async def live(self, app_id: str) -> list[Object]:
        """The objects that are tracked under ``app_id``."""
        found = []
        for number, key in enumerate(sorted(self.cluster.index.managed(app_id)), 1):
            obj = self.cluster.index.get(key)
            if obj is not None:
                found.append(obj)
            if not number % AT_ONCE:
                await asyncio.sleep(0)
        return found

    async def observe(self, app: App, keys: Iterable[Key]) -> LiveHealth:
        return await observe(self.cluster.index, self._judge, keys, app_id=app.id)

    def unknown(self, kinds: Collection[GroupKind]) -> Pending | None:
        """Kinds of which nobody can tell what there is. Of one that is served no more there is nothing left."""
        unavailable = self.cluster.unavailable(kinds)
        told = [f"{kind}: {error}" for kind, error in sorted(unavailable.items()) if not isinstance(error, NotFoundError)]
        if not told:
            return None
        return Pending(f"what is left of the app cannot be told: {'; '.join(told)}", failed=True, seconds=TRY_AGAIN)

    def unchanged(self, app: App) -> Pending | None:
        """The answer while one of the objects that were waited for last is still there: nothing follows before."""
        now = time.monotonic()
        leaving = self._leaving.get(app.id)
        if leaving is None or now >= leaving.until:
            return None
        node = self.cluster.index.node
        if any((found := node(key)) is not None and found.uid == uid for key, uid in leaving.uids.items()):
            return Pending("", seconds=leaving.until - now, unchanged=True)
        return None

    def wait(self, app: App, reason: str, going: Sequence[Object]) -> Pending:
        """Waits until one of ``going`` is gone."""
        self._leaving[app.id] = _Leaving({key_of(obj): obj["metadata"]["uid"] for obj in going}, time.monotonic() + LOOK_EVERY)
        return _waiting(app, reason, going)

    def forget(self, app_id: str) -> None:
        self._leaving.pop(app_id, None)

    async def tidy(self, cleanups: Sequence[Cleanup]) -> Pending | None:
        """``None`` when all of it is done."""
        problems = await self.runner.tidy(cleanups)
        return Pending("; ".join(problems), failed=True, seconds=TRY_AGAIN) if problems else None


def kinds_of(app: App) -> frozenset[GroupKind]:
    """What the app may have something of, as far as its status knows: a sync that was cut short told of hooks in its results alone."""
    results = app.state.results if app.state is not None else ()
    return frozenset({key.group_kind for key in app.recorded} | {result.key.group_kind for result in results})


def _waiting(app: App, reason: str, going: Sequence[Object]) -> Pending:
    """Says who keeps the objects that are on their way out, once that takes long. Child apps have words of their own."""
    now = time.time()
    stuck: list[str] = []
    later: list[float] = []
    for obj in going:
        keepers = [name for name in obj["metadata"].get("finalizers") or () if name not in _NO_KEEPERS]
        if not keepers or obj["kind"] == app.key.kind:
            continue
        left = times.parse(obj["metadata"]["deletionTimestamp"]) + PATIENCE - now
        if left > 0:
            later.append(left)
        else:
            stuck.append(f"{key_of(obj)} (finalizer {', '.join(keepers)})")
    seconds = min(later, default=TRY_AGAIN if not going else None)
    if not stuck:
        return Pending(reason, seconds=seconds)
    more = f" and {len(stuck) - NAMED} more" if len(stuck) > NAMED else ""
    return Pending(f"{reason}: somebody else keeps {'; '.join(stuck[:NAMED])}{more}", failed=True, seconds=seconds)


def is_going(obj: Object) -> bool:
    return "deletionTimestamp" in obj["metadata"]


def refused(done: Iterable[Done]) -> str:
    """What the API server would not have; empty when it took everything."""
    return "; ".join(f"{one.result.key}: {one.result.message}" for one in done if one.result.status is ResultCode.SYNC_FAILED)


def options_of(app: App) -> RunOptions:
    """How the objects of the app go: with what they own, or before it."""
    return RunOptions(propagation="Background" if app.finalizer == "background" else "Foreground")


def named(keys: Sequence[Key]) -> str:
    """The first few."""
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return f"{', '.join(map(str, keys[:NAMED]))}{more}"
