"""A working copy of a repository that tests commit to and push."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")


class Repository:
    """``url`` is where it is pushed to and where apps find it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", url)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *IDENTITY, *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def remove(self, path: str) -> None:
        target = self.folder / path
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink()

    def copy(self, folder: Path) -> None:
        """Everything below ``folder`` comes in."""
        shutil.copytree(folder, self.folder, dirs_exist_ok=True)

    async def push(self, message: str = "change", *, branch: str = "main") -> str:
        """Commits everything and pushes it; answers the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        # In a thread: the server that is pushed to may run in this very event loop.
        await asyncio.to_thread(self.git, "push", "--quiet", "--force", "origin", f"HEAD:{branch}")
        return self.git("rev-parse", "HEAD")
