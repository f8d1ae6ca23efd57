"""A real working copy for tests: writes files, commits, pushes. The ``git`` program does the work, with a fixed author and date."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_SSL_NO_VERIFY": "1",
}


class Worktree:
    """A working copy in ``folder`` that pushes to ``remote`` (an address or a path)."""

    def __init__(self, folder: Path, remote: str) -> None:
        self.folder = folder
        self.remote = remote

    async def git(self, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            "git", *arguments, cwd=self.folder, env=_ENVIRONMENT, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, error = await process.communicate()
        assert process.returncode == 0, f"git {arguments}: {error.decode()}"
        return output.decode().strip()

    async def create(self) -> Worktree:
        self.folder.mkdir(parents=True)
        await self.git("init", "--quiet", "--initial-branch=main")
        return self

    async def commit(self, files: Mapping[str, str | None], *, push: bool = True, to: str = "main") -> str:
        """Write ``files`` (``None`` removes one), commit, push to the branch ``to``; answers the commit's id."""
        for name, text in files.items():
            path = self.folder / name
            if text is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        await self.git("add", "--all")
        await self.git("commit", "--quiet", "--allow-empty", "-m", "change")
        if push:
            await self.push(f"HEAD:refs/heads/{to}")
        return await self.git("rev-parse", "HEAD")

    async def push(self, *refspecs: str) -> None:
        await self.git("push", "--quiet", "--force", self.remote, *refspecs)
