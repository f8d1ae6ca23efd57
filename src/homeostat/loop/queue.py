"""The queue of apps that are due: keys with a priority, each at most once, and keys that will be due later.

What a human asked for comes first, then what changed, then start-up and periodic work (design point 1). A key that is added while a worker
has it is handed out again once that worker is done, so no change is ever lost and no app is worked on twice at the same time. Start-up and
periodic work gets only some of the workers: a thousand apps that note a new revision must not keep the API server from the one that is being
changed. Adding and taking cost O(log n). What is done with a key does not belong here.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from enum import IntEnum

from homeostat.model.app import AppKey


class Priority(IntEnum):
    """Lower goes first."""

    HUMAN = 0
    CHANGED = 1
    PERIODIC = 2


class AppQueue:
    """A priority queue of unique keys with delays. Belongs to one event loop; nothing here is thread-safe.

    ``periodic`` is how many keys of :attr:`Priority.PERIODIC` are handed out at a time; while something more urgent is being worked on, it is one.
    """

    def __init__(self, *, periodic: int = 12) -> None:
        self._periodic = periodic
        self._heap: list[tuple[int, int, AppKey]] = []
        self._waiting: dict[AppKey, Priority] = {}
        self._running: dict[AppKey, Priority] = {}
        self._again: dict[AppKey, Priority] = {}
        self._timers: dict[AppKey, tuple[float, asyncio.TimerHandle, Priority]] = {}
        self._order = itertools.count()
        self._wakers: list[asyncio.Future[None]] = []

    def __len__(self) -> int:
        """How many keys are due and not yet taken."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Nothing is due and nobody is working; delayed keys do not count."""
        return not self._waiting and not self._running

    def add(self, key: AppKey, priority: Priority) -> None:
        """The key is due now. A key that is due already only ever moves forward."""
        if key in self._running:
            self._again[key] = min(priority, self._again.get(key, priority))
            return
        known = self._waiting.get(key)
        if known is not None and known <= priority:
            return
        self._waiting[key] = priority
        heapq.heappush(self._heap, (priority, next(self._order), key))
        self._wake()

    def add_later(self, key: AppKey, seconds: float, priority: Priority = Priority.PERIODIC) -> None:
        """The key is due in ``seconds`` from now, or sooner when that was said before."""
        loop = asyncio.get_running_loop()
        due = loop.time() + max(0.0, seconds)
        known = self._timers.get(key)
        if known is not None:
            if known[0] <= due:
                return
            known[1].cancel()
        self._timers[key] = (due, loop.call_at(due, self._expire, key), priority)

    def _expire(self, key: AppKey) -> None:
        _, _, priority = self._timers.pop(key)
        self.add(key, priority)

    def forget(self, key: AppKey) -> None:
        """The app is gone: it is due no more."""
        self._waiting.pop(key, None)
        self._again.pop(key, None)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer[1].cancel()

    async def take(self) -> tuple[AppKey, Priority]:
        """Waits for the next key. Whoever takes it says :meth:`done` in the end."""
        while True:
            key = self._next()
            if key is not None:
                priority = self._running[key] = self._waiting.pop(key)
                if self._heap:
                    self._wake()  # when one may go, so may others, such as periodic work that had to rest
                return key, priority
            waker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._wakers.append(waker)
            try:
                await waker
            finally:
                if waker in self._wakers:
                    self._wakers.remove(waker)

    def _next(self) -> AppKey | None:
        """The first key that may be handed out now, taken off the heap."""
        while self._heap:
            priority, _, key = self._heap[0]
            if self._waiting.get(key) == priority:
                if priority == Priority.PERIODIC and self._rests():
                    return None
                heapq.heappop(self._heap)
                return key
            heapq.heappop(self._heap)  # it was forgotten, or moved forward and taken by then
        return None

    def _rests(self) -> bool:
        """Whether periodic work has all the workers that it gets."""
        periodic = sum(1 for priority in self._running.values() if priority is Priority.PERIODIC)
        return periodic >= (self._periodic if periodic == len(self._running) else 1)

    def done(self, key: AppKey) -> None:
        """The worker is done with the key; if it was added meanwhile it is due again."""
        self._running.pop(key, None)
        if self._heap:
            self._wake()
        again = self._again.pop(key, None)
        if again is not None:
            self.add(key, again)

    def close(self) -> None:
        """Cancels every timer."""
        for _, timer, _ in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _wake(self) -> None:
        while self._wakers:
            waker = self._wakers.pop()
            if not waker.done():
                waker.set_result(None)
                return
