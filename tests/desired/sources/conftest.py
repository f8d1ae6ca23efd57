"""A Git server, a working copy that pushes to it, and the sources that read from it, each new for every test; an authority for certificates."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homeostat.box.gitserver import GitServer
from homeostat.desired.sources.charts import ChartSources
from homeostat.desired.sources.git import GitSources
from homeostat.desired.sources.web import Web, WebLimits
from homeostat.evaluate.pool import Pool
from tests import evaluators
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


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate authority (``ca.pem``) and a certificate of it for 127.0.0.1 (``server.pem``, ``server.key``)."""
    folder = tmp_path_factory.mktemp("authority")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority")
    openssl("req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "server.pem",
                  "-days", "2", "-extfile", "names")  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def program() -> Path:
    """The evaluator, found or built before an event loop runs."""
    return evaluators.program()


@pytest.fixture
async def pool(program: Path) -> AsyncIterator[Pool]:
    async with Pool(program=program, size=2) as pool:
        yield pool


@pytest.fixture
async def transfers() -> AsyncIterator[Web]:
    """Leaves no server alone after a failure."""
    async with Web(limits=WebLimits(first_pause=0.0)) as transfers:
        yield transfers


@pytest.fixture
def charts(tmp_path: Path, pool: Pool, transfers: Web) -> ChartSources:
    return ChartSources(tmp_path / "charts", pool=pool, web=transfers)
