"""Trees that can say what is at one place: following links, refusing what leaves the tree and telling what changed is done here for all of them.

Paths are walked one name at a time, as a file system does: ``..`` is taken of the real folder, not of the text. Where the files come from (a folder,
an archive) is the subclass's business.
"""

from __future__ import annotations

import builtins
import hashlib
from abc import abstractmethod
from collections.abc import Mapping

from homeostat.model.tree import Entry, EntryKind, IncomparableTreesError, Trace, Tree, TreeError

_MAX_LINKS = 40


class WalkedTree(Tree):
    """What is left to a subclass is what stands at a real path, links not followed."""

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
        if not isinstance(older, WalkedTree):
            raise IncomparableTreesError(self, older)
        before, after = older._digests(), self._digests()  # noqa: SLF001 - the same class
        return frozenset(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))

    def _digests(self) -> Mapping[str, str]:
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

    @abstractmethod
    def _kind(self, real: str) -> EntryKind | None:
        """What is at ``real`` itself."""

    @abstractmethod
    def _entries(self, real: str) -> builtins.list[Entry]:
        """The names in the directory ``real``, sorted."""

    @abstractmethod
    def _bytes(self, real: str) -> bytes:
        """The content of the file ``real``."""

    @abstractmethod
    def _target(self, real: str) -> str:
        """Where the link ``real`` points to."""
