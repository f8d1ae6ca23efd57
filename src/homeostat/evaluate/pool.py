"""The pool: evaluator processes that live long, and requests that share them fairly.

Invariants: a request runs alone in its process; a process that overran, died or was left in an unknown state is never used again; what goes
wrong in one request is an error of that request only. Processes start when they are needed and end when they were idle for a while, so that
idle apps cost no memory. Requests wait in the order in which they came. One that takes long gives its place to the next and goes on beside
it (up to a bound), so that a chart without end holds nobody up.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import msgspec
import structlog

from homeostat.evaluate import frames
from homeostat.evaluate.errors import EvaluateError, EvaluationError, EvaluatorCrashError, LimitError, UnsupportedError
from homeostat.evaluate.files import Files, Prefetch
from homeostat.evaluate.process import DeathError, Limits, Process
from homeostat.evaluate.requests import JqRequest, LuaRequest, Request
from homeostat.model.manifest import Origin
from homeostat.model.tree import Trace, Tree

log = structlog.get_logger(__name__)

IDLE_SECONDS = 60.0
SLOW_SECONDS = 1.0
"""After this long a request gives up its place in the pool; ``_SLOW_PER_PLACE`` bounds how many go on so."""

DEFAULT_LIMITS = Limits()

_SLOW_PER_PLACE = 3
_NO_PREFETCH = Prefetch()


class Answer(msgspec.Struct, frozen=True):
    """What an evaluator answered, what it has read to do so, and how often it had to ask for it."""

    value: Any
    trace: Trace
    asks: int = 0


class Pool:
    """Runs requests in at most ``size`` evaluator processes side by side (slow ones beside them).

    An asynchronous context manager: on leaving it, waiting requests fail and all processes are gone.
    """

    def __init__(self, *, program: Path, size: int, limits: Limits = DEFAULT_LIMITS, idle_seconds: float = IDLE_SECONDS) -> None:
        self._program = program
        self._size = size
        self._limits = limits
        self._idle_seconds = idle_seconds
        self._idle: list[tuple[Process, asyncio.TimerHandle]] = []
        self._processes: set[Process] = set()
        self._places = size
        self._slow = 0
        self._overdue: deque[_Place] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._numbers = itertools.count(1)
        self._closing = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._closing = True
        for turn in self._waiting:
            if not turn.done():
                turn.set_exception(_closed())
        for _, timer in self._idle:
            timer.cancel()
        self._idle.clear()
        processes = list(self._processes)
        for process in processes:
            process.kill()
        for process in processes:
            await process.closed

    @property
    def processes(self) -> int:
        """How many evaluator processes there are now."""
        return len(self._processes)

    async def evaluate(self, request: Request, *, tree: Tree | None = None, subject: str = "", prefetch: Prefetch | None = None) -> Answer:
        """Runs ``request`` over the files of ``tree``. ``subject`` names whom it is for in errors; ``prefetch`` what to tell ahead.

        Raises :class:`EvaluationError` (the input is wrong), :class:`UnsupportedError`, :class:`LimitError`, :class:`EvaluatorCrashError`.
        A request that is cancelled takes its process with it, for nobody knows where that one stands.
        """
        await self._enter()
        place = _Place(self._lend)
        try:
            files = Files(tree) if tree is not None else None
            return await self._run(_Run(request, files, subject, self._limits, prefetch or _NO_PREFETCH))
        finally:
            place.timer.cancel()
            self._leave(place)

    async def _run(self, run: _Run) -> Answer:
        process = await self._process(run)
        reused = process.used > 0
        try:
            return await self._ask(process, run)
        except DeathError as death:
            # One that was used before may have been dying of something older. The second try is in a process of its own.
            if not reused or death.limit or self._closing:
                raise run.died(death) from death
            log.info("an evaluator was gone when it was asked", reason=death.reason, subject=run.subject)
        try:
            return await self._ask(await self._start(run), run)
        except DeathError as death:
            raise run.died(death) from death

    async def _ask(self, process: Process, run: _Run) -> Answer:
        number = next(self._numbers)
        try:
            async with asyncio.timeout(run.seconds):
                frame = await process.ask(number, run.frame(number), run.files)
        except TimeoutError:
            self._discard(process)
            raise run.overran() from None
        except BaseException:
            self._discard(process)
            raise
        self._keep(process)
        return run.answered(frame)

    async def _process(self, run: _Run) -> Process:
        while self._idle:
            process, timer = self._idle.pop()
            timer.cancel()
            if process.alive:
                return process
        return await self._start(run)

    async def _start(self, run: _Run) -> Process:
        try:
            process = await Process.start(self._program, self._limits)
        except OSError as error:
            raise run.crashed(f"the evaluator {self._program} does not start: {error}") from error
        self._processes.add(process)
        process.closed.add_done_callback(lambda _: self._processes.discard(process))
        return process

    def _keep(self, process: Process) -> None:
        if not process.alive or self._closing or len(self._idle) >= self._size:
            self._discard(process)
            return
        timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._retire, process)
        self._idle.append((process, timer))

    def _retire(self, process: Process) -> None:
        self._idle = [(kept, timer) for kept, timer in self._idle if kept is not process]
        self._discard(process)

    def _discard(self, process: Process) -> None:
        process.kill()

    async def _enter(self) -> None:
        if self._closing:
            raise _closed()
        if self._places > 0 and not self._waiting:
            self._places -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._give_place()  # the place came at the very moment of the cancellation
            raise

    def _give_place(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._places += 1

    def _lend(self, place: _Place) -> None:
        """A slow request gives its place away; where too many have done so, it does when one of them is done."""
        if self._slow >= self._size * _SLOW_PER_PLACE:
            self._overdue.append(place)
            return
        self._slow += 1
        place.lent = True
        self._give_place()

    def _leave(self, place: _Place) -> None:
        if not place.lent:
            if place in self._overdue:
                self._overdue.remove(place)
            self._give_place()
            return
        self._slow -= 1
        if self._overdue:
            self._lend(self._overdue.popleft())


class _Place:
    """The place of one running request: held, or lent to the next because it takes long."""

    def __init__(self, slow: Callable[[_Place], None]) -> None:
        self.lent = False
        self.timer = asyncio.get_running_loop().call_later(SLOW_SECONDS, slow, self)


class _Run:
    """One request on its way: its frame, its limits, and its errors in words that name it."""

    def __init__(self, request: Request, files: Files | None, subject: str, limits: Limits, prefetch: Prefetch) -> None:
        self.files = files
        self.subject = subject
        self._request = request
        self._limits = limits
        self._ahead = files.told(prefetch) if files is not None else None
        self._evaluator = str(request.__struct_config__.tag)
        self.seconds = _seconds(request, limits)

    def frame(self, number: int) -> bytes:
        return frames.request(number, self._request, self._ahead)

    def answered(self, frame: dict[str, Any]) -> Answer:
        reported = frame.get("trace") or ()
        trace = self.files.trace(reported) if self.files is not None else frozenset(reported)
        if "error" in frame:
            self._fail(frame["error"], trace)
        return Answer(value=frame.get("ok"), trace=trace, asks=self.files.asks if self.files is not None else 0)

    def _fail(self, error: dict[str, Any], trace: Trace) -> NoReturn:
        message = error.get("message") or "failed without a message"
        kind = error.get("kind")
        if kind == "limit":
            raise LimitError(message, limit="output", evaluator=self._evaluator, subject=self.subject, trace=trace)
        failure: type[EvaluateError] = UnsupportedError if kind == "unsupported" else EvaluationError
        origin = Origin(error.get("file") or "", error.get("line") or 0)
        raise failure(message, evaluator=self._evaluator, subject=self.subject, trace=trace, origin=origin)

    def overran(self) -> LimitError:
        return self._limit(f"it took more than its time limit of {self.seconds:g} seconds", "time")

    def died(self, death: DeathError) -> EvaluateError:
        match death.limit:
            case "memory":
                return self._limit(f"it needed more than its memory limit of {_size(self._limits.memory)}", "memory")
            case "output":
                return self._limit(f"its output is longer than the limit of {_size(self._limits.output)}", "output")
            case "stack":
                return self._limit("it recursed deeper than the stack limit", "stack")
            case _:
                return self.crashed(f"the evaluator process died: {death.reason}")

    def crashed(self, message: str) -> EvaluatorCrashError:
        return EvaluatorCrashError(message, evaluator=self._evaluator, subject=self.subject, trace=self._seen())

    def _limit(self, what: str, limit: str) -> LimitError:
        return LimitError(what, limit=limit, evaluator=self._evaluator, subject=self.subject, trace=self._seen())

    def _seen(self) -> Trace:
        return self.files.seen() if self.files is not None else frozenset()


def _closed() -> RuntimeError:
    return RuntimeError("the pool of evaluators is closed")


def _seconds(request: Request, limits: Limits) -> float:
    match request:
        case LuaRequest():
            return limits.quick_seconds
        case JqRequest():
            return min(limits.quick_seconds * max(1, len(request.programs)) * max(1, len(request.inputs)), limits.seconds)
        case _:
            return limits.seconds


def _size(number: int) -> str:
    return f"{number // (1024 * 1024)} MiB" if number >= 1024 * 1024 else f"{number} bytes"
