"""Times as they stand in custom resources: RFC 3339 in UTC with whole seconds. Pure: what time it *is* comes from the caller."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp(seconds: float) -> str:
    """Seconds since the epoch → ``2026-11-21T07:53:24Z``."""
    return datetime.fromtimestamp(int(seconds), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(text: str) -> float:
    """``2026-11-21T07:53:24Z`` → seconds since the epoch; raises ``ValueError`` for anything else."""
    return datetime.fromisoformat(text).timestamp()


def clock(seconds: float) -> str:
    """Seconds since the epoch → ``7:57AM`` in UTC, as Argo CD writes the time of the next attempt."""
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return f"{moment.hour % 12 or 12}:{moment.minute:02d}{'AM' if moment.hour < 12 else 'PM'}"


def minute(seconds: float) -> str:
    """Seconds since the epoch → ``2026-11-22 03:00 UTC``, for people."""
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
