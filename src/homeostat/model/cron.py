"""Schedules as AppProjects write them: cron with five fields, as ``robfig/cron`` v3 reads it (``ParseStandard``), in a time zone. Pure.

No library for it: those that there are speak other dialects (a weekday 7, ``L`` and ``#``; ``*/2`` counts as a star when days are matched), and the
ones that step over local clock times lose an hour where it comes twice. A time is any moment at which the zone's clock shows what the
schedule asks for. One that the clock skips counts as if the clock had not been put forward; one that it shows twice counts twice. Moments are
whole seconds since the epoch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTH_NAMES = {name: number for number, name in enumerate(_MONTHS, start=1)}
_WEEKDAY_NAMES = {name: number for number, name in enumerate(_WEEKDAYS)}
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_DAY = timedelta(days=1)
_MONTH = timedelta(days=31)
_HORIZON = 5 * 366
"""Days to look ahead or back, as robfig/cron does."""


class Schedule(msgspec.Struct, frozen=True):
    """``both``: day of month and weekday must match, for one of them is a star; else one of the two is enough. Weekday 0 is Sunday."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    both: bool

    def has(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (in_month and in_week) if self.both else (in_month or in_week)


@lru_cache(maxsize=1_000)
def parse(text: str) -> Schedule:
    """Raises ``ValueError`` that says what was expected."""
    fields = _NICKNAMES.get(text, text).split()
    if len(fields) != 5:
        raise ValueError(f"expected five fields (minute, hour, day, month, weekday) or such as @daily, found {text!r}")
    minutes, _ = _field("minute", fields[0], 0, 59, {})
    hours, _ = _field("hour", fields[1], 0, 23, {})
    days, any_day = _field("day of month", fields[2], 1, 31, {})
    months, _ = _field("month", fields[3], 1, 12, _MONTH_NAMES)
    weekdays, any_weekday = _field("weekday", fields[4], 0, 6, _WEEKDAY_NAMES)
    both = any_day or any_weekday
    if both and min(days) > max(_LONGEST_MONTH[month - 1] for month in months):
        raise ValueError(f"expected a day that comes, found {text!r}")
    return Schedule(tuple(sorted(minutes)), tuple(sorted(hours)), days, months, weekdays, both)


def previous(schedule: Schedule, zone: ZoneInfo, at: int) -> int | None:
    """The last time at or before ``at``; ``None`` when there was none for years."""
    today = datetime.fromtimestamp(at, tz=zone).toordinal()
    best = None
    for moments in _days(schedule, zone, today + 1, -1):
        count = bisect_right(moments, at)
        found = moments[count - 1] if count else None
        if best is not None:  # a time that the clock skipped may stand a day later than it says
            return best if found is None else max(best, found)
        best = found
    return best


def following(schedule: Schedule, zone: ZoneInfo, after: int) -> Iterator[int]:
    """The times later than ``after``, in their order, for some years."""
    today = datetime.fromtimestamp(after, tz=zone).toordinal()
    held: tuple[int, ...] = ()
    for moments in _days(schedule, zone, today - 1, 1):
        if held and held[-1] >= moments[0]:  # as above
            held = tuple(sorted({*held, *moments}))
            continue
        yield from held[bisect_right(held, after) :]
        held = moments
    yield from held


def _days(schedule: Schedule, zone: ZoneInfo, ordinal: int, step: int) -> Iterator[tuple[int, ...]]:
    """The times of the day ``ordinal``, and of those after it (``step`` 1) or before it (-1); days of other months are passed over."""
    end = ordinal + step * _HORIZON
    while (end - ordinal) * step > 0:
        day = date.fromordinal(ordinal)
        if day.month not in schedule.months:
            first = day.replace(day=1)
            ordinal = (first + _MONTH).replace(day=1).toordinal() if step > 0 else first.toordinal() - 1
            continue
        if schedule.has(day):
            yield _moments_of(schedule, zone, day)
        ordinal += step


@lru_cache(maxsize=256)
def _moments_of(schedule: Schedule, zone: ZoneInfo, day: date) -> tuple[int, ...]:
    noon = datetime.combine(day, time(12), tzinfo=zone)
    if (noon - _DAY).utcoffset() == noon.utcoffset() == (noon + _DAY).utcoffset():
        start = int(noon.timestamp()) - 12 * 3600
        return tuple(start + hour * 3600 + minute * 60 for hour in schedule.hours for minute in schedule.minutes)
    found = set()
    for hour in schedule.hours:
        for minute in schedule.minutes:
            clock = datetime.combine(day, time(hour, minute), tzinfo=zone)
            first, second = int(clock.timestamp()), int(clock.replace(fold=1).timestamp())
            found.add(first)
            if second > first:  # the other way round it is a time that the clock skips
                found.add(second)
    return tuple(sorted(found))


def _field(name: str, text: str, lowest: int, highest: int, names: Mapping[str, int]) -> tuple[frozenset[int], bool]:
    """The numbers that a field stands for, and whether it is a star."""
    numbers: set[int] = set()
    star = False

    def wrong(expected: str) -> ValueError:
        return ValueError(f"{name}: expected {expected}, found {text!r}")

    def number(word: str) -> int:
        value = names.get(word.lower(), int(word) if word.isascii() and word.isdecimal() and len(word) < 9 else -1)
        if not lowest <= value <= highest:
            raise wrong(f"numbers from {lowest} to {highest}" + (f" or names such as {next(iter(names))}" if names else ""))
        return value

    parts = [part for part in text.split(",") if part]
    if not parts or len(text) > 300:
        raise wrong("a list such as 1,5,10")
    for part in parts:
        span, slash, step_text = part.partition("/")
        first_text, dash, last_text = span.partition("-")
        step = 1
        if slash:
            step = int(step_text) if step_text.isascii() and step_text.isdecimal() and len(step_text) < 9 else 0
            if step < 1:
                raise wrong("a step such as */15")
        if span in {"*", "?"}:
            first, last = lowest, highest
            star = star or step == 1
        else:
            first = number(first_text)
            last = number(last_text) if dash else highest if slash else first
        if last < first:
            raise wrong("a range that goes upwards")
        numbers.update(range(first, last + 1, step))
    return frozenset(numbers), star
