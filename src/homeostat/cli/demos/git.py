"""What a demo does with the ``git`` program: its own settings, not the user's, so that a signing key or a hook of theirs changes nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from homeostat.cli.demos.controller import environment
from homeostat.cli.demos.errors import CommandError

_SETTINGS = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Homeostat demo",
    "GIT_AUTHOR_EMAIL": "demo@homeostat.invalid",
    "GIT_COMMITTER_NAME": "Homeostat demo",
    "GIT_COMMITTER_EMAIL": "demo@homeostat.invalid",
}


async def git(folder: Path, *arguments: str) -> str:
    """Runs a command in ``folder`` and answers what it printed. Raises :class:`CommandError`."""
    # Whoever calls the demo from a hook of Git's has variables that would lead every command to another repository.
    inherited = {name: value for name, value in environment().items() if not name.startswith("GIT_")}
    process = await asyncio.create_subprocess_exec(
        "git", *arguments, cwd=folder, env={**inherited, **_SETTINGS},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    assert process.returncode is not None
    if process.returncode:
        raise CommandError(("git", *arguments), process.returncode, errors.decode(errors="replace"))
    return output.decode(errors="replace").strip()


async def head(bare: Path) -> str:
    """The commit of ``main`` in a bare repository; empty when it has none."""
    return await git(bare, "for-each-ref", "--format=%(objectname)", "refs/heads/main")


async def subject(bare: Path, commit: str) -> str:
    """The first line of a commit's message."""
    return await git(bare, "log", "-1", "--format=%s", commit)


async def push_files(folder: Path, files: Path, url: str) -> str:
    """Commits a copy of ``files`` in a new working copy at ``folder`` and pushes it to ``url`` as ``main``; answers the commit."""
    await asyncio.to_thread(shutil.copytree, files, folder)
    await git(folder, "init", "--quiet", "--template=", "--initial-branch=main")
    await git(folder, "remote", "add", "origin", url)
    await commit(folder, "The four example applications")
    return await push(folder)


async def commit(folder: Path, message: str) -> None:
    """Commits everything in the working copy at ``folder``."""
    await git(folder, "add", "--all")
    await git(folder, "commit", "--quiet", "--message", message)


async def push(folder: Path) -> str:
    """Pushes what was committed; answers the commit."""
    pushed = await git(folder, "rev-parse", "HEAD")
    await git(folder, "push", "--quiet", "origin", "main")
    return pushed
