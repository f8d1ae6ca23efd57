"""What Ctrl-C, SIGTERM and a closed terminal mean from the first moment of a demo to the last.

While the demo gets ready they interrupt it; while it is up they ask it to end; while it ends they change nothing, because a demo whose end is broken
off would leave processes behind.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

import click

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopping:
    """Holds the signals while its context is entered. In the main thread only."""

    def __init__(self) -> None:
        self._ask: Callable[[], object] | None = None
        self._ending = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._caught)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Runs ``work`` in an event loop until it is done; False when a signal ended it before, and it took that well."""

        async def stoppable() -> None:
            task, loop = asyncio.current_task(), asyncio.get_running_loop()
            assert task is not None
            self._ask = lambda: loop.call_soon_threadsafe(task.cancel)
            await work()

        try:
            asyncio.run(stoppable())
        except asyncio.CancelledError:
            if not self._ending:
                raise
            return False
        finally:
            self._ask, self._ending = None, False
        return True

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Within it a signal changes nothing."""
        before, self._ending = self._ending, True
        try:
            yield
        finally:
            self._ending = before

    def _caught(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self._ending:
            click.echo("stopping already; it takes a few seconds", err=True)
        elif self._ask is not None:
            self._ending = True
            self._ask()
        else:
            raise KeyboardInterrupt
