"""Starts another program without copying this process.

Event loops start programs by ``fork``: the page tables of a controller that knows a thousand apps are copied while nothing else goes on, and then
every page that it writes to is caught by the kernel once (measured: 20 ms, and up to 50 ms of stumbling afterwards). ``subprocess`` uses ``vfork``,
which copies nothing; it is called in a thread, and what the program says comes through the event loop as usual. Limits of time are the caller's.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import IO

_starters = ThreadPoolExecutor(max_workers=2, thread_name_prefix="start a program")


class Child:
    """A running program in a session of its own: what it has started ends with it. Nothing can be written to it.

    Whoever has one calls :meth:`end` at last, whatever happened.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        assert process.stdout is not None
        assert process.stderr is not None
        self._pipes = [process.stderr, process.stdout]
        self._transports: list[asyncio.ReadTransport] = []

    @property
    def code(self) -> int | None:
        """The exit code once it was waited for; negative: the signal that ended it."""
        return self._process.returncode

    async def output(self) -> tuple[asyncio.StreamReader, asyncio.StreamReader]:
        """What it writes to stdout and to stderr. To be called once."""
        return await self._reader(self._pipes.pop()), await self._reader(self._pipes.pop())

    async def wait(self) -> None:
        """Until it has ended. Waiting holds a thread: do it when it has closed its output."""
        await asyncio.to_thread(self._process.wait)

    async def end(self) -> None:
        """Kills it unless it has ended, and leaves no zombie behind, even when the caller is cancelled."""
        if self._process.returncode is None:
            _kill(self._process)
            await asyncio.shield(self.wait())
        for pipe in self._pipes:
            pipe.close()
        for transport in self._transports:
            transport.close()

    async def _reader(self, pipe: IO[bytes]) -> asyncio.StreamReader:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        self._transports.append(transport)
        return reader


async def start(command: Sequence[str], *, environment: Mapping[str, str]) -> Child:
    """Starts ``command`` with no input and nothing but ``environment``. Raises ``OSError`` when it cannot be started."""
    starting = _starters.submit(_start, command, environment)
    try:
        return Child(await asyncio.shield(asyncio.wrap_future(starting)))
    except asyncio.CancelledError:
        # It has begun or is about to, and who is cancelled leaves nothing behind. It takes a millisecond.
        await asyncio.shield(asyncio.to_thread(_unwanted, starting))
        raise


def _start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def _unwanted(starting: Future[subprocess.Popen[bytes]]) -> None:
    with suppress(OSError), starting.result() as process:
        _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
