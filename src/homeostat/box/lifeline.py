"""A lifeline: what hangs on to it ends when the process that holds it does, however that one ended.

It is a named pipe that its holder keeps open for writing. Every component of a box that finds the path of such a pipe in
``HOMEOSTAT_LIFELINE`` reads from it, and exits at the end of the file (``box/main.go``). The environment is inherited, so that a box which a
test starts through the command line hangs on to the test run too. Without the variable a box lives on until it is told to stop.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "HOMEOSTAT_LIFELINE"


@contextmanager
def held(folder: Path) -> Iterator[Path]:
    """Makes the pipe in ``folder``, an existing one, and holds it. Its path is for ``HOMEOSTAT_LIFELINE`` and for ``Plane(lifeline=…)``."""
    path = folder / "lifeline"
    os.mkfifo(path, 0o600)
    # Open for reading as well: for writing alone would wait for a reader. Children do not inherit it, or they would hold it too.
    holder = os.open(path, os.O_RDWR)
    try:
        yield path
    finally:
        os.close(holder)
        path.unlink()
