"""A Git server as a process of its own, so that it has a processor's time and an event loop of its own; and a working copy to push from.

`python -m bench.git FOLDER` serves the repositories in ``FOLDER``, prints its port, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from homeostat.box.gitserver import GitServer

_IDENTITY = ("-c", "user.name=Bench", "-c", "user.email=bench@example.com", "-c", "commit.gpgsign=false", "-c", "gc.auto=0")


class GitProcess:
    """The server, started and ended with the context."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.git", str(self._folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self.port = int(await self._process.stdout.readline())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process is not None
        await self._process.communicate(b"")  # without input, its stdin would stay open

    async def repository(self, name: str) -> Repository:
        """A new, empty repository with a working copy."""
        return await asyncio.to_thread(Repository, self._folder, name, f"http://127.0.0.1:{self.port}/{name}.git")


class Repository:
    """A working copy of a repository that can be pushed to. Its methods block."""

    def __init__(self, folder: Path, name: str, url: str) -> None:
        self.url = url
        self._folder = folder / "work" / name
        bare = folder / f"{name}.git"
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True)
        self._folder.mkdir(parents=True)
        self._git("init", "--quiet", "--initial-branch=main")
        # Straight into the folder: how long a push takes is nobody's question here.
        self._git("remote", "add", "origin", str(bare))

    def push(self, files: Mapping[str, str], message: str = "change") -> str:
        """Writes ``files``, commits and pushes; answers the commit."""
        for path, text in files.items():
            target = self._folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", message)
        self._git("push", "--quiet", "origin", "HEAD:main")
        return self._git("rev-parse", "HEAD")

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *_IDENTITY, *arguments], cwd=self._folder, capture_output=True, text=True, check=True)
        return done.stdout.strip()


async def _serve(folder: Path) -> None:
    async with GitServer(folder) as server:
        print(server.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
