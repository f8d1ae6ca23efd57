"""Starts another program without copying this process.

Event loops start programs by ``fork``: the page tables of a controller that knows a thousand apps are copied while nothing else goes on, and then
every page that it writes to is caught by the kernel once (measured: 20 ms, and up to 50 ms of stumbling afterwards). ``subprocess`` uses ``vfork``,
which copies nothing; it is called in a thread, and what the program says comes through the event loop as usual. :func:`start` is for a program that
is only listened to, :func:`attach` for one that is talked with. Limits of time are the caller's.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from typing import NamedTuple

from homeostat.model import tasks

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
        """Until it has ended, and what it has left behind with it. Waiting holds a thread: do it when it has closed its output."""
        await asyncio.to_thread(_wait, self._process)

    def kill(self) -> None:
        """Ends it and what it has started; :meth:`wait` says when."""
        if self._process.returncode is None:
            _kill(self._process)

    async def end(self) -> None:
        """Kills it unless it has ended, and leaves no zombie behind, even when the caller is cancelled."""
        try:
            if self._process.returncode is None:
                _kill(self._process)
                await asyncio.shield(self.wait())
        finally:
            for writer in self._writers:
                writer.transport.abort()
            for end in self._ends:
                end.close()

    async def _reader(self, end: socket.socket) -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection(sock=end)
        self._writers.append(writer)
        return reader


class _Conversation(asyncio.SubprocessTransport):
    """What a protocol sees of its program: a socket that is input and output, and one for errors."""

    def __init__(self, started: _Started, protocol: asyncio.SubprocessProtocol) -> None:
        super().__init__()
        self._started = started
        self._protocol = protocol
        self._transports: dict[int, asyncio.Transport] = {}
        self._lost = 0

    async def begin(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._transports[1], _ = await loop.create_connection(lambda: _Ear(self, 1), sock=self._started.stdout)
            self._protocol.connection_made(self)
            self._transports[2], _ = await loop.create_connection(lambda: _Ear(self, 2), sock=self._started.stderr)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(_discard, self._started))
            raise

    def get_pid(self) -> int:
        return self._started.process.pid

    def get_returncode(self) -> int | None:
        return self._started.process.returncode

    def get_pipe_transport(self, fd: int) -> asyncio.Transport | None:
        return self._transports.get(fd or 1)

    def kill(self) -> None:
        self._started.process.kill()

    def close(self) -> None:
        self.kill()
        for transport in self._transports.values():
            transport.abort()

    def heard(self, fd: int, data: bytes) -> None:
        self._protocol.pipe_data_received(fd, data)

    def lost(self, fd: int, error: Exception | None) -> None:
        self._protocol.pipe_connection_lost(fd, error)
        self._lost += 1
        if self._lost == 2:
            tasks.spawn(self._end(), name=f"end of process {self.get_pid()}")

    async def _end(self) -> None:
        await asyncio.to_thread(self._started.process.wait)
        self._protocol.process_exited()
        self._protocol.connection_lost(None)


class _Ear(asyncio.Protocol):
    """One of the two sockets of a conversation."""

    def __init__(self, conversation: _Conversation, fd: int) -> None:
        self._conversation = conversation
        self._fd = fd

    def data_received(self, data: bytes) -> None:
        self._conversation.heard(self._fd, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._conversation.lost(self._fd, exc)


async def start(command: Sequence[str], *, environment: Mapping[str, str]) -> Child:
    """Starts ``command`` with no input and nothing but ``environment``. Raises ``OSError`` when it cannot be started."""
    return Child(await _started(partial(_start, command, environment)))


async def attach(protocol: asyncio.SubprocessProtocol, command: Sequence[str], *, environment: Mapping[str, str], folder: str) -> None:
    """Starts ``command`` in ``folder`` and connects it with ``protocol``, as a loop's ``subprocess_exec`` does. Raises ``OSError``.

    The program's end is noticed by the end of its output: it must not leave that to a child of its own.
    """
    await _Conversation(await _started(partial(_start, command, environment, folder, talks=True)), protocol).begin()


async def _started(begin: Callable[[], _Started]) -> _Started:
    starting = _starters.submit(begin)
    try:
        return await asyncio.shield(asyncio.wrap_future(starting))
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


def _start(command: Sequence[str], environment: Mapping[str, str], folder: str | None = None, *, talks: bool = False) -> _Started:
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
            command,
            cwd=folder,
            env=environment,
            stdin=out.fileno() if talks else subprocess.DEVNULL,
            stdout=out.fileno(),
            stderr=error.fileno(),
            start_new_session=True,
        )
        ours.pop_all()
    return _Started(process, stdout, stderr)


def _unwanted(starting: Future[_Started]) -> None:
    with suppress(OSError):
        _discard(starting.result())


def _discard(started: _Started) -> None:
    with started.stdout, started.stderr, started.process:
        _kill(started.process)


def _wait(process: subprocess.Popen[bytes]) -> None:
    if hasattr(os, "waitid"):
        with suppress(ChildProcessError):  # somebody else waits, too, and was first
            # While nobody has taken note of its end, the number of its group is nobody else's.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            _kill(process)
    process.wait()


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
