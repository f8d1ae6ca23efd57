"""Starts another program without copying this process.

Event loops start programs by ``fork``: the page tables of a controller that knows a thousand apps are copied while nothing else goes on, and then
every page that it writes to is caught by the kernel once (measured: 20 ms, and up to 50 ms of stumbling afterwards). ``subprocess`` uses ``vfork``,
which copies nothing; it is called in a thread, and what the program says comes through the event loop as usual. Limits of time are the caller's.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import NamedTuple

_starters = ThreadPoolExecutor(max_workers=2, thread_name_prefix="start a program")


class Child:
    """A running program in a session of its own: what it has started ends with it. Nothing can be written to it.

    Whoever has one calls :meth:`end` at last, whatever happened.
    """

    def __init__(self, started: _Started) -> None:
        self._process = started.process
        self._ends = [started.stdout, started.stderr]
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def code(self) -> int | None:
        """The exit code once it was waited for; negative: the signal that ended it."""
        return self._process.returncode

    async def output(self) -> tuple[asyncio.StreamReader, asyncio.StreamReader]:
        """What it writes to stdout and to stderr. To be called once."""
        return await self._reader(self._ends.pop(0)), await self._reader(self._ends.pop(0))

    async def wait(self) -> None:
        """Until it has ended. Waiting holds a thread: do it when it has closed its output."""
        await asyncio.to_thread(self._process.wait)

    async def end(self) -> None:
        """Kills it unless it has ended, and leaves no zombie behind, even when the caller is cancelled."""
        if self._process.returncode is None:
            _kill(self._process)
            await asyncio.shield(self.wait())
        for writer in self._writers:
            writer.transport.abort()
        for end in self._ends:
            end.close()

    async def _reader(self, end: socket.socket) -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection(sock=end)
        self._writers.append(writer)
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


class _Started(NamedTuple):
    """A program that runs, and our ends of what it writes to.

    Sockets, not pipes: uvloop closes the descriptor of a pipe twice, and the second time it may be another's (a program being started in the
    other thread, for one). A socket it takes over whole.
    """

    process: subprocess.Popen[bytes]
    stdout: socket.socket
    stderr: socket.socket


def _start(command: Sequence[str], environment: Mapping[str, str]) -> _Started:
    with ExitStack() as ours, ExitStack() as theirs:
        ends = []
        for _ in range(2):
            own, given = socket.socketpair()
            ours.enter_context(own)
            theirs.enter_context(given)
            own.setblocking(False)
            ends.append((own, given))
        (stdout, out), (stderr, error) = ends
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=out.fileno(), stderr=error.fileno(), start_new_session=True
        )
        ours.pop_all()
    return _Started(process, stdout, stderr)


def _unwanted(starting: Future[_Started]) -> None:
    with suppress(OSError):
        process, stdout, stderr = starting.result()
        with stdout, stderr, process:
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
