"""What the text of a ``targetRevision`` can be."""

from __future__ import annotations

import pytest

from homeostat.desired.sources import revisions
from homeostat.desired.sources.errors import RefusedError
from homeostat.desired.sources.revisions import Form, Wanted

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", Wanted(Form.NAME, "HEAD")),
        (" HEAD ", Wanted(Form.NAME, "HEAD")),
        ("main", Wanted(Form.NAME, "main")),
        ("feature/x-1", Wanted(Form.NAME, "feature/x-1")),
        ("refs/pull/1/head", Wanted(Form.NAME, "refs/pull/1/head")),
        ("1.2.3", Wanted(Form.NAME, "1.2.3")),
        ("v1.2", Wanted(Form.NAME, "v1.2")),
        ("v1.2.3-rc.1+build", Wanted(Form.NAME, "v1.2.3-rc.1+build")),
        (COMMIT.upper(), Wanted(Form.COMMIT, COMMIT)),
        ("1.x", Wanted(Form.RANGE, "1.x")),
        ("v1.*", Wanted(Form.RANGE, "v1.*")),
        ("*", Wanted(Form.RANGE, "*")),
        ("^1.2", Wanted(Form.RANGE, "^1.2")),
        ("~1.2.3", Wanted(Form.RANGE, "~1.2.3")),
        (">=1.0 <2", Wanted(Form.RANGE, ">=1.0 <2")),
        (">= 1.0, < 2 || 3.x", Wanted(Form.RANGE, ">= 1.0, < 2 || 3.x")),
        ("1.2 - 1.4.5", Wanted(Form.RANGE, "1.2 - 1.4.5")),
        ("!=1.3", Wanted(Form.RANGE, "!=1.3")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_forms_are_told_apart(text: str, wanted: Wanted) -> None:
    assert revisions.read(text) == wanted


@pytest.mark.parametrize(
    "hostile",
    ["--upload-pack=x", "-x", "a..b", "a b", "a:b", "main~1", "main^{tree}", "@{upstream}", "@", "a\x00b", "a\nb", "a?b", "[a]", "a\\b",
     "/a", "a//b", "a/", "a.lock", "a.lock/b", "a/.b", "x" * 300, "*main"],
)  # fmt: skip
def test_what_is_no_revision_is_refused(hostile: str) -> None:
    with pytest.raises(RefusedError):
        revisions.read(hostile)


def test_a_tag_wins_over_a_branch_of_the_same_name() -> None:
    references = {"HEAD": "1", "refs/heads/v1": "2", "refs/tags/v1": "3", "refs/pull/1/head": "4"}
    assert revisions.find("v1", references) == "refs/tags/v1"
    assert revisions.find("refs/heads/v1", references) == "refs/heads/v1"
    assert revisions.find("heads/v1", references) == "refs/heads/v1"
    assert revisions.find("pull/1/head", references) == "refs/pull/1/head"
    assert revisions.find("HEAD", references) == "HEAD"
    assert revisions.find("nothing", references) is None


def test_only_tags_that_are_versions_are_candidates() -> None:
    references = dict.fromkeys(["refs/tags/v1.2.3", "refs/tags/1.0", "refs/tags/latest", "refs/heads/v9.9.9"], "1")
    assert revisions.versions(references) == ["1.0", "v1.2.3"]
