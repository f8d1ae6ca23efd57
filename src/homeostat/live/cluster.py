"""One cluster, live: watches the kinds that apps use, keeps the index, tells who is concerned by a change.

Apps say which kinds they need (:meth:`Cluster.ensure`) and which objects they desire (:meth:`Index.claim`); watches begin and end by that. What an
app does with its objects does not belong here. A kind that cannot be watched costs only the apps that need it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Self

import structlog

from homeostat.live import facts, wire
from homeostat.live.client import Client
from homeostat.live.discovery import Discovery
from homeostat.live.errors import ApiError, ForbiddenError, NotFoundError, UnavailableError
from homeostat.live.index import Apps, Change, Index
from homeostat.live.reflector import Reflector
from homeostat.model import tasks
from homeostat.model.objects import GroupKind, Key, Object
from homeostat.model.resources import Resource
from homeostat.model.tracking import Tracking

log = structlog.get_logger(__name__)

Subscriber = Callable[[Key, Apps], None]
"""Called in the event loop with the object that changed and the apps that manage or claim it. Must be quick."""

Sieve = Callable[[Change, bytes], bool]
"""Asked about a change of an object that stays, with its new body, before anybody is told. True: whoever answers will :meth:`Cluster.tell`, or not."""

SYNC_SECONDS = 60.0
"""How long :meth:`Cluster.ensure` waits for the first lists: a cluster of 100,000 pods needs about half of it."""

_IDLE_SECONDS = 600.0
"""A watch that no app has needed for so long is ended."""

_SWEEP_SECONDS = 60.0

_SERVED_BY = (GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"), GroupKind("apiregistration.k8s.io", "APIService"))
"""The kinds whose objects decide which other kinds are served."""

_SETTLING = (0.1, 1.0, 5.0)
"""Seconds after a change of those at which discovery is asked: the server publishes a new kind some time after it accepted it."""


def _none(_kind: GroupKind) -> bool:
    return False


class _Watch:
    """A reflector, the task that runs it, and when somebody last asked for its kind."""

    def __init__(self, reflector: Reflector, wanted_at: float) -> None:
        self.reflector = reflector
        self.wanted_at = wanted_at
        self.task = tasks.spawn(reflector.run(), name=f"watch {reflector.resource}")


class Cluster:
    """Client, discovery, index and watches of one cluster. An async context manager, or :meth:`start` and :meth:`aclose`.

    The client stays the caller's: it is not closed here. Kinds that are ``excluded`` are not watched, whoever asks for them: to the index there
    are none, and that is nobody's trouble. Call :meth:`refilter` when the answer for a kind may have changed.
    """

    def __init__(self, client: Client, *, tracking: Tracking | None = None, excluded: Callable[[GroupKind], bool] = _none) -> None:
        self._excluded = excluded
        self.sieve: Sieve | None = None
        self.client = client
        self.discovery = Discovery(client)
        self.index = Index(tracking or Tracking())
        self._watches: dict[GroupKind, _Watch] = {}
        self._unknown: dict[GroupKind, ApiError] = {}
        self._subscribers: list[Subscriber] = []
        self._kind_subscribers: list[Callable[[], None]] = []
        self._helpers: list[asyncio.Task[None]] = []
        self._served_changed = asyncio.Event()
        self._started = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Asks the server what it serves. Raises :class:`ApiError` when it cannot be reached; then nothing was started."""
        await self.discovery.refresh()
        self._started = True
        for kind in _SERVED_BY:
            resource = self.discovery.find(kind)
            if resource is not None:
                reflector = Reflector(self.client, resource, self._served)
                self._helpers.append(tasks.spawn(reflector.run(), name=f"watch {resource} for discovery"))
        self._helpers.append(tasks.spawn(self._follow_discovery(), name="follow discovery"))
        self._helpers.append(tasks.spawn(self._sweep(), name="end unused watches"))

    async def run(self) -> None:
        """:meth:`start`, then wait until cancelled, then :meth:`aclose`: for a task group."""
        try:
            await self.start()
            await asyncio.Event().wait()
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Ends every watch. The index stays as it was."""
        self._started = False
        ending = [*self._helpers, *(watch.task for watch in self._watches.values())]
        self._helpers.clear()
        self._watches.clear()
        await tasks.cancel(ending)

    @property
    def connected(self) -> bool:
        """Whether the server answered when last asked."""
        return self._started and self.client.reachable

    async def ensure(self, kinds: Collection[GroupKind], *, seconds: float = SYNC_SECONDS) -> None:
        """Watches ``kinds``, and the kinds of their children, and waits until the index knows all objects of ``kinds``.

        Returns after ``seconds`` at the latest; :meth:`unavailable` tells for which kinds it was in vain. Costs next to nothing when all are
        watched already, so that it can be called at every look at an app. Pass also the kinds that an app had before: what is not watched
        cannot be pruned.
        """
        if all((watch := self._watches.get(kind)) is not None and watch.reflector.settled.is_set() for kind in kinds):
            return
        waiting: list[Reflector] = []
        try:
            async with asyncio.timeout(seconds):
                while waiting := await self._unsettled(kinds):  # again: a watch may have ended while we waited, and begun anew
                    for reflector in waiting:
                        await reflector.settled.wait()
        except TimeoutError:
            slow = [str(reflector.resource) for reflector in waiting if not reflector.settled.is_set()]
            log.warning("kinds are not listed yet", resources=slow, seconds=seconds)

    def unavailable(self, kinds: Collection[GroupKind]) -> Mapping[GroupKind, ApiError]:
        """Those of ``kinds`` of which the index knows nothing reliable, and why: not served, forbidden, not listed yet."""
        found: dict[GroupKind, ApiError] = {}
        for kind in kinds:
            watch = self._watches.get(kind)
            if watch is None:
                if self._excluded(kind):
                    continue
                found[kind] = self._unknown.get(kind) or UnavailableError(f"{kind} is not watched")
                continue
            error = watch.reflector.error
            if not watch.reflector.synced.is_set():
                found[kind] = error or UnavailableError(f"the objects of kind {kind} are still being listed")
            elif isinstance(error, (ForbiddenError, NotFoundError)):
                found[kind] = error
        return found

    async def fetch(self, keys: Collection[Key]) -> None:
        """Fetches the bodies of those claimed ``keys`` that exist and have none in the index yet. Raises the first :class:`ApiError`."""
        missing = self.index.missing(keys)
        if not missing:
            return
        answers = await asyncio.gather(*(self._fetch(key) for key in missing), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, NotFoundError):  # one that is gone will be told by the watch
                raise answer

    async def body(self, key: Key, version: str) -> Object | None:
        """The live object at ``version`` of its kind: from the index where that is the version watched, else from the server."""
        node = self.index.node(key)
        if node is None:
            return None
        resource = self.discovery.find(key.group_kind, version)
        if resource is None or resource.api_version == node.api_version:
            await self.fetch([key])
            return self.index.get(key)
        try:
            return await self.client.get(resource, key.namespace, key.name)
        except NotFoundError:
            return None

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """``callback`` is called at every change of a managed or claimed object. Answers the function that ends it."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def subscribe_kinds(self, callback: Callable[[], None]) -> Callable[[], None]:
        """``callback`` is called when the kinds that the server serves changed. Answers the function that ends it."""
        self._kind_subscribers.append(callback)
        return lambda: self._kind_subscribers.remove(callback)

    def note(self, answer: Object) -> None:
        """Puts the server's answer to a write of ours (never to a dry run) into the index, without waiting for the watch to bring it.

        Whoever wrote it knows, so nobody is told, unless the object concerns several apps.
        """
        seen = wire.seen_object(answer)
        watch = self._watches.get(seen.key.group_kind)
        if watch is None or watch.reflector.resource.api_version != seen.head.api_version or not watch.reflector.expect(seen):
            return
        change = self.index.put(seen)
        if len(change.apps) > 1:
            self.tell(change)

    def note_deletion(self, key: Key, answer: Object, *, uid: str) -> None:
        """The same for the answer to a delete: the object is on its way out, or (a ``Status``) gone."""
        if answer.get("kind") == "Status" and answer.get("apiVersion") == "v1":
            node = self.index.node(key)
            if node is not None:
                self.index.drop(key, version=node.version, uid=uid)
        else:
            self.note(answer)

    def release(self, app: str) -> None:
        """The app is gone: it claims nothing any more."""
        self.index.claim(app, ())

    async def retrack(self, tracking: Tracking) -> None:
        """Other tracking settings: every watch begins anew, because whose an object is decides what is kept of it."""
        if tracking == self.index.tracking:
            return
        self.index.tracking = tracking
        await self._end(list(self._watches))

    async def refilter(self) -> None:
        """Ends the watches of kinds that are excluded by now; those of others begin when an app needs them."""
        await self._end([kind for kind in self._watches if self._excluded(kind)])

    async def _unsettled(self, kinds: Collection[GroupKind]) -> list[Reflector]:
        """Begins what is not watched yet; answers what is neither listed nor known to fail."""
        now = asyncio.get_running_loop().time()
        waiting = []
        for kind in kinds:
            watch = self._watches.get(kind) or await self._begin(kind, now)
            if watch is None:
                continue
            watch.wanted_at = now
            if not watch.reflector.settled.is_set():
                waiting.append(watch.reflector)
        return waiting

    async def _begin(self, kind: GroupKind, now: float) -> _Watch | None:
        if self._excluded(kind):
            return None
        try:
            resource = await self.discovery.resolve(kind)
        except ApiError as error:
            self._unknown[kind] = error
            return None
        if kind in self._watches:  # another app was quicker while we asked
            return self._watches[kind]
        if resource is None and (broken := self.discovery.why_broken(kind.group)):
            self._unknown[kind] = UnavailableError(f"the API server of {kind.group} does not answer: {broken}")
            return None
        if resource is None:
            self._unknown[kind] = NotFoundError(f"the cluster does not serve kind {kind}", status=404, reason="NotFound")
            return None
        if not resource.watchable:
            self._unknown[kind] = ApiError(f"objects of kind {kind} can be neither listed nor watched", reason="MethodNotAllowed")
            return None
        self._unknown.pop(kind, None)
        watch = self._watch(resource, now)
        for child in facts.CHILDREN.get(kind, ()):
            found = self.discovery.find(child)
            if found is not None and child not in self._watches and not self._excluded(child):
                self._watch(found, now)
        return watch

    def _watch(self, resource: Resource, now: float) -> _Watch:
        watch = self._watches[resource.group_kind] = _Watch(Reflector(self.client, resource, self._on_event), now)
        return watch

    async def _end(self, kinds: Collection[GroupKind]) -> None:
        ending = [self._watches.pop(kind) for kind in kinds]
        await tasks.cancel(watch.task for watch in ending)
        for watch in ending:
            watch.reflector.settled.set()  # nobody need wait for it any more
            for key in watch.reflector.keys:
                self.tell(self.index.drop(key, version=0))

    def _on_event(self, kind: str, seen: wire.Seen) -> None:
        if kind == "DELETED":
            self.tell(self.index.drop(seen.key, version=seen.version, uid=seen.uid))
        else:
            change = self.index.put(seen)
            if self.sieve is None or not change.before or not change.apps or not self.sieve(change, seen.raw):
                self.tell(change)

    def tell(self, change: Change) -> None:
        """Tells everybody whom a change concerns."""
        if not change.apps:
            return
        for callback in self._subscribers:
            callback(change.key, change.apps)

    async def _fetch(self, key: Key) -> None:
        watch = self._watches.get(key.group_kind)
        if watch is None:
            raise UnavailableError(f"{key.group_kind} is not watched")
        self.index.put(wire.seen_object(await self.client.get(watch.reflector.resource, key.namespace, key.name)))

    def _served(self, _kind: str, _seen: wire.Seen) -> None:
        self._served_changed.set()

    async def _follow_discovery(self) -> None:
        while True:
            await self._served_changed.wait()
            for seconds in _SETTLING:
                self._served_changed.clear()
                await asyncio.sleep(seconds)
                await self._look_again()
                if self._served_changed.is_set():
                    break

    async def _look_again(self) -> None:
        try:
            changed = await self.discovery.refresh()
        except ApiError as error:
            log.warning("cannot ask what the cluster serves", error=error.message)
            return
        moved = []
        for kind, watch in self._watches.items():
            if self.discovery.find(kind) not in (None, watch.reflector.resource):
                moved.append(kind)
            elif watch.reflector.error is not None:
                watch.reflector.poke()
        if moved:
            log.info("kinds are served in another way", kinds=[str(kind) for kind in moved])
            await self._end(moved)
        if changed:
            for callback in self._kind_subscribers:
                callback()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = asyncio.get_running_loop().time()
            needed = facts.with_children({kind for kind in self._watches if self.index.uses(kind)})
            idle = []
            for kind, watch in self._watches.items():
                if kind in needed or not watch.reflector.settled.is_set():
                    watch.wanted_at = now
                elif now - watch.wanted_at > _IDLE_SECONDS:
                    idle.append(kind)
            if idle:
                log.info("ending watches that no app needs", kinds=[str(kind) for kind in idle])
                await self._end(idle)
