"""A test run that is killed, with no chance to clean up, leaves no process behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests import processes

ROOT = Path(__file__).parents[2]


def test_a_killed_test_run_leaves_no_process() -> None:
    environment = {name: value for name, value in os.environ.items() if name != processes.MARK}
    command = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", "tests/box/killed_run.py"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        said = next(line for line in run.stdout if "mark " in line)
        mark = said.split("mark ")[1].strip()
        names = {" ".join(process.cmdline()) for process in processes.marked(mark)}
        for part in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "signal.pause"):
            assert any(part in name for name in names), names
        run.kill()
    while left := processes.marked(mark):
        # Each is waited for by looking: it is no child of this process.
        left[0].is_running()
