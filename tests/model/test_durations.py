"""Durations are read as Go reads them."""

from __future__ import annotations

import pytest

from homeostat.model import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s", 5.0),
        ("3m", 180.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        ("300ms", 0.3),
        ("0", 0.0),
        ("-2s", -2.0),
        ("+2s", 2.0),
        (".5s", 0.5),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert durations.parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "1d", "1h-2m", "5S", "\u0665s", "1e9s", "9" * 200 + "s", "999999999h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        durations.parse(text)


def test_a_bare_number_is_seconds_where_that_is_allowed() -> None:
    assert durations.parse("180", bare_seconds=True) == 180.0
