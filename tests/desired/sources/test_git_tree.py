"""Reading the files of a commit: links inside and outside, submodules, odd names, limits, a damaged disk."""

from __future__ import annotations

from pathlib import Path

import pygit2
import pytest

from homeostat.desired.sources.errors import CacheError
from homeostat.model.trace import complete
from homeostat.model.tree import Entry, EntryKind, TreeError
from tests.desired.sources.trees import Link, Submodule, Trees

FILE, DIRECTORY, LINK, SUBMODULE = EntryKind.FILE, EntryKind.DIRECTORY, EntryKind.SYMLINK, EntryKind.SUBMODULE
TREE = int(pygit2.enums.ObjectType.TREE)


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    return Trees(tmp_path)


def test_files_folders_and_misses_are_told_apart(trees: Trees) -> None:
    tree = trees.make({"apps": {"web": {"all.yaml": b"a: 1\n"}}, "README.md": b"", "vendor": Submodule("1" * 40)})
    assert tree.stat("") is DIRECTORY
    assert tree.stat("apps/web") is DIRECTORY
    assert tree.stat("apps/web/all.yaml") is FILE
    assert tree.stat("vendor") is SUBMODULE
    assert [tree.stat(path) for path in ("nothing", "apps/nothing/below", "README.md/below", "vendor/below")] == [None] * 4
    assert tree.list("") == [Entry("README.md", FILE), Entry("apps", DIRECTORY), Entry("vendor", SUBMODULE)]
    assert [tree.list(path) for path in ("README.md", "nothing", "vendor")] == [None] * 3
    assert tree.read("apps/web/all.yaml") == b"a: 1\n"
    assert [tree.read(path) for path in ("apps", "nothing", "vendor")] == [None] * 3


def test_the_id_is_of_the_content(trees: Trees) -> None:
    assert trees.make({"a": b"1"}).id == trees.make({"a": b"1"}).id != trees.make({"a": b"2"}).id


def test_links_are_followed_inside_the_tree(trees: Trees) -> None:
    tree = trees.make({
        "base": {"all.yaml": b"base"},
        "apps": {"web": {"base": Link("../../base"), "file": Link("base/all.yaml"), "again": Link("./base/../web/../../base//all.yaml")}},
        "top": Link("apps/web"),
        "self": Link("."),
    })  # fmt: skip
    assert tree.stat("apps/web/base") is DIRECTORY
    assert tree.list("top/base") == [Entry("all.yaml", FILE)]
    assert tree.read("top/file") == b"base"
    assert tree.read("self/self/top/base/all.yaml") == b"base"
    assert tree.list("apps/web") == [Entry("again", LINK), Entry("base", LINK), Entry("file", LINK)]
    real, passed = tree.resolve("top/file")
    assert real == "base/all.yaml"
    assert {"top", "apps/web/file", "apps/web/base", "base", "base/all.yaml", "apps", "apps/web", ""} == passed


def test_dots_leave_the_real_folder_as_in_a_file_system(trees: Trees) -> None:
    tree = trees.make({"base": {"deep": {"x": b"x"}, "y": b"y"}, "apps": {"link": Link("../base/deep"), "y": b"other"}})
    assert tree.read("apps/link/../y") == b"y"
    # ``again`` goes through a name that is a file on the way.
    assert tree.read("apps/y/../y") is None


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "../../outside", "..", "../../../../../../etc/passwd", "apps/../../x", "apps/deeper/../../../x"],
)
def test_a_link_that_leaves_the_repository_is_refused(trees: Trees, target: str) -> None:
    tree = trees.make({"apps": {"deeper": {}, "kept": b""}, "out": Link(target)})
    for ask in (tree.stat, tree.list, tree.read, tree.resolve):
        with pytest.raises(TreeError, match="leaves the repository"):
            ask("out")


def test_a_path_above_the_root_is_refused(trees: Trees) -> None:
    tree = trees.make({"a": {"b": b""}})
    with pytest.raises(TreeError, match="leaves the repository"):
        tree.stat("../x")
    with pytest.raises(TreeError, match="leaves the repository"):
        tree.read("a/../../x")
    assert tree.stat("a/..") is DIRECTORY


def test_links_in_circles_are_refused(trees: Trees) -> None:
    tree = trees.make({"a": Link("b"), "b": Link("a"), "c": Link("c/d")})
    for path in ("a", "b/x", "c"):
        with pytest.raises(TreeError, match="too many symbolic links"):
            tree.stat(path)


def test_names_that_are_not_utf_8_are_escaped_and_can_be_read(trees: Trees) -> None:
    blob = trees.repository.create_blob(b"1")
    raw = b"100644 x\xe9.yaml\0" + bytes.fromhex(str(blob))
    tree = trees.make({"odd": trees.repository.write(TREE, raw)})
    assert tree.list("odd") == [Entry("x\\xe9.yaml", FILE)]
    assert tree.read("odd/x\\xe9.yaml") == b"1"


def test_names_that_no_file_can_have_are_not_there(trees: Trees) -> None:
    blob = trees.repository.create_blob(b"1")
    raw = b"".join(b"100644 " + name + b"\0" + bytes.fromhex(str(blob)) for name in (b"..", b"a/b", b"ok"))
    tree = trees.make({"odd": trees.repository.write(TREE, raw)})
    assert tree.list("odd") == [Entry("ok", FILE)]


def test_a_very_deep_path_is_a_miss_and_no_crash(trees: Trees) -> None:
    tree = trees.make({"a": b""})
    assert tree.stat("/".join(["x"] * 20_000)) is None


def test_a_file_out_of_proportion_is_refused(trees: Trees, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeostat.desired.sources.git_tree.MAX_FILE", 10)
    tree = trees.make({"big": b"x" * 11, "small": b"x" * 10})
    assert tree.read("small") == b"x" * 10
    with pytest.raises(TreeError, match="11 bytes"):
        tree.read("big")


def test_an_object_that_is_gone_from_the_disk_says_so_and_marks_the_cache(trees: Trees) -> None:
    tree = trees.make({"a": b"to be lost"})
    for path in (trees.store.path / "objects").glob("??/*"):
        if tree.id not in str(path).replace("/", ""):
            path.unlink()
    trees.store.reopen()
    with pytest.raises(CacheError, match="no readable object") as lost:
        tree.read("a")
    assert "cloned again" in lost.value.hint
    assert trees.store.damaged


def test_a_complete_trace_holds_every_place_that_was_passed(trees: Trees) -> None:
    tree = trees.make({"base": {"x": b""}, "apps": {"base": Link("../base"), "out": Link("/etc")}})
    trace = complete(tree, ["apps/base/x", "apps/base/", "apps/nothing/below", "apps/out/x", "/"])
    assert trace == {
        "", "apps/base/x", "apps/base/", "apps/base", "apps", "base", "base/", "base/x",
        "apps/nothing", "apps/nothing/below", "apps/out", "apps/out/x", "/",
    }  # fmt: skip
