"""A folder of this machine as a tree, for looking at what it renders to before it is committed.

The same jail as Git's: nothing outside the folder is shown, be it by ``..`` or by a symbolic link. A tree is a snapshot in name only: files
are read when they are asked for, so keep none longer than a render.
"""

from __future__ import annotations

import builtins
import os
import stat as modes
from pathlib import Path

from homeostat.desired.walked import WalkedTree
from homeostat.model.tree import Entry, EntryKind

_HIDDEN = ".git"
"""Not part of what a commit holds."""


class LocalTree(WalkedTree):
    """The files below ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = os.fspath(root.resolve())

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
