"""Trees: the files of one revision, addressed by content, and the trace of what a render asked of one.

A renderer sees files only through a :class:`Tree`. What it asks for, misses included, is its **trace**: a set of trace keys. A trace key is a
path relative to the root of the tree without leading slash (``apps/web/kustomization.yaml``: was it there, what was it, what did it hold) or a
path with a trailing slash (``apps/web/``: which names did the directory list; the root lists as ``/``). A later tree gives the same
render when :meth:`Tree.changed_since` the tree of the render is disjoint from the trace. Reading from disk or Git is not done here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Protocol

import msgspec

from homeostat.model.errors import HomeostatError

Trace = frozenset[str]

MOUNTS = ".homeostat"
"""The folder at the root of a tree below which other trees are mounted: found by its name, and no part of what a renderer is shown of the root."""


class EntryKind(StrEnum):
    FILE = "file"
    DIRECTORY = "dir"
    SYMLINK = "link"
    SUBMODULE = "submodule"


class Entry(msgspec.Struct, frozen=True):
    """One name in a directory. ``kind`` is of the entry itself: a link is a link, whatever it points to."""

    name: str
    kind: EntryKind


class TreeError(HomeostatError):
    """A path that a tree refuses: it leaves the repository, links in circles, or is not what was asked for.

    ``passed`` are the places on the way up to the refusal: while they stay as they are, so does the answer.
    """

    def __init__(self, message: str, *, hint: str = "", passed: frozenset[str] = frozenset()) -> None:
        super().__init__(message, hint=hint)
        self.passed = passed


class IncomparableTreesError(TypeError):
    """Two trees are of kinds that cannot be compared: anything may have changed between them."""

    def __init__(self, newer: Tree, older: Tree) -> None:
        super().__init__(f"{type(newer).__name__} is not compared with {type(older).__name__}")


class PendingError(TreeError):
    """A file whose bytes have to be fetched first. Whoever can wait awaits :meth:`fetch` and reads again; to others it is an error."""

    def __init__(self, message: str, fetch: Callable[[], Awaitable[None]]) -> None:
        super().__init__(message)
        self.fetch = fetch


class Tree(Protocol):
    """The files of one revision. Paths are ``/``-separated, relative to the root, normalised; ``""`` is the root.

    Symbolic links are followed inside the tree. One that leaves it raises :class:`TreeError`, as does a path with ``..`` above the root.
    Methods are synchronous and quick: objects come from a local database.
    """

    @property
    def id(self) -> str:
        """The content address; two trees with the same id hold the same files."""
        ...

    def stat(self, path: str) -> EntryKind | None:
        """What is at ``path`` once links are followed (FILE, DIRECTORY or SUBMODULE), or ``None``."""
        ...

    def list(self, path: str) -> list[Entry] | None:
        """The names in the directory at ``path``, sorted by name, or ``None`` when it is not one."""
        ...

    def read(self, path: str) -> bytes | None:
        """The bytes of the file at ``path`` (links followed), or ``None`` when there is no file."""
        ...

    def resolve(self, path: str) -> tuple[str, frozenset[str]]:
        """The real path behind ``path``, and every place that was passed on the way: links followed, folders, where a miss ended the way.

        Each belongs in a trace; :func:`homeostat.model.trace.complete` puts them there.
        """
        ...

    def changed_since(self, older: Tree) -> Trace:
        """The trace keys that answer differently in this tree than in ``older``. Raises :class:`IncomparableTreesError`."""
        ...
