"""A Git repository of the person at the keyboard, read where it lies: its commits as trees, its remotes. Nothing is fetched, written or checked out.

The caches of ``git.py`` are for repositories of others, which are fetched and not trusted. This one is trusted as far as ``git`` itself trusts it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from homeostat.desired.sources.errors import RefusedError, RevisionMissingError
from homeostat.desired.sources.git_tree import GitTree
from homeostat.desired.sources.store import Store


class WorkingCopy:
    """The repository that ``folder`` is in. Raises :class:`RefusedError` where there is none, or no ``git``. Blocks for some milliseconds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        found = self._git("rev-parse", "--path-format=absolute", "--git-common-dir")
        if found is None:
            raise RefusedError(f"{folder} is in no Git repository", hint="name the folder of a clone")
        top = self._git("rev-parse", "--show-toplevel")
        self.root = Path(top or found)
        self._store = Store(Path(found))
        self._store.reopen()

    def remotes(self) -> tuple[str, ...]:
        """The addresses of its remotes."""
        told = self._git("config", "--get-regexp", r"^remote\..*\.url$") or ""
        return tuple(line.partition(" ")[2] for line in told.splitlines())

    def commit(self, revision: str) -> str:
        """The full id of the commit that ``revision`` names, in all the ways of ``git rev-parse``. Raises :class:`RevisionMissingError`."""
        found = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        if found is None:
            raise RevisionMissingError(f"{self.root}: there is no revision {revision!r}", hint="`git fetch` it first, or look at `git log`")
        return found

    def fork_point(self, one: str, other: str) -> str:
        """The newest commit that both have in their history. Raises :class:`RevisionMissingError` where they have none."""
        found = self._git("merge-base", one, other)
        if found is None:
            raise RevisionMissingError(
                f"{self.root}: {one[:12]} and {other[:12]} have no commit in common", hint="a shallow clone may lack it"
            )
        return found

    def tree(self, commit: str) -> GitTree:
        """The files of ``commit``, a full id. Raises :class:`RevisionMissingError`."""
        root = self._store.root_of(commit)
        if root is None:
            raise RevisionMissingError(f"{self.root}: the commit {commit} is not here", hint="`git fetch` it first")
        return GitTree(self._store, commit, root)

    def _git(self, *arguments: str) -> str | None:
        """What ``git`` printed; ``None`` when it has nothing to say."""
        try:
            done = subprocess.run(["git", "-C", str(self._folder), *arguments], capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise RefusedError("git is not installed", hint="install it, or put it on PATH") from error
        return done.stdout.strip() if done.returncode == 0 else None
