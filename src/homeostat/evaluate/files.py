"""Serves one evaluation its files: from a :class:`~homeostat.model.tree.Tree` into what the wire calls a tree, told ahead or when asked.

Everything that an evaluator gets to see goes through here, so this module is the jail's only door. A path that the tree refuses is answered
with the refusal. What may be told ahead is told generously, because a question costs more than a kilobyte: the paths of the last trace, a
small folder as a whole, the small files of a directory that was asked about. Nothing of that is in the trace until the evaluator uses it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import msgspec

from homeostat.model.tree import EntryKind, Trace, Tree, TreeError

MAX_ENTRIES = 64
"""A folder with more names than this is not told as a whole."""

MAX_FOLDER = 256 * 1024
"""Bytes of files that are told of a folder that nobody has asked to read yet."""

MAX_TRACED = 8 * 1024 * 1024
"""Bytes of files that are told along a trace."""

_TEXTS = (
    ".yaml",
    ".yml",
    ".json",
    ".jsonnet",
    ".libsonnet",
    ".tpl",
    ".txt",
    ".env",
    ".properties",
    "Kustomization",
    ".helmignore",
    ".lock",
)
"""Names that renderers read. Others (pictures, archives) wait until they are asked for."""


class Prefetch(msgspec.Struct, frozen=True):
    """What to tell ahead: the paths of ``trace`` (of the last run of the same request), and ``folder`` as a whole while it is small."""

    trace: Trace = frozenset()
    folder: str | None = None


class Files:
    """The files of one evaluation. ``asks`` counts the questions that came after the start."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._kinds: dict[str, EntryKind] = {}
        self._plain: set[str] = {""}
        self._linked = False
        self._seen: set[str] = set()
        self.asks = 0

    def told(self, prefetch: Prefetch) -> dict[str, Any]:
        """What the evaluator is told ahead."""
        out = _Told()
        if prefetch.trace:
            self._tell_trace(out, prefetch.trace)
        elif prefetch.folder is not None:
            self._tell_folder(out, prefetch.folder, deep=True)
        return out.wire()

    def answer(self, ask: dict[str, Any]) -> dict[str, Any]:
        """What the evaluator has asked for, and what it will probably ask for next."""
        self.asks += 1
        out = _Told()
        for path in ask.get("list") or ():
            self._tell_list(out, path)
        for path in ask.get("read") or ():
            self._tell_read(out, path)
        for path in ask.get("stat") or ():
            if self._tell_stat(out, path) is EntryKind.DIRECTORY and path:
                self._tell_folder(out, path, deep=False)
        return out.wire()

    def trace(self, reported: Iterable[str]) -> Trace:
        """The trace for the keys that the evaluator has reported: with the links on the way, and what they led to."""
        keys = frozenset(reported)
        return keys | self._behind(keys) if self._linked else keys

    def seen(self) -> Trace:
        """The trace of an evaluator that did not come to report one: everything it was told."""
        return self.trace(self._seen)

    def _behind(self, keys: Trace) -> set[str]:
        found: set[str] = set()
        for key in keys:
            path = key.rstrip("/")
            try:
                real, links = self._tree.resolve(path)
            except TreeError as error:
                found |= error.links
                found.update(_ancestors(path))
                continue
            if links:
                found |= links
                found.add(real + key[len(path) :] or "/")
        return found

    def _tell_trace(self, out: _Told, trace: Trace) -> None:
        left = MAX_TRACED
        for key in trace:
            if key.endswith("/"):
                self._tell_list(out, key.rstrip("/"))
        for key in trace:
            if key.endswith("/"):
                continue
            parent, _, _ = key.rpartition("/")
            kind = self._kinds.get(key)
            if kind is None and parent in out.list:
                continue  # a miss that follows from the listing
            if kind is None or kind is EntryKind.SYMLINK:
                kind = self._tell_stat(out, key)
            if kind is EntryKind.FILE and left > 0:
                left -= self._tell_read(out, key)

    def _tell_folder(self, out: _Told, folder: str, *, deep: bool) -> None:
        folders = [folder]
        files: list[str] = []
        count = 0
        for path in folders:
            entries = self._tell_list(out, path)
            count += len(entries)
            if count > MAX_ENTRIES:
                return
            for name, kind in entries:
                child = f"{path}/{name}" if path else name
                if kind is EntryKind.DIRECTORY and deep:
                    folders.append(child)
                behind = self._tell_stat(out, child) if kind is EntryKind.SYMLINK else kind
                if behind is EntryKind.FILE and name.endswith(_TEXTS):
                    files.append(child)
        left = MAX_FOLDER
        for path in files:
            if left <= 0:
                return
            if path not in out.read and path not in out.read64:
                left -= self._tell_read(out, path)

    def _tell_stat(self, out: _Told, path: str) -> EntryKind | None:
        self._seen.add(path)
        try:
            real, links = self._tree.resolve(path)
            kind = self._tree.stat(path)
        except TreeError as error:
            self._linked = True
            out.stat[path] = {"error": str(error)}
            return None
        if not links:
            out.stat[path] = kind
            if kind is EntryKind.DIRECTORY:
                self._plain.add(path)
            return kind
        self._linked = True
        out.stat[path] = {"kind": kind, "real": real} if kind else None
        return kind

    def _tell_list(self, out: _Told, path: str) -> list[tuple[str, EntryKind]]:
        if path in out.list:
            return out.list[path] or []
        self._seen.add(f"{path}/")
        if path and self._kinds.get(path) is not EntryKind.DIRECTORY:
            self._tell_stat(out, path)
        try:
            entries = self._tree.list(path)
        except TreeError as error:
            self._refuse(out, path, error)
            return []
        if entries is None:
            out.list[path] = None
            return []
        plain = path in self._plain
        prefix = f"{path}/" if path else ""
        for entry in entries:
            child = prefix + entry.name
            self._kinds[child] = entry.kind
            self._seen.add(child)
            if plain and entry.kind is EntryKind.DIRECTORY:
                self._plain.add(child)
        names = [(entry.name, entry.kind) for entry in entries]
        out.list[path] = names
        return names

    def _tell_read(self, out: _Told, path: str) -> int:
        self._seen.add(path)
        parent, _, _ = path.rpartition("/")
        try:
            if not (parent in self._plain and self._kinds.get(path) is EntryKind.FILE):
                self._linked = self._linked or bool(self._tree.resolve(path)[1])
            data = self._tree.read(path)
        except TreeError as error:
            self._refuse(out, path, error)
            return 0
        if data is None:
            out.read[path] = None
            return 0
        try:
            out.read[path] = data.decode()
        except UnicodeDecodeError:
            out.read64[path] = base64.b64encode(data).decode()
        return len(data)

    def _refuse(self, out: _Told, path: str, error: TreeError) -> None:
        self._linked = True
        out.stat[path] = {"error": str(error)}


class _Told:
    """The wire's tree, as it grows."""

    def __init__(self) -> None:
        self.stat: dict[str, Any] = {}
        self.list: dict[str, list[tuple[str, EntryKind]] | None] = {}
        self.read: dict[str, str | None] = {}
        self.read64: dict[str, str] = {}

    def wire(self) -> dict[str, Any]:
        told = {"stat": self.stat, "list": self.list, "read": self.read, "read64": self.read64}
        return {part: paths for part, paths in told.items() if paths}


def _ancestors(path: str) -> Iterable[str]:
    """``a/b/c`` → ``a``, ``a/b``, ``a/b/c``."""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)
    yield path
