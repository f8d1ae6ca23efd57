"""Git trees made from nested dictionaries, straight into a bare repository: folders, files, links, submodules."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pygit2

from homeostat.desired.sources.git_tree import GitTree, Large
from homeostat.desired.sources.store import Store


class Link(NamedTuple):
    target: str


class Submodule(NamedTuple):
    commit: str


class Trees:
    """Makes trees in a repository below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "trees.git")
        self.store.open()
        self.repository = pygit2.Repository(str(self.store.path))

    def make(self, content: dict[str, object], *, lfs: Large | None = None) -> GitTree:
        return GitTree(self.store, "0" * 40, self.folder(content), lfs=lfs)

    def folder(self, content: dict[str, object]) -> pygit2.Oid:
        builder = self.repository.TreeBuilder()
        for name, what in content.items():
            if isinstance(what, dict):
                builder.insert(name, self.folder(what), pygit2.enums.FileMode.TREE)
            elif isinstance(what, Link):
                builder.insert(name, self.repository.create_blob(what.target.encode()), pygit2.enums.FileMode.LINK)
            elif isinstance(what, Submodule):
                builder.insert(name, pygit2.Oid(hex=what.commit), pygit2.enums.FileMode.COMMIT)
            elif isinstance(what, pygit2.Oid):
                builder.insert(name, what, pygit2.enums.FileMode.TREE)
            else:
                assert isinstance(what, bytes)
                builder.insert(name, self.repository.create_blob(what), pygit2.enums.FileMode.BLOB)
        return builder.write()
