"""The Git server tells of pushes, as a hosting service's webhook does."""

from __future__ import annotations

import asyncio
from pathlib import Path

from homeostat.box.gitserver import GitServer
from tests.e2e.repository import Repository


async def test_each_push_is_told_and_no_fetch_is(tmp_path: Path) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    async with GitServer(tmp_path / "served", on_push=told.put_nowait) as server:
        await server.create("one")
        await server.create("group/two")
        one = Repository(tmp_path / "one", server.url("one"))
        one.write("file", "1")
        await one.push()
        assert await told.get() == "one"
        await asyncio.to_thread(one.git, "fetch", "--quiet", "origin")
        two = Repository(tmp_path / "two", server.url("group/two"))
        two.write("file", "2")
        await two.push()
        assert await told.get() == "group/two"
        assert told.empty()
