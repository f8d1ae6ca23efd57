"""`homeostat demo`, by itself and with a person: what it shows, and that nothing is left of it however it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests import processes
from tests.commands import PROGRAM, homeostat

pytestmark = pytest.mark.slow


class Demo:
    """A demo that runs as a process. ``output`` is what it has written so far, to both streams."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.output = ""

    def until(self, text: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if text in line:
                return
        pytest.fail(f"it ended and did not say {text!r}: {self.output}")

    def end(self, number: signal.Signals) -> int:
        """Answers its exit code."""
        self.process.send_signal(number)
        return self.rest()

    def rest(self) -> int:
        assert self.process.stdout is not None
        self.output += self.process.stdout.read()
        return self.process.wait()

    def found(self, pattern: str) -> str:
        match = re.search(pattern, self.output)
        assert match is not None, self.output
        return match[1]


@contextmanager
def started(state: Path, *arguments: str, mark: bool = True) -> Iterator[Demo]:
    """A demo whose data are below ``state``. Without ``mark`` it is not one of the test run's processes, and on its own."""
    environment = {name: value for name, value in os.environ.items() if mark or name != processes.MARK}
    environment |= {"XDG_STATE_HOME": str(state), "PYTHONUNBUFFERED": "1"}
    command = [*PROGRAM, "demo", *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield Demo(process)
        finally:
            process.kill()


def of_state(state: Path) -> list[psutil.Process]:
    """The processes that work with a file below ``state``."""
    return [process for process in psutil.process_iter(["cmdline"]) if any(str(state) in part for part in process.info["cmdline"] or ())]


def test_the_story_is_seen_to_happen_and_leaves_nothing(tmp_path: Path) -> None:
    before = processes.marked(os.environ[processes.MARK])
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = homeostat("demo", "--script", env={"XDG_STATE_HOME": str(tmp_path / "state"), "TMPDIR": str(scratch)})
    assert done.code == 0, done.stdout + done.stderr
    steps = [int(number) for number in re.findall(r"^\[(\d+)/9\]", done.stdout, re.MULTILINE)]
    assert steps == list(range(1, 10))
    assert "All 9 steps were seen to happen" in done.stdout
    assert re.search(r"saw   0?.*after the push: .*guestbook/settings\.yaml:3", done.stdout)
    assert list(scratch.iterdir()) == []
    assert not (tmp_path / "state").exists()
    assert set(processes.marked(os.environ[processes.MARK])) <= set(before)


def test_a_demo_ends_cleanly_when_it_is_told_to_and_goes_on_where_it_was(tmp_path: Path) -> None:
    with started(tmp_path) as first:
        first.until("Ctrl-C ends it all")
        again = homeostat("demo", env={"XDG_STATE_HOME": str(tmp_path)})
        assert (again.code, "a demo `demo` is running already" in again.stderr) == (1, True)
        assert first.end(signal.SIGINT) == 0
    assert "all 4 apps are Synced and Healthy" in first.output
    assert "Nothing runs any more; the data are kept" in first.output
    assert of_state(tmp_path) == []

    with started(tmp_path) as second:
        second.until("Ctrl-C ends it all")
        assert second.end(signal.SIGTERM) == 0
    assert of_state(tmp_path) == []
    for pattern in (r"stands at (\w+)", r"git clone (?:-c \S+ )*(\S+)", r"up at (https\S+)"):
        assert first.found(pattern) == second.found(pattern)


def test_a_demo_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    with started(tmp_path, mark=False) as demo:
        demo.until("the controller runs")
        left = of_state(tmp_path)
        names = " ".join(" ".join(process.info["cmdline"]) for process in left)
        assert all(part in names for part in ("etcd", "kube-apiserver", "kwok", "demos.attached"))
    psutil.wait_procs(left, timeout=60)
    assert of_state(tmp_path) == []


def test_a_controller_that_is_lost_is_said_and_ends_the_demo(tmp_path: Path) -> None:
    with started(tmp_path, "--reset") as demo:
        demo.until("the controller runs")
        os.kill(int(demo.found(r"process (\d+)")), signal.SIGKILL)
        assert demo.rest() == 1
    assert "error: the controller was killed by signal 9" in demo.output
    assert "hint: its whole log is" in demo.output
    assert of_state(tmp_path) == []
    assert not (tmp_path / "homeostat" / "box" / "demo").exists()
    assert not (tmp_path / "homeostat" / "demo" / "demo").exists()
