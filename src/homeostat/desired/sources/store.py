"""One bare repository on disk: its references, and quick reads of its objects.

The ``git`` program writes here (``remote.py`` runs it), ``pygit2`` reads. What the server calls ``refs/heads/x`` stands here as
``refs/homeostat/heads/x``, so that nothing a server sends can be taken for something of ours. Objects are immutable and content-addressed: what
is kept in memory never goes stale. Nothing is ever pruned, so a commit that the server has forgotten stays readable.

Reads take microseconds from memory and well under a millisecond from disk; they may run in any thread.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import msgspec
import pygit2
from pygit2 import Oid

from homeostat.desired.sources.errors import CacheError
from homeostat.model.tree import EntryKind, Trace

PREFIX = "refs/homeostat/"
_LARGE = "refs/homeostat-lfs/"
MAX_FILE = 64 * 1024 * 1024
_MAX_NAMES = 500_000
_UNUSED = 30 * 24 * 3600.0
_MAX_CHANGES = 500_000

_KINDS = {0o040000: EntryKind.DIRECTORY, 0o120000: EntryKind.SYMLINK, 0o160000: EntryKind.SUBMODULE}

T = TypeVar("T")
Names = Mapping[str, tuple[EntryKind, Oid]]

# Only folders that this process made are opened, and the user's own configuration has no say in them.
pygit2.settings.owner_validation = False
for _level in (
    pygit2.enums.ConfigLevel.SYSTEM,
    pygit2.enums.ConfigLevel.XDG,
    pygit2.enums.ConfigLevel.GLOBAL,
    pygit2.enums.ConfigLevel.PROGRAMDATA,
):
    pygit2.settings.search_path[_level] = ""


def sweep(folder: Path) -> None:
    """Remove the repositories in ``folder`` that no process has used for a month, and halves that a killed process left."""
    long_ago = time.time() - _UNUSED
    for path in folder.iterdir() if folder.exists() else ():
        if path.suffix in {".new", ".old"} or path.stat().st_mtime < long_ago:
            shutil.rmtree(path, ignore_errors=True)


class Commit(msgspec.Struct, frozen=True):
    """Who wrote a commit, when and why. ``date`` is the author's, in seconds since 1970; ``author`` is ``Name <address>``."""

    id: str
    author: str
    date: int
    message: str
    tags: tuple[str, ...] = ()


class Tag(msgspec.Struct, frozen=True):
    """An annotated tag: the id of its object, the name that it says it has, and who made it."""

    id: str
    name: str
    tagger: str


