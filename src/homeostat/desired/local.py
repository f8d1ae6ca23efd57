"""A folder of this machine as a tree, for looking at what it renders to before it is committed.

The same jail as Git's: nothing outside the folder is shown, be it by ``..`` or by a symbolic link. A tree is a snapshot in name only: files
are read when they are asked for, so keep none longer than a render.
"""

from __future__ import annotations

import builtins
import hashlib
import os
import stat as modes
from pathlib import Path

from homeostat.model.tree import Entry, EntryKind, Trace, Tree, TreeError

_MAX_LINKS = 40
_HIDDEN = ".git"
"""Not part of what a commit holds."""


class LocalTree(Tree):
    """The files below ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = os.fspath(root.resolve())

    @property
    def id(self) -> str:
        """The content of everything: read all of it only where two trees are compared."""
        return hashlib.sha256("\n".join(f"{path} {digest}" for path, digest in sorted(self._digests().items())).encode()).hexdigest()

    def stat(self, path: str) -> EntryKind | None:
        real, _ = self.resolve(path)
        return self._kind(real)

    def list(self, path: str) -> list[Entry] | None:
        real, _ = self.resolve(path)
        if self._kind(real) is not EntryKind.DIRECTORY:
            return None
        return self._entries(real)

    def read(self, path: str) -> bytes | None:
        real, _ = self.resolve(path)
        if self._kind(real) is not EntryKind.FILE:
            return None
        return self._bytes(real)

    def resolve(self, path: str) -> tuple[str, frozenset[str]]:
        """One name at a time, as a file system follows them: ``..`` is taken of the real folder."""
        waiting = [name for name in reversed(path.split("/")) if name not in {"", "."}]
        chain: list[str] = []
        passed: set[str] = set()
        links = 0
        while waiting:
            name = waiting.pop()
            if name == "..":
                if not chain:
                    raise TreeError(f"{path}: the path leaves the repository", passed=frozenset(passed))
                chain.pop()
                continue
            real = "/".join([*chain, name])
            passed.add(real)
            kind = self._kind(real)
            if kind is not EntryKind.SYMLINK:
                chain.append(name)
                if kind is not EntryKind.DIRECTORY:
                    rest = [name for name in reversed(waiting) if name != ".."]
                    return "/".join([*chain, *rest]), frozenset(passed)
                continue
            links += 1
            target = self._target(real)
            if links > _MAX_LINKS:
                raise TreeError(f"{path}: too many symbolic links, or they link in circles", passed=frozenset(passed))
            if target.startswith("/"):
                raise TreeError(f"{path}: the symbolic link {real} leaves the repository (to {target!r})", passed=frozenset(passed))
            waiting.extend(name for name in reversed(target.split("/")) if name not in {"", "."})
        return "/".join(chain), frozenset(passed)

    def changed_since(self, older: Tree) -> Trace:
        if not isinstance(older, LocalTree):
            raise TypeError(f"a local tree is compared with local trees, not with {type(older).__name__}")
        before, after = older._digests(), self._digests()  # noqa: SLF001 - the same class
        return frozenset(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))

    def _digests(self) -> dict[str, str]:
        """What is at each path, and which names each folder holds: trace keys, with something that tells two answers apart."""
        digests: dict[str, str] = {}
        folders = [""]
        for folder in folders:
            entries = self.list(folder) or []
            digests[f"{folder}/"] = "/".join(entry.name for entry in entries)
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                digests[path] = entry.kind
                if entry.kind is EntryKind.DIRECTORY:
                    folders.append(path)
                elif entry.kind is EntryKind.SYMLINK:
                    digests[path] += self._target(path)
                else:
                    digests[path] += hashlib.sha256(self._bytes(path)).hexdigest()
        return digests

    # What is asked of the disk, and all of it: paths without links from here on.

    def _kind(self, real: str) -> EntryKind | None:
        if _HIDDEN in real.split("/"):
            return None
        try:
            return _kind(os.lstat(self._disk(real)))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None

    def _entries(self, real: str) -> builtins.list[Entry]:
        with os.scandir(self._disk(real)) as entries:
            kinds = {entry.name: _kind(entry.stat(follow_symlinks=False)) for entry in entries if entry.name != _HIDDEN}
        return [Entry(name, kind) for name, kind in sorted(kinds.items()) if kind]

    def _bytes(self, real: str) -> bytes:
        return Path(self._disk(real)).read_bytes()

    def _target(self, real: str) -> str:
        return str(Path(self._disk(real)).readlink())

    def _disk(self, real: str) -> str:
        return f"{self._root}/{real}" if real else self._root


def _kind(status: os.stat_result) -> EntryKind | None:
    """``None`` for what Git has no word for: sockets, devices, pipes."""
    if modes.S_ISLNK(status.st_mode):
        return EntryKind.SYMLINK
    if modes.S_ISDIR(status.st_mode):
        return EntryKind.DIRECTORY
    return EntryKind.FILE if modes.S_ISREG(status.st_mode) else None
