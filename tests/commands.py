"""Runs the command line as a user does: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

PROGRAM = (sys.executable, "-c", "from homeostat.cli.main import main; main()")


@dataclass(frozen=True)
class Outcome:
    code: int
    stdout: str
    stderr: str


def homeostat(*arguments: str, env: dict[str, str] | None = None) -> Outcome:
    """Runs `homeostat` with these arguments; ``env`` is added to the environment."""
    done = subprocess.run(
        [*PROGRAM, *arguments],
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)
