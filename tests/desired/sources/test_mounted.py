"""Mounted trees, held against their definition: a plain tree of the merged files, and traces that hold as long as no part changed what was read."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeostat.desired.sources.archive import ArchiveTree
from homeostat.desired.sources.mounted import MountedTree
from homeostat.model.trace import complete
from homeostat.model.tree import EntryKind, Tree, TreeError
from tests.desired.sources.trees import Link, Trees

NAMES = ["a", "b", "c"]
files = st.sampled_from([b"1", b"2"])
links = st.sampled_from(["a", "b", "b/c", "../a", "../b/a", ".", "..", "../..", "c/../a", "/etc", "nowhere"]).map(Link)


def folders(leaves: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    return st.recursive(
        st.dictionaries(st.sampled_from(NAMES), leaves, max_size=3),
        lambda below: st.dictionaries(st.sampled_from(NAMES), st.one_of(below, leaves), max_size=3),
        max_leaves=10,
    )


plain_folders = folders(files)
linked_folders = folders(st.one_of(files, files, links))
points = st.sampled_from(["a", "b", "a/b", "a/c", "c/a", "b/b/c"])


def mounts(content: st.SearchStrategy[dict[str, object]]) -> st.SearchStrategy[dict[str, dict[str, object]]]:
    found = st.dictionaries(points, content, min_size=1, max_size=2)
    return found.filter(lambda at: not any(one != other and f"{one}/".startswith(f"{other}/") for one in at for other in at))


UNIVERSE = [*NAMES, *(f"{a}/{b}" for a in NAMES for b in NAMES), *(f"{a}/{b}/{c}" for a in NAMES for b in NAMES for c in NAMES),
            *(f"{a}/{b}/{c}/{d}" for a in NAMES for b in NAMES for c in NAMES for d in NAMES), "a/../b", "a/b/../../c", "..", "a/b/..", "c/a/../b"]  # fmt: skip
KEYS = [*UNIVERSE, *(f"{path}/" for path in UNIVERSE), "/"]
quick = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Trees:
    return Trees(tmp_path_factory.mktemp("mounted"))


def merged(base: dict[str, object], mounts: dict[str, dict[str, object]]) -> dict[str, object]:
    out = dict(base)
    for path, content in mounts.items():
        at = out
        *above, last = path.split("/")
        for name in above:
            below = at.get(name)
            at[name] = dict(below) if isinstance(below, dict) else {}
            at = at[name]  # type: ignore[assignment]
        at[last] = content
    return out


def answer(tree: Tree, key: str) -> object:
    path = key.rstrip("/")
    try:
        if key.endswith("/"):
            return tree.list(path)
        kind = tree.stat(path)
        return tree.read(path) if kind is EntryKind.FILE else kind
    except TreeError:
        return "refused"


def make(trees: Trees, base: dict[str, object], at: dict[str, dict[str, object]]) -> MountedTree:
    return MountedTree(trees.make(base), {path: trees.make(content) for path, content in at.items()})


@quick
@given(base=plain_folders, at=mounts(plain_folders))
def test_without_links_it_is_a_plain_tree_of_the_merged_files(
    trees: Trees, base: dict[str, object], at: dict[str, dict[str, object]]
) -> None:
    tree, plain = make(trees, base, at), trees.make(merged(base, at))
    assert {key: answer(tree, key) for key in KEYS} == {key: answer(plain, key) for key in KEYS}


@quick
@given(base=linked_folders, at=mounts(linked_folders))
def test_with_links_it_differs_only_in_refusing_links_that_leave_their_tree(
    trees: Trees, base: dict[str, object], at: dict[str, dict[str, object]]
) -> None:
    tree, plain = make(trees, base, at), trees.make(merged(base, at))
    for key in KEYS:
        told = answer(tree, key)
        assert told == "refused" or told == answer(plain, key), key


@quick
@given(base=linked_folders, at=mounts(plain_folders))
def test_the_real_path_answers_as_the_path_does(trees: Trees, base: dict[str, object], at: dict[str, dict[str, object]]) -> None:
    tree = make(trees, base, at)
    for path in [path for path in UNIVERSE if ".." not in path]:
        try:
            real, passed = tree.resolve(path)
        except TreeError:
            continue
        assert real == "" or real in passed or tree.stat(real) is None
        assert answer(tree, real) == answer(tree, path), path


@quick
@given(
    old=linked_folders,
    new=linked_folders,
    was=mounts(linked_folders),
    now=mounts(linked_folders),
    moved=st.booleans(),
    asked=st.lists(st.sampled_from(KEYS), min_size=1, max_size=4),
)
def test_a_render_whose_answers_changed_is_always_found(
    trees: Trees, old: dict[str, object], new: dict[str, object], was: dict[str, dict[str, object]], now: dict[str, dict[str, object]],
    moved: bool, asked: list[str],
) -> None:  # fmt: skip
    if not moved:  # the same mount points with other content
        now = dict(zip(was, now.values(), strict=False))
    before, after = make(trees, old, was), make(trees, new, now)
    if any(answer(before, key) != answer(after, key) for key in asked):
        assert not after.changed_since(before).isdisjoint(complete(before, asked))


def test_what_was_not_read_of_a_mounted_tree_changes_nothing(trees: Trees) -> None:
    base: dict[str, object] = {"apps": {"values.yaml": b"1"}, "other": b"1"}
    before = make(trees, base, {".homeostat/ref/x": {"read": b"1", "unread": b"1"}})
    after = make(trees, {**base, "other": b"2"}, {".homeostat/ref/x": {"read": b"1", "unread": b"2"}})
    assert after.changed_since(before) == {"other", ".homeostat/ref/x/unread"}
    assert after.changed_since(before).isdisjoint(complete(before, ["apps/values.yaml", ".homeostat/ref/x/read"]))


def test_the_changes_of_a_commit_are_not_copied_for_each_app(trees: Trees) -> None:
    old, new = trees.make({"a": b"1"}), trees.make({"a": b"2"})
    mount = {".homeostat/x": trees.make({"b": b"1"})}
    assert MountedTree(new, mount).changed_since(MountedTree(old, mount)) is new.changed_since(old)


def test_what_a_mount_point_hides_may_change(trees: Trees) -> None:
    before = make(trees, {"charts": {"x": {"hidden": b"1"}}}, {"charts/x": {"Chart.yaml": b""}})
    after = make(trees, {"charts": {"x": {"hidden": b"2"}}}, {"charts/x": {"Chart.yaml": b""}})
    assert after.changed_since(before) == frozenset()


def test_a_link_of_a_mounted_tree_cannot_look_into_the_base(trees: Trees) -> None:
    tree = make(trees, {"secret": b"1"}, {"x": {"link": Link("../secret")}})
    with pytest.raises(TreeError, match="leaves the repository"):
        tree.read("x/link")


def test_a_link_of_the_base_cannot_look_into_a_mounted_tree(trees: Trees) -> None:
    tree = make(trees, {"link": Link("x/secret"), "near": Link("a"), "a": {"own": b"1"}}, {"x": {"secret": b"1"}, "a/x": {"file": b"2"}})
    with pytest.raises(TreeError, match="the symbolic link link leaves the repository") as refused:
        tree.read("link")
    assert refused.value.passed == {"", "link"}
    assert (tree.read("near/own"), tree.read("near/x/file")) == (b"1", b"2")


def test_a_tree_without_mounts_has_the_id_of_its_base_and_is_compared_with_it(trees: Trees) -> None:
    base, changed = trees.make({"a": b"1"}), trees.make({"a": b"2"})
    assert MountedTree(base, {}).id == base.id
    assert MountedTree(changed, {}).changed_since(base) == {"a"}
    assert MountedTree(changed, {"x/y": base}).changed_since(base) == {"a", "x", "x/", "x/y", "x/y/", "/"}


def test_the_id_is_of_all_parts_and_their_places(trees: Trees) -> None:
    base, one, other = trees.make({}), trees.make({"a": b"1"}), trees.make({"a": b"2"})
    made = [MountedTree(base, at).id for at in ({"x": one}, {"x": other}, {"y": one}, {"x": one, "y": other})]
    assert len(set(made)) == 4
    assert MountedTree(base, {"x": one}).id == made[0]


def test_a_part_of_another_kind_counts_as_changed_as_a_whole(trees: Trees) -> None:
    before, after = (
        MountedTree(trees.make({}), {"x": trees.make({"a": b"1"})}),
        MountedTree(trees.make({}), {"x": ArchiveTree({"a": b"1"})}),
    )
    assert after.changed_since(before) == {"x", "x/"}


@pytest.mark.parametrize("path", ["", "/a", "a/", "../a", ".", "a//b"])
def test_a_place_that_is_none_is_a_mistake_of_the_caller(trees: Trees, path: str) -> None:
    with pytest.raises(ValueError, match="no place"):
        make(trees, {}, {path: {}})


def test_no_tree_is_mounted_in_a_mounted_tree(trees: Trees) -> None:
    with pytest.raises(ValueError, match="another tree is mounted"):
        make(trees, {}, {"a": {}, "a/b": {}})
