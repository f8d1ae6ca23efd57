"""Which processes belong to a test run, and the watchdog that ends them when the run is killed.

Every process that a test starts, directly or through others, inherits the path of the run's lifeline in its environment: that is the mark.
Run as a program, this module is the watchdog: it waits for the end of its standard input, which comes when the test run is gone however it
ended, and kills what is left with the mark.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import psutil

MARK = "HOMEOSTAT_LIFELINE"


def marked(mark: str) -> list[psutil.Process]:
    """The running processes of the test run with this mark, but for this one and the run itself."""
    ours = {os.getpid(), os.getppid()}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid not in ours and process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def children() -> dict[int, str]:
    """The children of this process that run, with what they are; without the watchdog, which is there for the whole run."""
    pids: set[int] = set()
    for listing in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            pids.update(int(pid) for pid in listing.read_text().split())
    found = {}
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            command = " ".join(process.cmdline())
            # One that was killed has no command line left, while the last of its threads still end.
            if command and __file__ not in command and process.status() != psutil.STATUS_ZOMBIE:
                found[pid] = command
    return found


def is_younger(pid: int, moment: float) -> bool:
    """Whether the process began after ``moment`` (the system counts hundredths of a second). The kernel's list of children misses one at times."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).create_time() > moment - 0.01
    return False


def main() -> None:
    mark = sys.argv[1]
    sys.stdin.read()
    for process in marked(mark):
        with contextlib.suppress(psutil.Error):
            process.kill()


if __name__ == "__main__":
    main()
