"""Discovery by names of files: Go's patterns, and a trace that notices what appears later."""

from __future__ import annotations

import pytest

from homeostat.desired.plugins.files import keys, tops
from homeostat.desired.plugins.looking import found
from homeostat.model.trace import complete
from tests.evaluators import Link, MemoryTree

_FILES = {
    "app/Chart.yaml": "",
    "app/sub/deep/plug.yaml": "",
    "app/.hidden": "",
    "other/x.env": "",
    "app/[1]/a": "",
    "app/to": Link("../other"),
}


@pytest.mark.parametrize(
    ("pattern", "yes"),
    [
        ("Chart.yaml", True), ("./Chart.yaml", True), ("/Chart.yaml", True), ("chart.yaml", False), ("sub", True), ("*.yaml", True), ("plug.yaml", False),
        ("*/*/plug.yaml", True), ("*/plug.yaml", False), ("**/plug.yaml", True), ("**/Chart.yaml", True), ("sub/**/deep/*.yaml", True), ("**", True),
        ("**/*.env", False), ("to/*.env", True), ("t?/x.env", True), ("Char[s-u].yaml", True), ("Char[^a-s].yaml", True), ("{Chart,x}.yaml", True), (".*", True),
        ("../other/x.env", True), ("../../x", False), ("../..", False), ("Chart.yaml/x", False), ("[", False), ("nothing/**", False),
    ],
)  # fmt: skip
def test_a_pattern_is_found_as_go_finds_it(pattern: str, yes: bool) -> None:
    assert found(MemoryTree(_FILES), "app", pattern, set()) is yes


def test_a_folder_is_no_pattern_and_the_root_may_be_it() -> None:
    assert found(MemoryTree(_FILES), "app/[1]", "a", set())
    assert found(MemoryTree(_FILES), "", "app/Ch*", set())


@pytest.mark.parametrize(
    ("pattern", "file"), [("plugin.env", "app/plugin.env"), ("**/x.env", "app/sub/x.env"), ("*/new", "app/sub/new"), ("a/b", "app/a/b")]
)
def test_what_appears_later_is_in_the_trace(pattern: str, file: str) -> None:
    tree = MemoryTree(_FILES)
    seen: set[str] = set()
    assert not found(tree, "app", pattern, seen)
    later = tree.but({file: "x"})
    assert found(later, "app", pattern, set())
    appeared = {file, f"{file.rpartition('/')[0]}/"} | {f"{file[:at]}" for at in range(len(file)) if file[at] == "/"}
    assert not complete(tree, seen).isdisjoint(appeared)


def test_the_keys_of_a_folder_are_all_that_is_in_it() -> None:
    tree = MemoryTree({"app/a": "", "app/b/c": "", "x": ""})
    assert keys(tree, ["app", "none"]) == {"app", "app/", "app/a", "app/b", "app/b/", "app/b/c", "none", "none/"}


@pytest.mark.parametrize(
    ("paths", "named"),
    [
        ((".",), {"app/web"}), (("/",), {""}), (("../base", "/shared/"), {"app/base", "shared"}), (("/shared/*-secret.yaml",), {"shared"}),
        (("../../..",), set()), (("**",), {"app/web"}),
    ],
)  # fmt: skip
def test_the_paths_of_the_annotation_are_relative_to_the_app_or_to_the_root(paths: tuple[str, ...], named: set[str]) -> None:
    assert tops(paths, "app/web") == named
