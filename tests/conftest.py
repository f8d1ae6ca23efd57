"""What every test stands on: a cluster, a namespace of its own, and the certainty that nothing is left behind.

`plane` is a box for the whole run, or the cluster that `--kubeconfig` names; tests that use it get the marker `cluster`. Each test is
checked for asyncio tasks and child processes that it leaves, and coroutines of ours for calls that block the event loop. A test run that is
killed takes every process that it started with it (`tests/processes.py`).
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from inspect import iscoroutinefunction
from pathlib import Path

import pytest
from blockbuster import BlockBuster

from homeostat.box import lifeline
from homeostat.box.plane import Plane
from tests import processes
from tests.cluster import Cluster, KubectlError


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kubeconfig", type=Path, help="run the tests that need a cluster against this one; by default a box is started")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "plane" in getattr(item, "fixturenames", ()):
            item.add_marker("cluster")
        if isinstance(item, pytest.Function) and iscoroutinefunction(item.function):
            # First, so that it is the last to look: after the other fixtures have ended what they began.
            item.fixturenames.insert(0, "no_task_is_left")


@pytest.fixture(scope="session", autouse=True)
def run_mark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The mark of this run's processes. When the run ends, none of them may be left; when it is killed, they are killed."""
    with lifeline.held(tmp_path_factory.mktemp("run")) as path:
        os.environ[lifeline.VARIABLE] = str(path)
        watchdog = subprocess.Popen([sys.executable, processes.__file__, str(path)], stdin=subprocess.PIPE, start_new_session=True)
        yield str(path)
        left = [process for process in processes.marked(str(path)) if process.pid != watchdog.pid]
        said = [f"{process.pid} {' '.join(process.cmdline())}" for process in left]
        watchdog.communicate()
        del os.environ[lifeline.VARIABLE]
    assert not said, f"the tests left processes behind: {said}"


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """Child processes of wider fixtures are there before the test, and may stay."""
    before, began = processes.children(), time.time()
    yield
    left = {pid: command for pid, command in processes.children().items() if pid not in before and processes.is_younger(pid, began)}
    assert not left, f"the test left child processes behind: {left}"


@pytest.fixture
async def no_task_is_left() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left, f"the test left tasks behind: {left}"


@pytest.fixture(scope="session", autouse=True)
def no_call_blocks_the_loop() -> Iterator[None]:
    """A call of ours that blocks the event loop is an error where it is made. Looking at a file's status is quick enough everywhere."""
    guard = BlockBuster(scanned_modules=["homeostat"])
    for name in list(guard.functions):
        if name.startswith("os.") and name not in {"os.read", "os.write", "os.sendfile", "os.popen"}:
            del guard.functions[name]
    # A time zone is a file of one or two kilobytes, read once by a process.
    guard.functions["io.BufferedReader.read"].can_block_in("zoneinfo/_common.py", "load_data")
    guard.activate()
    yield
    guard.deactivate()


@pytest.fixture(scope="session")
def plane(request: pytest.FixtureRequest, run_mark: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster. It is shared: a test keeps to a namespace of its own, or to cluster-scoped objects with names of its own."""
    cache = tmp_path_factory.mktemp("kubectl")
    given: Path | None = request.config.getoption("--kubeconfig")
    if given is not None:
        yield Cluster(given.resolve(), cache)
        return
    box = Plane("tests", home=tmp_path_factory.mktemp("box"), lifeline=Path(run_mark))
    box.up(progress=lambda line: print(line, file=sys.stderr))  # noqa: T201
    yield Cluster(box.kubeconfig, cache)
    box.reset()


@pytest.fixture
def namespace(request: pytest.FixtureRequest, plane: Cluster) -> Iterator[str]:
    """The name of a new namespace. It is deleted afterwards; nobody waits for that."""
    about = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-")
    name = f"{about}-{uuid.uuid4().hex[:6]}"
    plane.kubectl("create", "namespace", name)
    yield name
    try:
        plane.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
    except KubectlError as error:
        pytest.fail(f"the namespace of the test could not be deleted: {error}")
