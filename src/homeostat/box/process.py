"""Processes that outlive the command that started them, found again by a file.

The file keeps the process id and the command line; a process is ours while both agree, so that an id which was given to someone else since is
never taken for it, and never killed. A file without its process is a crash: to stop a component removes the file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from homeostat.box import identity

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Those that this very process started: only it can learn how they ended, and must ask so that they do not stay as zombies."""

_WORDS = 300
"""Characters of a log line that are shown."""


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
            process = psutil.Process(pid)
            # A zombie has no command line left.
            return process if process.cmdline() == known["command"] else None
        except psutil.Error:
            return None

    def stop(self, *, grace: float) -> bool:
        """Asks it to end, kills it after ``grace`` seconds (at once for 0), and forgets it. Answers whether it ended by itself."""
        willing = True
        process = self.process()
        if process is not None:
            process.send_signal(signal.SIGTERM if grace else signal.SIGKILL)
            try:
                self._wait(process, grace or 10.0)
            except psutil.TimeoutExpired:
                willing = False
                process.kill()
                self._wait(process, 10.0)
        self.pid_file.unlink(missing_ok=True)
        return willing

    def last_words(self) -> str:
        """The line of the log that says best why the process ended: a fatal one, else the last one. Empty when it said nothing."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - 65536))
                lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        except FileNotFoundError:
            return ""
        fatal = [line for line in lines if line.startswith(("F", "panic:", "fatal error:", "Error:", "error:", '{"level":"fatal"'))]
        return (fatal or lines or [""])[-1][:_WORDS]

    @staticmethod
    def _wait(process: psutil.Process, seconds: float) -> None:
        child = _children.pop(process.pid, None)
        if child is None:
            process.wait(seconds)
            return
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired as error:
            _children[process.pid] = child
            raise psutil.TimeoutExpired(seconds, process.pid) from error
