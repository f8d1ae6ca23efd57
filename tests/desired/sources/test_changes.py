"""What changed between two trees, held against its definition: the keys that answer differently, found by asking all of them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeostat.desired.sources.git_tree import GitTree
from homeostat.desired.sources.store import Store
from homeostat.model.trace import complete
from homeostat.model.tree import EntryKind, TreeError
from tests.desired.sources.trees import Link, Submodule, Trees

NAMES = ["a", "b", "c"]
files = st.sampled_from([b"1", b"2"])
links = st.sampled_from(["a", "b", "b/c", "../a", "../b/a", ".", "..", "../..", "c/../a", "/etc", "nowhere"]).map(Link)
submodules = st.sampled_from(["1" * 40, "2" * 40]).map(Submodule)
leaves = st.one_of(files, files, links, submodules)
folders = st.recursive(
    st.dictionaries(st.sampled_from(NAMES), leaves, max_size=3),
    lambda below: st.dictionaries(st.sampled_from(NAMES), st.one_of(below, leaves), max_size=3),
    max_leaves=12,
)
UNIVERSE = ["", *NAMES, *(f"{a}/{b}" for a in NAMES for b in NAMES), *(f"{a}/{b}/{c}" for a in NAMES for b in NAMES for c in NAMES),
            *(f"{a}/{b}/{c}/{d}" for a in NAMES for b in NAMES for c in NAMES for d in NAMES)]  # fmt: skip
KEYS = [*UNIVERSE, *(f"{path}/" for path in UNIVERSE)]


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Trees:
    return Trees(tmp_path_factory.mktemp("changes"))


def plain(content: dict[str, object], key: str) -> object:
    """The answer to a trace key without following links: the definition that the comparison of trees is held to."""
    found: object = content
    for name in key.rstrip("/").split("/"):
        if name:
            found = found.get(name) if isinstance(found, dict) else None
    if key == "/" or (key.endswith("/") and isinstance(found, dict)):
        assert isinstance(found, dict)
        return sorted((name, "dir" if isinstance(what, dict) else type(what).__name__) for name, what in found.items())
    if key.endswith("/"):
        return None
    return "dir" if isinstance(found, dict) else found


def answer(tree: GitTree, key: str) -> object:
    """What a render is answered, links followed, refusals included."""
    path = key.rstrip("/")
    try:
        if key.endswith("/"):
            return tree.list(path)
        kind = tree.stat(path)
        return tree.read(path) if kind is EntryKind.FILE else kind
    except TreeError:
        return "refused"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(old=folders, new=folders)
def test_the_changed_keys_are_those_that_answer_differently(trees: Trees, old: dict[str, object], new: dict[str, object]) -> None:
    changed = trees.make(new).changed_since(trees.make(old))
    keys = [key for key in KEYS if key != "/"]
    assert {key for key in keys if plain(old, key) != plain(new, key)} | (
        {"/"} if plain(old, "/") != plain(new, "/") else set()
    ) == changed & set(KEYS)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(old=folders, new=folders, asked=st.lists(st.sampled_from([key for key in KEYS if key != "/"]), min_size=1, max_size=4))
def test_a_render_whose_answers_changed_is_always_found(
    trees: Trees, old: dict[str, object], new: dict[str, object], asked: list[str]
) -> None:
    """With links followed: whenever an answer differs, the complete trace meets the changed keys."""
    before, after = trees.make(old), trees.make(new)
    if any(answer(before, key) != answer(after, key) for key in asked):
        assert not after.changed_since(before).isdisjoint(complete(before, asked))


def test_a_miss_is_found_when_its_missing_folder_appears(trees: Trees) -> None:
    before, after = trees.make({"x": b""}), trees.make({"x": b"", "a": {"b": {"c": b""}}})
    assert after.changed_since(before) == {"a", "a/", "a/b", "a/b/", "a/b/c", "/"}
    assert before.changed_since(after) == {"a", "a/", "a/b", "a/b/", "a/b/c", "/"}


def test_the_same_tree_has_no_changes(trees: Trees) -> None:
    assert trees.make({"a": b"1"}).changed_since(trees.make({"a": b"1"})) == frozenset()


def test_trees_of_two_repositories_can_be_compared() -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        before, after = Trees(Path(one)).make({"a": {"b": b"1"}, "c": b""}), Trees(Path(other)).make({"a": {"b": b"2"}, "c": b""})
        assert after.changed_since(before) == {"a/b"}


def test_a_tree_of_another_kind_is_a_mistake_of_the_caller(trees: Trees) -> None:
    with pytest.raises(TypeError):
        trees.make({}).changed_since(object())  # type: ignore[arg-type]


@pytest.mark.parametrize("side_by_side", [False, True], ids=["appears", "changes"])
def test_a_tree_that_explodes_is_cut_short_and_still_found(trees: Trees, *, side_by_side: bool) -> None:
    """Ten names that are all the same folder, twelve levels deep: a kilobyte on disk, a million million paths."""

    def bomb(seed: bytes) -> dict[str, object]:
        below = trees.folder({"leaf": seed})
        for _ in range(12):
            below = trees.folder(dict.fromkeys("abcdefghij", below))
        return {"bomb": below, "seed": seed}

    before = trees.make(bomb(b"1") if side_by_side else {"seed": b"1"})
    after = trees.make(bomb(b"2"))
    changed = after.changed_since(before)
    assert len(changed) < 1_000_000
    deep = "bomb/" + "/".join("abcdefghijab") + "/leaf"
    assert not changed.isdisjoint(complete(before, [deep]))
    assert not changed.isdisjoint(complete(before, ["seed"]))


def test_changes_are_computed_once_for_all_apps(trees: Trees, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = trees.make({"apps": {"a": b"1"}}), trees.make({"apps": {"a": b"2"}})
    first = after.changed_since(before)
    monkeypatch.setattr(Store, "names", None)
    assert after.changed_since(before) is first
