"""What Flux leaves out of a source, by its own examples and those of ``.gitignore``."""

from __future__ import annotations

import pytest

from homeostat.desired.sources.sourceignore import Rules, read, with_defaults


@pytest.mark.parametrize(
    ("text", "out", "kept"),
    [
        ("*.md", ["readme.md", "docs/a.md"], ["a.yaml", "md"]),
        ("/deploy", ["deploy", "deploy/a"], ["apps/deploy"]),
        ("docs/", ["docs/a", "apps/docs/a"], ["docs"]),
        ("/*\n!/deploy\n!/apps/web/", ["readme", "apps/api/a"], ["deploy", "deploy/a/b", "apps/web/a"]),
        ("**/test.yaml", ["test.yaml", "a/b/test.yaml"], ["a/test.yml"]),
        ("a/**/x", ["a/x", "a/b/c/x"], ["b/a/x", "a"]),
        ("a/**", ["a/b", "a/b/c"], ["b/a"]),
        ("# no pattern\n\n  \nb c", ["b c"], ["# no pattern", "a"]),
        ("[a-c].yaml\n[^x]z", ["b.yaml", "az"], ["d.yaml", "xz"]),
        ("\\*\\[.yaml\nq?", ["*[.yaml", "qa"], ["a.yaml", "q", "qaa"]),
        ("[", [], ["[", "a"]),
        ("[\\d]", ["d"], ["1"]),
        ("windows\r\nends\r\n", ["windows", "ends"], ["w"]),
        ("a**b/c", [], ["axb/c"]),
    ],
)
def test_patterns_say_what_stays_out(text: str, out: list[str], kept: list[str]) -> None:
    rules = Rules(read(text))
    assert [path for path in out + kept if rules.leave_out(path)] == out


def test_a_pattern_of_a_folder_counts_below_it() -> None:
    rules = Rules(read("/a.yaml\n*.md", ("apps", "web")))
    paths = ["apps/web/a.yaml", "apps/web/b/c.md", "apps/a.yaml", "a.yaml", "apps/web"]
    assert [path for path in paths if rules.leave_out(path)] == paths[:2]


def test_something_is_left_out_when_nobody_says_anything() -> None:
    default, own = with_defaults([]), with_defaults(read("*.yaml"))
    for path in (".git/config", "a/.gitignore", ".gitmodules"):
        assert default.leave_out(path)
        assert own.leave_out(path)
    for path in ("a.png", "apps/a.tar.gz", ".github/a", "apps/.sops.yml/.sops.yaml"):
        assert default.leave_out(path)
    assert own.leave_out("a.yaml")
    assert not own.leave_out("a.png")
    assert not default.leave_out("apps/web/map.yaml")


def test_a_pattern_that_was_made_to_take_for_ever_does_not() -> None:
    rules = Rules(read("*a" * 5000 + "b"))
    assert not rules.leave_out("a" * 10_000)
