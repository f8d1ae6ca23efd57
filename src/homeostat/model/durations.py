"""Durations as custom resources write them: ``5s``, ``3m``, ``1h30m``, ``1.5h`` (Go's ``time.ParseDuration``). Seconds in Python."""

from __future__ import annotations

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_WHOLE = re.compile(rf"[+-]?(?:{_PART.pattern})+", re.ASCII)
_LONGEST = 292 * 365 * 86400.0
"""Go counts nanoseconds in 64 bits: about 292 years."""


def parse(text: str, *, bare_seconds: bool = False) -> float:
    """``text`` in seconds. ``bare_seconds`` takes a number without a unit as seconds, as Argo CD's retry strategy does.

    Raises ``ValueError`` that says what was expected.
    """
    if text == "0":
        return 0.0
    if bare_seconds and re.fullmatch(r"[+-]?\d{1,12}", text, re.ASCII):
        return float(text)
    if len(text) > 100 or not _WHOLE.fullmatch(text):
        raise ValueError(f"expected a duration such as 5s, 3m or 1h30m, found {text[:100]!r}")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if seconds > _LONGEST:
        raise ValueError(f"expected a duration of less than 292 years, found {text!r}")
    return -seconds if text.startswith("-") else seconds
