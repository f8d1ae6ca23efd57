"""A folder of this machine is a tree like any other: links are followed inside it and refused where they leave it."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeostat.desired.local import LocalTree
from homeostat.model.tree import Entry, EntryKind, TreeError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/c.yaml").write_text("c: 1")
    (root / "file.yaml").write_bytes(b"\xff")
    (root / ".git").mkdir()
    (root / ".git/config").write_text("secret")
    (root / "link").symlink_to("a/b")
    (root / "a/up").symlink_to("../link/c.yaml")
    (root / "out").symlink_to("../outside")
    (root / "absolute").symlink_to(root / "file.yaml")
    (root / "circle").symlink_to("circle")
    (root / "gone").symlink_to("a/nothing")
    (tmp_path / "outside").write_text("secret")
    return root


def test_files_and_folders_are_found_through_links(folder: Path) -> None:
    tree = LocalTree(folder)
    assert tree.stat("") is EntryKind.DIRECTORY
    assert tree.stat("a/b/c.yaml") is EntryKind.FILE
    assert tree.stat("link") is EntryKind.DIRECTORY
    assert tree.stat("a/up") is EntryKind.FILE
    assert tree.read("a/up") == b"c: 1"
    assert tree.read("file.yaml") == b"\xff"
    assert tree.list("link") == [Entry("c.yaml", EntryKind.FILE)]
    assert tree.resolve("a/up") == ("a/b/c.yaml", frozenset({"a", "a/up", "link", "a/b", "a/b/c.yaml"}))
    assert tree.list("a") == [Entry("b", EntryKind.DIRECTORY), Entry("up", EntryKind.SYMLINK)]


def test_what_is_not_there_is_nothing(folder: Path) -> None:
    tree = LocalTree(folder)
    for path in ("no", "a/no", "file.yaml/no", "gone", "a/b/c.yaml/d"):
        assert tree.stat(path) is None
        assert tree.read(path) is None
        assert tree.list(path) is None
    assert tree.list("file.yaml") is None
    assert tree.read("a") is None


@pytest.mark.parametrize("path", ["out", "absolute", "circle", "circle/x", "..", "a/../..", "../root/file.yaml"])
def test_what_leaves_the_folder_is_refused(folder: Path, path: str) -> None:
    tree = LocalTree(folder)
    for look in (tree.stat, tree.read, tree.list):
        with pytest.raises(TreeError, match=r"leaves the repository|link in circles"):
            look(path)


def test_what_git_keeps_for_itself_is_not_shown(folder: Path) -> None:
    tree = LocalTree(folder)
    assert ".git" not in [entry.name for entry in tree.list("") or ()]
    assert tree.stat(".git/config") is None
    assert tree.read(".git/config") is None


def test_two_folders_are_compared_by_content(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "a/b").mkdir(parents=True)
    (other / "a/b/c.yaml").write_text("c: 2")
    (other / "a/new.yaml").write_text("")
    before, after = LocalTree(folder), LocalTree(other)
    assert before.id == LocalTree(folder).id
    assert before.id != after.id
    changed = after.changed_since(before)
    assert {"a/b/c.yaml", "a/new.yaml", "a/", "/", "link", "file.yaml"} <= changed
    assert changed.isdisjoint({"a", "a/b", "a/b/"})
    assert before.changed_since(before) == frozenset()
