"""The files of one commit, read from the object database, and which trace keys answer differently in another commit.

Links are followed inside the tree the way a file system follows them, and refused where they leave it. A submodule is a name and no more here: what
it holds is another repository's (``submodules.py``). Symlinks, folders and misses are remembered per tree, which all apps of a commit share.

**What changed.** Two trees are compared folder by folder; equal folders have equal ids and are skipped, so a commit costs what it touched (own
walk instead of libgit2's diff: that one lists files only, and listing keys and folders would have to be guessed from it). Answers are
compared without following links. That is enough for traces which hold every place that a path passed (:func:`homeostat.model.trace.complete`
makes them so, from :meth:`GitTree.resolve`): a link whose target text changed is a changed file at the link's path, a real file behind a link
changes at its own path, and a miss below a link, a file or a missing folder hangs on the place where the way ended.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from pygit2 import Oid

from homeostat.desired.sources.store import MAX_FILE, Store
from homeostat.model.tree import Entry, EntryKind, IncomparableTreesError, PendingError, Trace, Tree, TreeError

_MAX_LINKS = 40
_MAX_KEYS = 200_000
_MAX_PLACES = 200_000
_LFS = b"version https://git-lfs.github.com/spec/v1\n"
_POINTER = re.compile(re.escape(_LFS) + rb"(?:ext-[^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize ([0-9]{1,18})\n")

_FILE, _DIRECTORY, _LINK = EntryKind.FILE, EntryKind.DIRECTORY, EntryKind.SYMLINK


class Large(Protocol):
    """The files that pointers stand for, by SHA-256 and size."""

    def read(self, digest: str, size: int) -> bytes | None: ...

    async def fetch(self, digest: str, size: int, config: str | None) -> None: ...

    async def aclose(self) -> None: ...


class PathRefusedError(TreeError):
    """A path that leaves the repository or links in circles. ``passed`` holds the places up to where it was refused, for the trace."""

    def __init__(self, message: str, passed: frozenset[str], *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.passed = passed


class _Found:
    """Where a path ended: the real path, what is there (``kind`` None: nothing), and each place that was passed."""

    __slots__ = ("kind", "object_id", "passed", "real")

    def __init__(self, real: str, kind: EntryKind | None, object_id: Oid | None, passed: frozenset[str]) -> None:
        self.real = real
        self.kind = kind
        self.object_id = object_id
        self.passed = passed


class GitTree(Tree):
    """The files of ``commit``. Made by :meth:`homeostat.desired.sources.git.GitSources.tree`.

    With ``lfs`` reading a pointer of Git LFS answers the file that it stands for, or raises :class:`PendingError` when that is not here yet;
    without, a pointer is a file like any other.
    Besides :class:`TreeError`, every method may raise :class:`homeostat.desired.sources.errors.CacheError` when the disk is damaged.
    """

    def __init__(self, store: Store, commit: str, root: Oid, *, lfs: Large | None = None) -> None:
        self.commit = commit
        self._store = store
        self._root = root
        self._id = str(root)
        self._lfs = lfs
        self._places: dict[str, _Found] = {"": _Found("", _DIRECTORY, root, frozenset({""}))}

    def __repr__(self) -> str:
        return f"GitTree({self.commit[:12]})"

    @property
    def id(self) -> str:
        return self._id

    def stat(self, path: str) -> EntryKind | None:
        return self._find(path).kind

    def list(self, path: str) -> list[Entry] | None:
        found = self._find(path)
        if found.kind is not _DIRECTORY or found.object_id is None:
            return None
        return [Entry(name, kind) for name, (kind, _) in sorted(self._store.names(found.object_id).items())]

    def read(self, path: str) -> bytes | None:
        found = self._find(path)
        if found.kind is not _FILE or found.object_id is None:
            return None
        size = self._store.size(found.object_id)
        if size > MAX_FILE:
            raise TreeError(f"{path}: the file has {size} bytes, more than the limit of {MAX_FILE}")
        data = self._store.blob(found.object_id)
        return data if self._lfs is None or not data.startswith(_LFS) else self._large(self._lfs, path, data)

    def _large(self, files: Large, path: str, pointer: bytes) -> bytes:
        """The file that an LFS pointer stands for. What only begins like a pointer is a file like any other."""
        found = _POINTER.fullmatch(pointer)
        if found is None:
            return pointer
        digest, size = found[1].decode(), int(found[2])
        if size > MAX_FILE:
            raise TreeError(f"{path}: the file (in Git LFS) has {size} bytes, more than the limit of {MAX_FILE}")
        data = files.read(digest, size)
        if data is None:
            config = self.blob_of(".lfsconfig")
            raise PendingError(f"{path}: the file is kept in Git LFS and has not been fetched", lambda: files.fetch(digest, size, config))
        return data

    def resolve(self, path: str) -> tuple[str, frozenset[str]]:
        """The real path behind ``path``, and every place that was passed on the way: folders, links, and where a miss ended the way."""
        found = self._find(path)
        return found.real, found.passed

    @property
    def folder(self) -> Path:
        """The bare repository that the files are read from."""
        return self._store.path

    def blob_of(self, name: str) -> str | None:
        """The id of the file ``name`` at the root; ``None`` when there is none, or it is a link."""
        entry = self._store.names(self._root).get(name)
        return str(entry[1]) if entry is not None and entry[0] is _FILE else None

    def size_of(self, name: str) -> int:
        """The length of the file ``name`` at the root, in bytes."""
        return self._store.size(self._store.names(self._root)[name][1])

    def gitlink(self, path: str) -> str | None:
        """The commit of another repository that stands at ``path``; ``None`` when there is none, or the way there leads over a link."""
        try:
            found = self._find(path)
        except TreeError:
            return None
        return str(found.object_id) if found.kind is EntryKind.SUBMODULE and found.real == path else None

    def changed_since(self, older: Tree) -> Trace:
        """The trace keys that answer differently in this tree than in ``older``, which must come from a Git repository too.

        Keys of files and folders that appear, vanish or become something else stand there on all levels, listings included. Changes
        out of proportion (hundreds of thousands of keys) are cut short: the key of a folder then stands for everything below it, which a
        complete trace holds too. Computed once per pair of trees.
        """
        if not isinstance(older, GitTree):
            raise IncomparableTreesError(self, older)
        if older._id == self._id:  # noqa: SLF001
            return frozenset()
        known = self._store.remembered_changes(older._id, self._id)  # noqa: SLF001
        if known is None:
            known = frozenset(_Comparison(older._store, self._store).run(older._root, self._root))  # noqa: SLF001
            self._store.remember_changes(older._id, self._id, known)  # noqa: SLF001
        return known

    def _find(self, path: str) -> _Found:
        found = self._places.get(path)
        if found is None:
            if len(self._places) >= _MAX_PLACES:
                self._places = {"": self._places[""]}
            found = self._places[path] = self._look_up(path)
        return found

    def _look_up(self, path: str) -> _Found:
        # Nearly every path is a plain name in a folder that was seen before. (Very deep paths are walked without recursion.)
        folder, _, name = path.rpartition("/")
        if not name or name in {".", ".."} or path.count("/") > 100:
            return self._walk(path)
        parent = self._find(folder)
        if parent.kind is _DIRECTORY and parent.object_id is not None:
            real = f"{parent.real}/{name}" if parent.real else name
            entry = self._store.names(parent.object_id).get(name)
            if entry is None:
                return _Found(real, None, None, parent.passed | {real})
            if entry[0] is not _LINK:
                return _Found(real, entry[0], entry[1], parent.passed | {real})
        return self._walk(path)

    def _walk(self, path: str) -> _Found:
        """Follow ``path`` one name at a time, as a file system does: ``..`` is taken of the real folder, not of the text."""
        waiting = [name for name in reversed(path.split("/")) if name not in {"", "."}]
        chain: list[tuple[str, Oid]] = [("", self._root)]
        passed = {""}
        links = 0
        while waiting:
            name = waiting.pop()
            folder, folder_id = chain[-1]
            if name == "..":
                if len(chain) == 1:
                    raise PathRefusedError(f"{path}: the path leaves the repository", frozenset(passed), hint="keep it inside")
                chain.pop()
                continue
            real = f"{folder}/{name}" if folder else name
            passed.add(real)
            entry = self._store.names(folder_id).get(name)
            if entry is None:
                return self._missed(real, waiting, passed)
            kind, object_id = entry
            if kind is _LINK:
                links += 1
                if links > _MAX_LINKS:
                    raise PathRefusedError(f"{path}: too many symbolic links, or they link in circles", frozenset(passed))
                target = self._target(object_id)
                if target is None or target.startswith("/"):
                    shown = "somewhere unreadable" if target is None else repr(target[:200])
                    raise PathRefusedError(f"{path}: the symbolic link {real} leaves the repository (to {shown})", frozenset(passed))
                waiting.extend(name for name in reversed(target.split("/")) if name not in {"", "."})
                continue
            if kind is _DIRECTORY:
                chain.append((real, object_id))
                continue
            if waiting:
                return self._missed(real, waiting, passed)
            return _Found(real, kind, object_id, frozenset(passed))
        return _Found(chain[-1][0], _DIRECTORY, chain[-1][1], frozenset(passed))

    def _missed(self, real: str, waiting: Sequence[str], passed: set[str]) -> _Found:
        """Nothing there: the real path is what would have to appear. ``..`` after a missing name is still a miss, as in a file system."""
        rest = "".join(f"/{name}" for name in reversed(waiting) if name != "..")
        return _Found(real + rest, None, None, frozenset(passed))

    def _target(self, link: Oid) -> str | None:
        if self._store.size(link) > 4096:
            return None
        try:
            target = self._store.blob(link).decode()
        except UnicodeDecodeError:
            return None
        return target if target and "\0" not in target else None


class _Comparison:
    """One walk over two trees, side by side. Yields trace keys; knows how many, and stops going down when they are too many."""

    def __init__(self, old: Store, new: Store) -> None:
        self._old = old
        self._new = new
        self._left = _MAX_KEYS

    def run(self, old: Oid, new: Oid) -> Iterator[str]:
        pending = [("", old, new)]
        while pending:
            folder, before_id, after_id = pending.pop()
            before, after = self._old.names(before_id), self._new.names(after_id)
            prefix = f"{folder}/" if folder else ""
            relisted = False
            # Sets of (name, (kind, id)): what is equal on both sides drops out without a step of Python.
            for name in {name for name, _ in before.items() ^ after.items()}:
                path = prefix + name
                was, now = before.get(name), after.get(name)
                if was is not None and now is not None and was[0] is now[0]:
                    if now[0] is not _DIRECTORY:
                        yield path
                    elif self._left > 0:
                        pending.append((path, was[1], now[1]))
                    else:
                        yield path
                    self._left -= 1
                    continue
                relisted = True
                if was is not None:
                    yield from self._all(self._old, path, was)
                if now is not None:
                    yield from self._all(self._new, path, now)
            if relisted:
                yield prefix or "/"

    def _all(self, store: Store, top: str, entry: tuple[EntryKind, Oid]) -> Iterator[str]:
        """Every key at and below a place that appeared or vanished."""
        pending = [(top, entry)]
        while pending:
            path, (kind, object_id) = pending.pop()
            yield path
            self._left -= 1
            if kind is _DIRECTORY:
                yield f"{path}/"
                if self._left > 0:
                    pending.extend((f"{path}/{name}", below) for name, below in store.names(object_id).items())
