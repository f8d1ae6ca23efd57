"""A background process is known by its id and its command line together."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from homeostat.box.process import Daemon

SLEEPS = [sys.executable, "-c", "import signal; signal.pause()"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)\nwhile True: signal.pause()",
]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    found = Daemon(tmp_path / "run" / "it.json", tmp_path / "logs" / "it.log")
    yield found
    found.stop(grace=0)


def start(daemon: Daemon, command: list[str]) -> None:
    daemon.start(command, folder=daemon.pid_file.parents[1], environment=os.environ)


def test_it_is_found_again_by_whoever_has_its_file(daemon: Daemon) -> None:
    start(daemon, SLEEPS)
    again = Daemon(daemon.pid_file, daemon.log)
    process = again.process()
    assert process is not None
    while not process.cmdline():  # the kernel still loads its program
        pass
    assert process.cmdline() == SLEEPS
    assert again.stop(grace=5)
    assert daemon.process() is None
    assert not daemon.started()


def test_a_child_is_known_whatever_its_command_line_says(daemon: Daemon) -> None:
    """As in the moment in which the kernel loads the child's program, and the line is empty."""
    start(daemon, ["/bin/sh", "-c", 'echo there; exec "$0" 1000', "sleep"])
    while not daemon.log.read_text():
        pass
    process = daemon.process()
    assert process is not None
    assert daemon.process() == process
    assert daemon.stop(grace=5)
    assert not process.is_running()


def test_an_id_that_was_given_to_another_process_is_not_taken_for_it(daemon: Daemon) -> None:
    daemon.pid_file.parent.mkdir()
    daemon.pid_file.write_text(json.dumps({"pid": os.getpid(), "command": ["box", "etcd"]}))
    assert daemon.process() is None
    assert daemon.started()
    daemon.stop(grace=0)
    assert not daemon.started()


def test_one_that_does_not_listen_is_killed(daemon: Daemon) -> None:
    start(daemon, STUBBORN)
    while not daemon.log.read_text():
        pass
    process = daemon.process()
    assert process is not None
    assert not daemon.stop(grace=0.1)
    _, left = psutil.wait_procs([process], timeout=10)
    assert not left


@pytest.mark.parametrize(
    ("log", "words"),
    [
        pytest.param("I1121 fine\nF1121 08:00:00.1 1 main.go:1] no disk\nI1121 bye\n", "F1121 08:00:00.1 1 main.go:1] no disk", id="klog"),
        pytest.param("I1121 fine\npanic: oh\n\ngoroutine 1 [running]:\n", "panic: oh", id="panic"),
        pytest.param("I1121 fine\n", "", id="killed"),
        pytest.param("", "", id="silent"),
    ],
)
def test_its_last_words_are_the_fatal_ones(daemon: Daemon, log: str, words: str) -> None:
    daemon.log.parent.mkdir()
    daemon.log.write_text(log)
    assert daemon.last_words() == words
