"""Globs, against cases of gobwas/glob and against the standard library where they speak of the same."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.model.glob import GlobError, matches, parse


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("*", "", True),
        ("*", "apps", True),
        ("apps", "apps", True),
        ("apps", "app", False),
        ("*.example.com/*", "ec2.example.com/Instance", True),
        ("*.example.com/*", "example.com/Instance", False),
        ("*a*b", "xaxxb", True),
        ("*a*b", "xaxxbc", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("[a-c]x", "bx", True),
        ("[a-c]x", "dx", False),
        ("[!a-c]x", "dx", True),
        ("[!a]", "a", False),
        ("[abc]", "c", True),
        ("[a\\]]", "]", True),
        ("{Deployment,*Set}", "StatefulSet", True),
        ("{Deployment,*Set}", "Pod", False),
        ("{a,{b,c}d}", "cd", True),
        ("{,x}y", "y", True),
        ("\\*", "*", True),
        ("\\*", "x", False),
        ("a,b}", "a,b}", True),
        ("[", "[", False),
        ("{a", "{a", False),
        ("a\\", "a\\", False),
        ("[]", "", False),
        ("[b-a]", "a", False),
    ],
)
def test_matching(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("https://example/*", "https://example/a", True),
        ("https://example/*", "https://example/a/b", False),
        ("https://example/**", "https://example/a/b", True),
        ("**a*b", "a/ab", True),
        ("a?b", "a/b", False),
    ],
)
def test_a_separator_stops_a_single_star(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text, "/") is expected


@pytest.mark.parametrize("pattern", ["[", "{a", "a\\", "[]", "[z-a]", "x" * 5000, "{a,b}" * 20])
def test_what_is_no_pattern_says_why(pattern: str) -> None:
    with pytest.raises(GlobError) as raised:
        parse(pattern)
    assert raised.value.hint


def test_a_hostile_pattern_takes_no_time() -> None:
    assert not matches("*a" * 50 + "b", "a" * 2000)


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=10))
def test_stars_and_question_marks_mean_what_they_always_do(pattern: str, text: str) -> None:
    assert matches(pattern, text) is fnmatch.fnmatchcase(text, pattern)


@given(st.text(max_size=10))
def test_an_escaped_text_matches_itself(text: str) -> None:
    pattern = "".join("\\" + character for character in text)
    assert matches(pattern, text)
    assert not matches(pattern, text + "x")
