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

from homeostat.model.trace import complete
from homeostat.model.tree import MOUNTS, EntryKind, PendingError, Trace, Tree, TreeError

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
        """What the evaluator has asked for, and what it will probably ask for next. Raises :class:`PendingError` while it has to be fetched first."""
        out = _Told()
        for path in ask.get("list") or ():
            self._tell_list(out, path)
        for path in ask.get("read") or ():
            self._tell_read(out, path, asked=True)
        for path in ask.get("stat") or ():
            if self._tell_stat(out, path) is EntryKind.DIRECTORY and path:
                self._tell_folder(out, path, deep=False)
        self.asks += 1
        return out.wire()

    def trace(self, reported: Iterable[str]) -> Trace:
        """The complete trace for the keys that the evaluator has reported."""
        return complete(self._tree, reported)

    def seen(self) -> Trace:
        """The trace of an evaluator that did not come to report one: everything it was told."""
        return self.trace(self._seen)

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
                if kind is EntryKind.DIRECTORY and deep and child != MOUNTS:
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
            kind = self._tree.stat(path)
            real = path if kind is None else self._tree.resolve(path)[0]
        except TreeError as error:
            out.stat[path] = {"error": str(error)}
            return None
        out.stat[path] = kind if real == path else {"kind": kind, "real": real}
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
            out.stat[path] = {"error": str(error)}
            return []
        if entries is None:
            out.list[path] = None
            return []
        prefix = f"{path}/" if path else ""
        for entry in entries:
            self._kinds[prefix + entry.name] = entry.kind
            self._seen.add(prefix + entry.name)
        names = [(entry.name, entry.kind) for entry in entries]
        out.list[path] = names
        return names

    def _tell_read(self, out: _Told, path: str, *, asked: bool = False) -> int:
        self._seen.add(path)
        try:
            data = self._tree.read(path)
        except PendingError:
            if asked:
                raise
            return 0  # it may never be read, and so is not fetched
        except TreeError as error:
            if asked:  # else it may never be read, and that it is there is no fault
                out.stat[path] = {"error": str(error)}
            return 0
        if data is None:
            out.read[path] = None
            return 0
        try:
            out.read[path] = data.decode()
        except UnicodeDecodeError:
            out.read64[path] = base64.b64encode(data).decode()
        return len(data)


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
