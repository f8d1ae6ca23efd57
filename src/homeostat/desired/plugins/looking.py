"""Whether a file of a certain name is in a folder: discovery by ``fileName`` and ``find.glob``, without running anything.

Go's patterns: ``*``, ``?``, ``[a-z]`` and ``{a,b}`` stand for (a part of) one name, ``**`` for any number of folders, none included. Every place that
is looked at is noted, so that a file that appears later counts. Links to folders are followed where the pattern names them, not by ``**``.
"""

from __future__ import annotations

import posixpath
import re

from homeostat.model import glob
from homeostat.model.tree import EntryKind, Tree, TreeError

_SPECIAL = re.compile(r"[*?\[{\\]")


def found(tree: Tree, folder: str, pattern: str, seen: set[str]) -> bool:
    """Whether anything in ``folder`` is called like ``pattern``, a path from there. What leaves the repository is not found."""
    if pattern.startswith("/"):
        pattern = pattern.lstrip("/")  # Argo CD joins it to the folder's path
    pattern = posixpath.normpath(pattern)
    while pattern.startswith("../"):
        if not folder:
            return False
        folder, pattern = posixpath.dirname(folder), pattern[3:]
    parts = pattern.replace("[^", "[!").split("/")
    if parts == [".."]:
        return False
    pending = [(folder, 0)]
    while pending:
        place, at = pending.pop()
        part, last = parts[at], at + 1 == len(parts)
        if part == "**" and not last:
            pending.append((place, at + 1))
        if _SPECIAL.search(part):
            seen.add(f"{place}/")
            for entry in tree.list(place) or ():
                path = f"{place}/{entry.name}" if place else entry.name
                if part == "**":
                    if last:
                        return True
                    if entry.kind is EntryKind.DIRECTORY:
                        pending.append((path, at))
                elif glob.matches(part, entry.name):
                    if last:
                        return True
                    pending.append((path, at + 1))
            continue
        path = f"{place}/{part}" if place else part
        seen.add(path)
        try:
            kind = tree.stat(path)
        except TreeError:
            continue
        if kind is not None and last:
            return True
        if kind is EntryKind.DIRECTORY:
            pending.append((path, at + 1))
    return False
