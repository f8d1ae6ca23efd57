"""The folder that a process keeps its clones in: never the same for two processes at a time.

A clone is one process's: it concludes from what its own fetches moved, and sweeps away what it left when it was killed. A command that looks at an
app beside a controller on the same machine gets a folder of its own, which the next command finds again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCK = ".lock"
_MOST = 64
"""Processes side by side. Each needs a clone of every repository."""


@contextmanager
def own_folder(folder: Path) -> Iterator[Path]:
    """``folder``, or where another process holds it, the first ``folder/beside/N`` that none does. Free again when this process ends, however it does.

    Blocks for less than a millisecond. Raises ``OSError`` when a folder cannot be made.
    """
    for place in (folder, *(folder / "beside" / str(number) for number in range(_MOST))):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(place / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        try:
            yield place
        finally:
            os.close(descriptor)
        return
    raise OSError(f"{folder}: {_MOST} processes hold clones here already")
