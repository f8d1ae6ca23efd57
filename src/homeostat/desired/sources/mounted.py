"""Several trees as one: other trees below paths of a base.

What comes from elsewhere (the source that a ``$ref`` names, a remote base, a chart's dependency) is pinned before a render and enters it as a tree
of its own. A mount point hides what the base has there, and is a folder whatever the base has above it. Links never leave their own tree: one in a
mounted tree that would is refused by that tree, one in the base that points into a mounted tree is refused here.

A trace over a mounted tree holds as long as none of its parts has changed what was read. When a mount point comes or goes everything at it counts
as changed, and so do the folders above it.
"""

from __future__ import annotations

import builtins
import hashlib
import posixpath
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from homeostat.model.tree import Entry, EntryKind, IncomparableTreesError, Trace, Tree, TreeError


class _Place(NamedTuple):
    """Where a path ended. ``tree`` is whose it is and ``inner`` its path there; no tree: nothing is there, or a folder above mount points."""

    real: str
    passed: frozenset[str]
    tree: Tree | None
    inner: str = ""


class MountedTree(Tree):
    """``base`` with each of ``mounts`` at its path, which must be normalised, not empty, and not below another's."""

    def __init__(self, base: Tree, mounts: Mapping[str, Tree]) -> None:
        self.base = base
        self.mounts = dict(sorted(mounts.items()))
        self._above: dict[str, set[str]] = {}
        for path in self.mounts:
            if path != posixpath.normpath(path) or path.startswith(("/", "..")) or path == ".":
                raise ValueError(f"{path!r} is no place to mount a tree at")
            for folder in _folders(path):
                if folder in self.mounts:
                    raise ValueError(f"{path!r} lies in {folder!r}, where another tree is mounted")
                below = path[len(folder) :].lstrip("/")
                self._above.setdefault(folder, set()).add(below.partition("/")[0])
        self._id = ""

    @property
    def id(self) -> str:
        if not self.mounts:
            return self.base.id
        if not self._id:
            parts = [self.base.id, *(f"{path} {tree.id}" for path, tree in self.mounts.items())]
            self._id = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return self._id

    def stat(self, path: str) -> EntryKind | None:
        place = self._find(path)
        if place.real in self._above:
            return EntryKind.DIRECTORY
        return None if place.tree is None else place.tree.stat(place.inner)

    def list(self, path: str) -> builtins.list[Entry] | None:
        place = self._find(path)
        mounted = self._above.get(place.real)
        if mounted is None:
            return None if place.tree is None else place.tree.list(place.inner)
        own = (self.base.list(place.real) or []) if self._is_own(place.real) else []
        entries = {entry.name: entry for entry in own} | {name: Entry(name, EntryKind.DIRECTORY) for name in mounted}
        return [entry for _, entry in sorted(entries.items())]

    def read(self, path: str) -> bytes | None:
        place = self._find(path)
        if place.tree is None or place.real in self._above:
            return None
        return place.tree.read(place.inner)

    def resolve(self, path: str) -> tuple[str, frozenset[str]]:
        place = self._find(path)
        return place.real, place.passed

    def changed_since(self, older: Tree) -> Trace:
        """A tree of another kind counts as one without mount points."""
        before = older if isinstance(older, MountedTree) else MountedTree(older, {})
        shared = self.mounts.keys() & before.mounts.keys()
        hiding = [mount for mount in shared if self._hides(mount) or before._hides(mount)]  # noqa: SLF001 - the same class
        of_base = self.base.changed_since(before.base) if self.base.id != before.base.id else frozenset()
        if not hiding and self._mounted_ids() == before._mounted_ids():  # noqa: SLF001
            return of_base  # as it is, for it may be long and is the same for all apps of a commit
        changed = {key for key in of_base if not any(_at_or_below(key, mount) for mount in hiding)}
        for mount in shared:
            changed.update(_changes_at(mount, self.mounts[mount], before.mounts[mount]))
        for mount in self.mounts.keys() ^ before.mounts.keys():
            changed |= {mount, f"{mount}/"}
            changed.update(key for folder in _folders(mount) for key in (folder, f"{folder}/"))
        return frozenset(changed - {""})

    def _mounted_ids(self) -> dict[str, str]:
        return {path: tree.id for path, tree in self.mounts.items()}

    def _hides(self, mount: str) -> bool:
        """Whether the base may have something at the mount point."""
        try:
            return self.base.stat(mount) is not None
        except TreeError:
            return True

    def _find(self, path: str) -> _Place:
        names = [name for name in path.split("/") if name not in {"", "."}]
        if ".." in names:
            return self._climb(path, names)
        path = "/".join(names)
        if not self.mounts:
            real, passed = self.base.resolve(path)
            return _Place(real, passed, self.base, path)
        for number, folder in enumerate((*_folders(path), path)):
            if (tree := self.mounts.get(folder)) is not None:
                return self._in_mount(path, folder, tree)
            if folder not in self._above:
                # From here on it is the base's, unless what is above this name is there for the sake of a mount point only.
                if number and not self._is_own(posixpath.dirname(folder)):
                    return _Place(path, frozenset((*_folders(folder), folder)), None)
                return self._in_base(path, names)
        return _Place(path, frozenset((*_folders(path), path)), None if not self._is_own(path) else self.base, path)

    def _climb(self, path: str, names: builtins.list[str]) -> _Place:
        """``..`` is taken of the real folder; of what is not there, there is nothing above either."""
        at = names.index("..")
        below = self._find("/".join(names[:at]))
        rest = names[at + 1 :]
        if not below.real:
            raise TreeError(f"{path}: the path leaves the repository", hint="keep it inside", passed=below.passed)
        if self.stat(below.real) is not EntryKind.DIRECTORY:
            return _Place("/".join([below.real, *(name for name in rest if name != "..")]), below.passed, None)
        try:
            found = self._find("/".join([posixpath.dirname(below.real), *rest]))
        except TreeError as error:
            raise TreeError(error.message, hint=error.hint, passed=error.passed | below.passed) from error
        return found._replace(passed=found.passed | below.passed)

    def _in_mount(self, path: str, mount: str, tree: Tree) -> _Place:
        above = frozenset(_folders(mount))
        inner = path[len(mount) + 1 :]
        try:
            real, passed = tree.resolve(inner)
        except TreeError as error:
            raise TreeError(error.message, hint=error.hint, passed=above | {_join(mount, at) for at in error.passed} | {mount}) from error
        return _Place(_join(mount, real), above | {_join(mount, at) for at in passed} | {mount}, tree, inner)

    def _in_base(self, path: str, names: builtins.list[str]) -> _Place:
        try:
            real, passed = self.base.resolve(path)
        except TreeError as error:
            if any(self._is_hidden(at) for at in error.passed):
                return self._around(path, names)
            raise
        if any(self._is_hidden(at) for at in passed):
            return self._around(path, names)
        return _Place(real, passed, self.base, path)

    def _around(self, path: str, names: builtins.list[str]) -> _Place:
        """The way through the base meets a mount point. That is well when the path itself goes there from a real folder, and not when a link does."""
        real = ""
        passed: frozenset[str] = frozenset()
        for number, name in enumerate(names):
            here = f"{real}/{name}" if real else name
            if self._is_hidden(here):
                found = self._find("/".join([here, *names[number + 1 :]]))
                return found._replace(passed=found.passed | passed)
            before = passed
            real, passed = self.base.resolve("/".join(names[: number + 1]))
            if any(self._is_hidden(at) for at in passed):
                raise TreeError(
                    f"{path}: the symbolic link {here} leaves the repository (to what is mounted from another source)",
                    passed=before | {at for at in passed if not self._is_hidden(at)},
                )
        raise AssertionError(path)

    def _is_hidden(self, path: str) -> bool:
        """Whether the base's answer about the real path ``path`` does not count."""
        return any(folder in self.mounts or (folder in self._above and not self._is_own(folder)) for folder in (*_folders(path), path))

    def _is_own(self, folder: str) -> bool:
        """Whether the base has a folder there itself, and not by way of a link."""
        try:
            return self.base.stat(folder) is EntryKind.DIRECTORY and self.base.resolve(folder)[0] == folder
        except TreeError:
            return False


def mounted(base: Tree, mounts: Mapping[str, Tree]) -> Tree:
    """``base`` with ``mounts``, beside what is mounted there already."""
    if not mounts:
        return base
    return MountedTree(base.base, {**base.mounts, **mounts}) if isinstance(base, MountedTree) else MountedTree(base, mounts)


def _changes_at(mount: str, new: Tree, old: Tree) -> Iterator[str]:
    if new.id == old.id:
        return
    try:
        changed = new.changed_since(old)
    except IncomparableTreesError:
        yield from (mount, f"{mount}/")
        return
    for key in changed:
        yield f"{mount}/" if key == "/" else f"{mount}/{key}"


def _folders(path: str) -> Iterator[str]:
    """The folders above ``path``, the root first. ``a/b`` has the root and ``a``."""
    if not path:
        return
    yield ""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)


def _join(mount: str, path: str) -> str:
    return f"{mount}/{path}" if path else mount


def _at_or_below(key: str, mount: str) -> bool:
    return key == mount or key.startswith(f"{mount}/")
