"""``homeostat run`` as a child process: started, seen to run, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from homeostat.cli.demos.errors import ControllerError

_GRACE = 20.0
"""Seconds in which it has to end when it is asked to."""


class Controller:
    """An async context manager. It writes to ``log``, which begins anew with each start, and ends with this process however that ends."""

    def __init__(self, kubeconfig: Path, *, clones: Path, log: Path) -> None:
        self.log = log
        self._arguments = ("run", "--kubeconfig", str(kubeconfig), "--cache", str(clones), "--listen", "127.0.0.1:0")
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        # -P: what lies in the current folder is no part of the program.
        program = (sys.executable, "-P", "-m", "homeostat.cli.demos.attached")
        # Ctrl-C goes to every process of a terminal's group; this one is told by us, in its turn.
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *program, *self._arguments,
                stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, env=environment(),
            )  # fmt: skip
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        process = self._process
        assert process is not None
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        try:
            code = await asyncio.wait_for(process.wait(), _GRACE)
        except TimeoutError:
            process.kill()
            code = await process.wait()
        # By the signal itself: it came before the process had learnt to heed it.
        if code not in {0, -signal.SIGTERM} and error is None:
            raise ControllerError(code, self.log)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def lost(self) -> None:
        """Raises :class:`ControllerError` when it ends without having been asked to."""
        assert self._process is not None
        code = await self._process.wait()
        raise ControllerError(code, self.log)


def environment() -> dict[str, str]:
    """Ours, in which no proxy stands between programs of this machine."""
    names = ("no_proxy", "NO_PROXY")
    given = next((os.environ[name] for name in names if os.environ.get(name)), "")
    here = ",".join(filter(None, (given, "127.0.0.1", "localhost")))
    return {**os.environ, **dict.fromkeys(names, here)}
