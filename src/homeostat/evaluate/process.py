"""One evaluator process: started, given one request at a time, killed when it overruns.

A process is used until it dies or is idle for long; it is never trusted again once something about it was unexpected. Which process gets
which request is ``pool.py``'s business.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
from pathlib import Path
from typing import Any, cast

import msgspec

from homeostat.evaluate import child, frames
from homeostat.evaluate.files import Files
from homeostat.model import tasks
from homeostat.model.errors import HomeostatError
from homeostat.model.tree import PendingError

MEMORY_EXIT = 77
"""The exit code by which an evaluator says that it has reached its memory limit."""

_STDERR_KEPT = 4096
"""Bytes. What Go says when it dies begins with the reason; stacks without end follow."""

_OUT_OF_MEMORY = ("out of memory", "cannot allocate memory", "makeslice: len out of range", "growslice: len out of range")
_NO_MORE_MEMORY = "SIGSEGV: "
"""How Go begins when its own runtime is hit, where the system's limit refused it memory. What a program does wrong begins with ``panic:``."""
_OUT_OF_STACK = ("stack overflow", "goroutine stack exceeds")
_HEADROOM = 256 * 1024 * 1024
"""What the system's limit leaves above the evaluator's own memory limit, for the program itself and what its collector has not freed yet."""


class Limits(msgspec.Struct, frozen=True):
    """What one request may use. ``seconds`` is for renders (Argo CD allows its tools 90), ``quick_seconds`` for one Lua script or jq program
    (Argo CD's limit). ``memory`` and ``output`` are bytes.
    """

    seconds: float = 30.0
    quick_seconds: float = 1.0
    memory: int = 512 * 1024 * 1024
    output: int = 64 * 1024 * 1024


class DeathError(Exception):
    """The process ended before it answered. ``limit`` is the limit that it reached: ``memory``, ``stack``, ``output``, or none."""

    def __init__(self, reason: str, *, limit: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.limit = limit


class Process(asyncio.SubprocessProtocol):
    """An evaluator. ``used`` counts its requests; ``alive`` turns false for ever as soon as it is known to have ended or was killed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        # A frame holds the value, which the limit is about, and a trace, which is as long as the render is curious.
        self._reader = frames.Reader(limits.output + 4 * 1024 * 1024)
        self._transport: asyncio.SubprocessTransport | None = None
        self._stdin: asyncio.WriteTransport | None = None
        self._stderr = b""
        self._files: Files | None = None
        self._answer: asyncio.Future[dict[str, Any]] | None = None
        self._fetching: asyncio.Task[None] | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.used = 0
        self.alive = True

    @classmethod
    async def start(cls, program: Path, limits: Limits) -> Process:
        """A new process: empty environment, cwd ``/``, out of reach of the terminal's signals; it ends when its stdin does. Raises OSError."""
        command = [str(program), f"--memory-limit={limits.memory}", f"--output-limit={limits.output}"]
        process = cls(limits)
        await child.attach(process, command, environment={}, folder="/")
        return process

    @property
    def pid(self) -> int:
        assert self._transport is not None
        return self._transport.get_pid()

    async def ask(self, number: int, frame: bytes, files: Files | None) -> dict[str, Any]:
        """Sends the request and answers the last frame. Raises :class:`DeathError`. Whoever is cancelled in here must kill the process."""
        assert self._answer is None
        self._answer = asyncio.get_running_loop().create_future()
        self._files = files
        self.used += 1
        try:
            if not self._write(frame):
                self._answer.cancel()  # the end is told here, and to nobody twice
                self.kill()
                await asyncio.shield(self.closed)
                raise self._death()
            answer = await self._answer
        finally:
            self._answer = self._files = None
            if self._fetching is not None:
                self._fetching.cancel()  # nobody waits for it any more, unless it has ended
                self._fetching = None
        if answer.get("id") != number:
            self.kill()
            raise DeathError(f"it answered request {answer.get('id')} instead of {number}")
        return answer

    def _write(self, frame: bytes) -> bool:
        """False when the process has gone and nothing can be told to it any more."""
        assert self._stdin is not None
        if not self.alive or self._stdin.is_closing():
            return False
        try:
            self._stdin.write(frame)
        except (OSError, RuntimeError):  # asyncio raises the one, uvloop the other
            return False
        return True

    def kill(self) -> None:
        """Ends the process at once. What waits for it gets a :class:`DeathError` when it is gone."""
        self.alive = False
        if self._transport is not None:
            with contextlib.suppress(ProcessLookupError):
                self._transport.kill()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self._stdin = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))
        _restrict(self._transport.get_pid(), self._limits.memory + _HEADROOM)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self._stderr += data[: _STDERR_KEPT - len(self._stderr)]
            return
        try:
            for frame in self._reader.feed(data):
                self._received(frame)
        except frames.FrameTooLongError:
            self._give_up(DeathError("its output is too long", limit="output"))
        except (ValueError, KeyError, TypeError) as error:
            self._give_up(DeathError(f"it sent what is no frame: {error}"))

    def _received(self, frame: dict[str, Any]) -> None:
        if self._answer is None:
            raise ValueError("nothing was asked")
        if "ask" not in frame:
            if not self._answer.done():
                self._answer.set_result(frame)
            return
        if self._files is None:
            raise ValueError("it asks for files, and there are none")
        self._tell(self._files, frame)

    def _tell(self, files: Files, frame: dict[str, Any]) -> None:
        # Answered here and now: the tree is at hand, and another turn of the event loop would cost more than the look-up.
        try:
            told = files.answer(frame["ask"])
        except PendingError as pending:
            self._fetching = tasks.spawn(self._tell_later(pending, files, frame), name="fetch what an evaluator reads")
            return
        except Exception as error:  # noqa: BLE001 - whatever a tree raises belongs to who asked, not to the event loop
            self._give_up(error)
            return
        self._write(frames.answer(frame["id"], told))  # if it cannot be told, its end is on the way

    async def _tell_later(self, pending: PendingError, files: Files, frame: dict[str, Any]) -> None:
        try:
            await pending.fetch()
        except HomeostatError as error:
            self._give_up(error)
        else:
            self._tell(files, frame)

    def _give_up(self, error: Exception) -> None:
        self.kill()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self.alive = False

    def process_exited(self) -> None:
        self.alive = False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """All is known now: how it ended, and what it said last."""
        assert self._transport is not None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(self._death())
        self._transport.close()
        if not self.closed.done():
            self.closed.set_result(None)

    def _death(self) -> DeathError:
        assert self._transport is not None
        code = self._transport.get_returncode()
        said = self._stderr.decode(errors="replace")
        if any(sign in said for sign in _OUT_OF_STACK):
            return DeathError("it recursed without end", limit="stack")
        if code == MEMORY_EXIT or any(sign in said for sign in _OUT_OF_MEMORY) or said.lstrip().startswith(_NO_MORE_MEMORY):
            return DeathError("it ran out of memory", limit="memory")
        if code == -signal.SIGKILL:
            return DeathError("it was killed from outside: the machine may be out of memory")
        last = next((line for line in said.splitlines() if line.strip()), "it said nothing")
        return DeathError(f"it ended with code {code}: {last}")


def _restrict(pid: int, data: int) -> None:
    """The system's own limits, behind the evaluator's: no files, no dump, no memory without end. Where the system has none, there are none."""
    if not hasattr(resource, "prlimit"):
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        resource.prlimit(pid, resource.RLIMIT_DATA, (data, data))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, 0))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
