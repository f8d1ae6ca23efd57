"""Processes that outlive the command that started them, found again by a file.

The file keeps the process id and the command line; a process is ours while both agree, so that an id which was given to someone else since is
never taken for it, and never killed. A file without its process is a crash: to stop a component removes the file.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from homeostat.box import identity
from homeostat.box.errors import StuckError

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Those that this very process started: only it can learn how they ended, and must ask so that they do not stay as zombies."""

_FAILED = '"command failed"'
"""How Kubernetes' programs say, as an error like any other, that they end."""

_WORDS = 1000
"""Characters of a log line that are shown."""

_FATAL = ("F1", "F0", "panic:", "fatal error:", "Error:", "error:", '{"level":"fatal"', '{"level":"panic"')
"""How klog (with the month), Go itself, cobra and zap begin the line before the end."""

_KILLED_SECONDS = 10.0
"""A killed process is gone at once, unless the kernel holds it in a disk that does not answer."""


@dataclass(frozen=True)
class Daemon:
    """One background process: where its file and its log are."""

    pid_file: Path
    log: Path

    def start(self, command: list[str], *, folder: Path, environment: Mapping[str, str]) -> None:
        """Starts ``command`` in a session of its own. The log of the run before is kept as ``….log.1``."""
        for path in (self.pid_file, self.log):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("wb") as log:
            child = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _children[child.pid] = child
        identity.write(self.pid_file, json.dumps({"pid": child.pid, "command": command}))

    def started(self) -> bool:
        """Whether it was started and not stopped since: it should run."""
        return self.pid_file.exists()

    def process(self) -> psutil.Process | None:
        """The process if it runs."""
        try:
            known = json.loads(self.pid_file.read_bytes())
        except FileNotFoundError:
            return None
        pid: int = known["pid"]
        if pid in _children and _children[pid].poll() is not None:
            del _children[pid]
        try:
            # Of a child nothing has to be guessed. Its command line is empty for a moment, while the kernel loads its program.
            if pid in _children:
                return psutil.Process(pid)
            process = psutil.Process(pid)
            # A zombie has no command line left.
            return process if process.cmdline() == known["command"] else None
        except psutil.Error:
            return None

    def stop(self, *, grace: float) -> bool:
        """Asks it to end, kills it after ``grace`` seconds (at once for 0), and forgets it. Answers whether it ended before that."""
        process = self.process()
        if process is None:
            self.pid_file.unlink(missing_ok=True)
            return True
        # Between the look and the signal it may have ended: then there is nothing left to do.
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGTERM if grace else signal.SIGKILL)
        willing = self._ended(grace or _KILLED_SECONDS)
        if not willing:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
            if not self._ended(_KILLED_SECONDS):
                raise StuckError(process.pid, self.log)
        self.pid_file.unlink(missing_ok=True)
        return willing

    def last_words(self) -> str:
        """The last line of the log that speaks of a fatal error; empty when there is none, as when the process was killed."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - 65536))
                lines = log.read().decode(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return next((_plain(line)[:_WORDS] for line in reversed(lines) if line.startswith(_FATAL) or _FAILED in line), "")

    def _ended(self, seconds: float) -> bool:
        """Waits for the end. Not for its parent to take note of it: in a container nobody may ever do so."""
        deadline = time.monotonic() + seconds
        pause = 0.002
        while self.process() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)
        return True


def _plain(line: str) -> str:
    """Of a line of JSON, as etcd writes them, what it says and why."""
    try:
        said = json.loads(line)
    except ValueError:
        return line
    return ": ".join(str(said[part]) for part in ("msg", "error") if said.get(part)) or line
