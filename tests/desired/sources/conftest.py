"""A Git server, a working copy that pushes to it, and the sources that read from it, each new for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homeostat.box.gitserver import GitServer
from homeostat.desired.sources.git import GitSources
from tests.desired.sources.worktree import Worktree


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[GitServer]:
    async with GitServer(tmp_path / "served") as server:
        await server.create("web")
        yield server


@pytest.fixture
async def work(tmp_path: Path, server: GitServer) -> Worktree:
    return await Worktree(tmp_path / "work", server.url("web")).create()


@pytest.fixture
async def sources(tmp_path: Path) -> AsyncIterator[GitSources]:
    async with GitSources(tmp_path / "cache") as sources:
        yield sources
