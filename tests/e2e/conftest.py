"""The whole program at work: a real controller process, a real Git server that is pushed to, a real API server.

Each test has a control namespace of its own with a controller of its own, so that it may kill it; apps and namespaces have names that no other
test uses. The same tests run against any cluster (`pytest --kubeconfig …`): the controller and the Git server stand beside the tests.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from homeostat.box.gitserver import GitServer
from tests.cluster import Cluster
from tests.e2e.apps import Apps
from tests.e2e.controller import Controller, homeostat
from tests.e2e.repository import Repository


@pytest.fixture
def mark() -> str:
    """What makes the names of a test its own."""
    return uuid.uuid4().hex[:8]


@pytest.fixture
async def git(tmp_path: Path) -> AsyncIterator[GitServer]:
    async with GitServer(tmp_path / "git") as server:
        yield server


@pytest.fixture
async def repository(git: GitServer, tmp_path: Path) -> Repository:
    """An empty repository that can be pushed to, with a working copy."""
    await git.create("repository")
    return Repository(tmp_path / "work", git.url("repository"))


@pytest.fixture
def control(plane: Cluster, mark: str) -> Iterator[str]:
    """A control namespace, as `homeostat install` makes it."""
    name = f"control-{mark}"
    homeostat("install", "--kubeconfig", str(plane.kubeconfig), "--namespace", name)
    yield name
    plane.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


@pytest.fixture
async def controller(plane: Cluster, control: str, tmp_path: Path) -> AsyncIterator[Controller]:
    """A controller that is running and ready."""
    process = Controller(plane.kubeconfig, control, tmp_path / "controller")
    await process.start()
    try:
        yield process
    finally:
        await process.stop()


@pytest.fixture
async def apps(plane: Cluster, control: str, mark: str) -> AsyncIterator[Apps]:
    """Applications in the control namespace. Afterwards they are gone, without their finalizers, and so are the namespaces they used."""
    async with Apps(plane, control, mark) as made:
        yield made
