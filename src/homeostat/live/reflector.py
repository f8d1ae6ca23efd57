"""One kind, watched without gaps: list, watch from there, resume where a watch ended, list again when the server has forgotten.

Whoever listens is told every change in order, including the deletion of objects that disappeared while nobody was connected. It is told in the
event loop, synchronously, so it must be quick. What is remembered of the objects is the listener's business; here only who was there is.

A reflector never gives up and never raises: it waits and tries again, and ``error`` says what is wrong until it is not.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import msgspec
import structlog

from homeostat.live import client as clients
from homeostat.live import transport, wire
from homeostat.live.errors import ApiError, GoneError, NotFoundError, UnavailableError
from homeostat.model.objects import Key
from homeostat.model.resources import Resource

log = structlog.get_logger(__name__)

Listener = Callable[[str, wire.Seen], None]
"""Called with ADDED, MODIFIED or DELETED and the object; ``seen.object`` is the whole of it as a dictionary."""

_FIRST_WAIT = 0.2
_LONGEST_WAIT = 20.0
_FRUITFUL_SECONDS = 1.0
"""A watch that lived longer was of use, even if nothing happened."""
_STUBBORN = 3
"""A watch that the server refuses this often in a row is begun anew with a list: it may have been restored from a backup."""


class Reflector:
    """Keeps a listener current about one kind, in one namespace or all. Run :meth:`run` in a task group.

    ``synced`` is set once the first list is complete; ``settled`` as soon as it is, or the first attempt failed; ``error`` is the reason why
    we are not watching now, ``None`` while we do; ``version`` is the resource version up to which everything has been told.
    """

    def __init__(
        self,
        client: clients.Client,
        resource: Resource,
        on_event: Listener,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
    ) -> None:
        self.resource = resource
        self.synced = asyncio.Event()
        self.settled = asyncio.Event()
        self.error: ApiError | None = None
        self.version = 0
        self._client = client
        self._on_event = on_event
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._resume_at = ""
        self._there: dict[Key, str] = {}
        self._expected: dict[Key, tuple[str, int]] = {}
        self._poked = asyncio.Event()
        self._fruitful = False

    @property
    def keys(self) -> list[Key]:
        """The objects that are there, as far as we were told."""
        return [*self._there, *self._expected]

    def poke(self) -> None:
        """Something changed that may end our trouble: try again now."""
        self._poked.set()

    def expect(self, seen: wire.Seen) -> bool:
        """The answer to a write of ours. True when it is news to the listener: no event has told it yet, and one will.

        An object that was created and deleted again while the watch was down would otherwise stay in the listener's memory for ever.
        """
        if seen.version <= self.version:
            return False
        if seen.key not in self._there:
            self._expected[seen.key] = (seen.uid, seen.version)
        return True

    async def run(self) -> None:
        """Until it is cancelled."""
        failures = 0
        while True:
            self._poked.clear()
            self._fruitful = False
            try:
                if not self._resume_at:
                    await self._list()
                    self._well()
                if await self._watch():
                    failures = 0
                    continue
                problem: ApiError = UnavailableError(f"watches of {self.resource} end as soon as they begin", reason="WatchEnded")
            except GoneError as error:
                self._resume_at = ""
                if not failures:
                    failures = 1
                    continue
                problem = error
            except ApiError as error:
                problem = error
                if self._fruitful:  # it served well until something cut it: that is no trouble that grows
                    failures = 0
            except Exception as error:
                log.exception("a listener failed on an event", resource=str(self.resource))
                problem = UnavailableError(f"internal error while watching {self.resource}: {type(error).__name__}", reason="Internal")
                self._resume_at = ""
            failures += 1
            self._ill(problem, failures)
            await self._rest(failures)

    def _well(self) -> None:
        if self.error is not None:
            log.info("watching again", resource=str(self.resource))
        self.error = None
        self.synced.set()
        self.settled.set()

    def _ill(self, problem: ApiError, failures: int) -> None:
        if self.error is None or type(self.error) is not type(problem):
            log.warning("cannot watch", resource=str(self.resource), error=problem.message, status=problem.status)
        self.error = problem
        self.settled.set()
        if isinstance(problem, NotFoundError):  # the kind is no longer served, so neither is any object of it
            self._resume_at = ""
            self._forget()
        elif problem.status and failures >= _STUBBORN:
            self._resume_at = ""

    async def _rest(self, failures: int) -> None:
        wait = transport.backoff(failures, first=_FIRST_WAIT, longest=_LONGEST_WAIT)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._poked.wait(), wait)

    async def _list(self) -> None:
        now: dict[Key, str] = {}
        version = 0
        first = True
        async with contextlib.aclosing(
            self._client.pages(
                self.resource,
                namespace=self._namespace,
                label_selector=self._label_selector,
                field_selector=self._field_selector,
            )
        ) as pages:
            async for page, resource_version in pages:
                version = wire.number(resource_version)
                if first and version < self.version:  # an older state of the cluster: nothing that we know can be compared with it
                    log.warning("the cluster went back in time", resource=str(self.resource), known=self.version, listed=version)
                    self._forget()
                first = False
                for seen in page:
                    now[seen.key] = seen.uid
                    kind = "MODIFIED" if seen.key in self._there else "ADDED"
                    self._there[seen.key] = seen.uid  # at once: should a later page fail, the next list must not forget this one
                    self._on_event(kind, seen)
                last = resource_version
        gone = {key: uid for key, uid in self._there.items() if key not in now}
        expected = {key: uid for key, (uid, written) in self._expected.items() if key not in now and written <= version}
        self._there = now
        self._expected = {key: told for key, told in self._expected.items() if key not in now and key not in expected}
        for key, uid in {**gone, **expected}.items():
            self._on_event("DELETED", wire.gone(self.resource, key, uid, version))
        self.version = version
        self._resume_at = last

    def _forget(self) -> None:
        there = {**{key: uid for key, (uid, _) in self._expected.items()}, **self._there}
        self._there, self._expected = {}, {}
        self.version = 0
        for key, uid in there.items():
            self._on_event("DELETED", wire.gone(self.resource, key, uid, 0))

    async def _watch(self) -> bool:
        """Until the server ends it. True when it was of use, so that the next one may begin at once."""
        clock = asyncio.get_running_loop().time
        opened: list[float] = []

        def accepted() -> None:
            opened.append(clock())
            self._well()

        async with contextlib.aclosing(
            self._client.watch_raw(
                self.resource,
                resource_version=self._resume_at,
                namespace=self._namespace,
                label_selector=self._label_selector,
                field_selector=self._field_selector,
                on_open=accepted,
            )
        ) as events:
            try:
                async for kind, raw in events:
                    self._tell(kind, raw)
                    self._fruitful = True
            finally:
                self._fruitful = self._fruitful or (bool(opened) and clock() - opened[0] > _FRUITFUL_SECONDS)
        return self._fruitful

    def _tell(self, kind: str, raw: bytes) -> None:
        try:
            seen = wire.seen(raw, self.resource)
        except msgspec.DecodeError as error:
            self._resume_at = ""
            raise UnavailableError(f"a watch of {self.resource} brought what is no object: {error}", reason="BadAnswer") from error
        if kind != "BOOKMARK":
            self._expected.pop(seen.key, None)
            if kind == "DELETED":
                self._there.pop(seen.key, None)
            else:
                self._there[seen.key] = seen.uid
            self._on_event(kind, seen)
        self.version = max(self.version, seen.version)
        self._resume_at = seen.head.metadata.resource_version