class Store:
    """The repository at ``path``. Created by the first :meth:`open`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = False
        self._repository: pygit2.Repository | None = None
        self._names: dict[Oid, Names] = {}
        self._held = 0
        self._changes: dict[tuple[str, str], Trace] = {}
        self._changes_held = 0

    def open(self) -> bool:
        """Make the repository ready; ``True`` when it was there and is whole as far as a look can tell. Blocks for some milliseconds."""
        if self.damaged:
            self.discard()
        if (self.path / "HEAD").exists():
            try:
                self._repository = pygit2.Repository(str(self.path), pygit2.enums.RepositoryOpenFlag.NO_SEARCH)
                self.references()
            except (pygit2.GitError, KeyError, ValueError, OSError):
                self.discard()
            else:
                return True
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made aside and renamed: a process that is killed here leaves no half repository under the real name.
        fresh = self.path.with_name(f"{self.path.name}.{uuid4().hex}.new")
        pygit2.init_repository(str(fresh), bare=True)
        shutil.rmtree(fresh / "hooks", ignore_errors=True)
        fresh.rename(self.path)
        self._repository = pygit2.Repository(str(self.path), pygit2.enums.RepositoryOpenFlag.NO_SEARCH)
        return False

    def discard(self) -> None:
        """Throw the repository away. Trees that are still read from raise :class:`CacheError` from now on, at the latest."""
        self._repository = None
        self._names.clear()
        self._held = 0
        if self.path.exists():
            old = self.path.with_name(f"{self.path.name}.{uuid4().hex}.old")
            self.path.rename(old)
            shutil.rmtree(old, ignore_errors=True)
        self.damaged = False

    def reopen(self) -> None:
        """Forget open pack files, after they were written anew."""
        self._repository = pygit2.Repository(str(self.path), pygit2.enums.RepositoryOpenFlag.NO_SEARCH)

    def is_shallow(self) -> bool:
        """Whether the beginning of the history is left out."""
        return (self.path / "shallow").exists()

    def references(self) -> dict[str, str]:
        """What the last fetch saw: the server's name (``HEAD``, ``refs/heads/main``) → the id of what it points to, tags not peeled."""
        found: dict[str, str] = {}
        os.utime(self.path)  # for ``sweep``
        for reference in self._open().references.iterator():
            name = reference.name
            if name.startswith(PREFIX):
                short = name[len(PREFIX) :]
                full = short if short == "HEAD" else "refs/" + short.removeprefix("other/")
                found[full] = str(reference.target)
        return found

    def has(self, object_id: str) -> bool:
        """Whether the object of this full id is here."""
        try:
            return object_id in self._open()
        except (pygit2.GitError, ValueError):
            return False

    def commit_of(self, object_id: str) -> str | None:
        """The commit behind the full id of a commit or an annotated tag; ``None`` when it is not here or is something else."""
        try:
            found = self._open().get(object_id)
            return None if found is None else str(found.peel(pygit2.Commit).id)
        except (pygit2.GitError, ValueError, KeyError):
            return None

    def tag(self, object_id: str) -> Tag | None:
        """The annotated tag of this full id; ``None`` when it is something else."""
        try:
            found = self._open().get(object_id)
        except (pygit2.GitError, ValueError):
            return None
        if not isinstance(found, pygit2.Tag):
            return None
        tagger = f"{found.tagger.name} <{found.tagger.email}>" if found.tagger is not None else ""
        return Tag(object_id, found.name or "", tagger)

    def commit_by_prefix(self, prefix: str) -> str | None:
        """The one commit whose id starts with ``prefix``; ``None`` when there is none. Raises :class:`ValueError` when it is ambiguous."""
        try:
            found = self._open().get(prefix)
        except pygit2.GitError:
            return None
        return str(found.id) if isinstance(found, pygit2.Commit) else None

    def commit(self, commit: str) -> Commit | None:
        """Author, date and message of ``commit``."""
        try:
            found = self._open()[commit].peel(pygit2.Commit)
        except (pygit2.GitError, ValueError, KeyError):
            return None
        author = found.author
        name, email = (raw.decode(errors="replace") for raw in (author.raw_name, author.raw_email))
        return Commit(commit, f"{name} <{email}>", author.time, found.raw_message.decode(errors="replace"))

    def root_of(self, commit: str) -> Oid | None:
        """The id of the tree of ``commit``."""
        try:
            found = self._open().get(commit)
        except (pygit2.GitError, ValueError):
            return None
        return found.tree_id if isinstance(found, pygit2.Commit) else None

    def names(self, tree: Oid) -> Names:
        """The names in a tree object. One that no file can have (``..``, with a slash) is left out; other than UTF-8 is shown escaped."""
        known = self._names.get(tree)
        if known is not None:
            return known
        found: dict[str, tuple[EntryKind, Oid]] = {}
        for entry in self._object(tree, pygit2.Tree):
            raw = entry.raw_name
            name = raw.decode("utf-8", "backslashreplace") if raw else ""
            if name not in {"", ".", ".."} and "/" not in name and "\0" not in name:
                found[name] = (_KINDS.get(entry.filemode & 0o170000, EntryKind.FILE), entry.id)
        if self._held + len(found) > _MAX_NAMES:
            self._names.clear()
            self._held = 0
        self._held += len(found) + 1
        self._names[tree] = found
        return found

    def size(self, blob: Oid) -> int:
        """The length of a file in bytes, without reading it."""
        try:
            return int(self._open().odb.read_header(blob)[1])
        except (pygit2.GitError, KeyError, ValueError, OSError) as error:
            raise self._damage(blob) from error

    def blob(self, blob: Oid) -> bytes:
        """The bytes of a file."""
        return bytes(self._object(blob, pygit2.Blob).data)

    def large(self, digest: str) -> bytes | None:
        """The bytes that were kept under ``digest``; ``None`` when there are none."""
        reference = self._open().references.get(f"{_LARGE}{digest}")
        return self.blob(Oid(hex=str(reference.target))) if reference is not None else None

    def keep_large(self, digest: str, data: bytes) -> None:
        """Keep ``data`` as the object that it is to Git, so that it is read as quickly. Blocks; for a thread other than the event loop's."""
        repository = pygit2.Repository(str(self.path), pygit2.enums.RepositoryOpenFlag.NO_SEARCH)
        repository.references.create(f"{_LARGE}{digest}", repository.create_blob(data), force=True)

    def remembered_changes(self, older: str, newer: str) -> Trace | None:
        return self._changes.get((older, newer))

    def remember_changes(self, older: str, newer: str, changes: Trace) -> None:
        """Keep what was computed for a pair of trees, as long as it is not out of proportion: all apps of a repository ask for the same."""
        if self._changes_held + len(changes) > _MAX_CHANGES or len(self._changes) >= 1024:
            self._changes.clear()
            self._changes_held = 0
        self._changes_held += len(changes)
        self._changes[older, newer] = changes

    def _open(self) -> pygit2.Repository:
        if self._repository is None:
            raise self._damage(None)
        return self._repository

    def _object(self, object_id: Oid, kind: type[T]) -> T:
        try:
            found = self._open().get(object_id)
        except (pygit2.GitError, ValueError, OSError) as error:
            raise self._damage(object_id) from error
        if not isinstance(found, kind):
            raise self._damage(object_id)
        return found

    def _damage(self, object_id: Oid | None) -> CacheError:
        self.damaged = True
        what = "is not open" if object_id is None else f"has no readable object {object_id}"
        return CacheError(f"The cached repository {self.path.name[:12]} {what}", hint="it is cloned again at the next refresh")
