"""`homeostat run` as a process that tests start, kill and start again."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from pathlib import Path

from homeostat.model.tasks import spawn

PROGRAM = (sys.executable, "-c", "from homeostat.cli.main import main; main()")


def homeostat(*arguments: str, stdin: str | None = None, code: int = 0) -> str:
    """Runs the command line and answers what it printed; anything but ``code`` as exit code fails the test."""
    done = subprocess.run([*PROGRAM, *arguments], input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == code, f"homeostat {' '.join(arguments)} exited with {done.returncode}: {done.stdout}\n{done.stderr}"
    return done.stdout


class Controller:
    """``folder`` holds its log and its clones, which survive a restart."""

    def __init__(self, kubeconfig: Path, namespace: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log"
        self.address = ""
        self._arguments = ("run", "--kubeconfig", str(kubeconfig), "--namespace", namespace, "--cache", str(folder / "cache"))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *arguments: str) -> None:
        """Returns when it has begun to look at apps."""
        with self.log.open("ab") as log:
            offset = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *PROGRAM, *self._arguments, "--listen", "127.0.0.1:0", *arguments, stdout=subprocess.DEVNULL, stderr=log
            )
        text = await self._said("controller started", offset)
        found = re.search(r"listening\s+address=(\S+)", text)
        assert found is not None, text
        self.address = found.group(1)

    async def kill(self) -> None:
        """As an out-of-memory killer does it."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()
        self._process = None

    async def stop(self) -> None:
        """As a kubelet does it. It must end by itself, and cleanly."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0, self.log.read_text()

    async def _said(self, what: str, offset: int) -> str:
        assert self._process is not None
        ended = spawn(self._process.wait(), name="end of the controller")
        try:
            while True:
                text = self.log.read_bytes()[offset:].decode(errors="replace")
                if what in text:
                    return text
                assert not ended.done(), f"the controller ended: {text}"
                await asyncio.wait([ended], timeout=0.02)
        finally:
            ended.cancel()
