"""A test run that is going to be killed: not collected by itself, started by test_killed_run.py."""

from __future__ import annotations

import os
import subprocess
import sys

from tests import processes
from tests.cluster import Cluster


def test_waits_to_be_killed(plane: Cluster) -> None:
    assert plane.kubectl("get", "--raw", "/readyz") == "ok"
    subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    sys.stdout.write(f"mark {os.environ[processes.MARK]}\n")
    sys.stdout.flush()
    sys.stdin.read()
