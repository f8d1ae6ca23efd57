"""When syncs are allowed: schedules in their time zone, the rules of allow and deny, and what a minute-by-minute look says of all that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.model import cron
from homeostat.model.windows import BLOCKED, Window, is_active, matching, opens, permitted, problems

SATURDAY = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def window(kind: str, schedule: str, duration: str = "1h", **fields: Any) -> Window:
    return Window(kind, schedule, duration, **fields)


def allowed(*windows: Window, when: str, manual: bool = False, since: str | None = None) -> bool:
    return permitted(windows, manual=manual, now=at(when), running_since=at(since) if since else None).allowed


# Schedules.


@pytest.mark.parametrize(
    ("schedule", "first", "second"),
    [
        ("0 2 * * *", "2026-11-22T02:00Z", "2026-11-23T02:00Z"),
        ("*/15 * * * *", "2026-11-21T12:15Z", "2026-11-21T12:30Z"),
        ("5/20 12 * * *", "2026-11-21T12:05Z", "2026-11-21T12:25Z"),
        ("0 9-17/4 * * *", "2026-11-21T13:00Z", "2026-11-21T17:00Z"),
        ("0 0 * * MON-fri", "2026-11-23T00:00Z", "2026-11-24T00:00Z"),
        ("0 0 1 jan,JUL ?", "2027-01-01T00:00Z", "2027-07-01T00:00Z"),
        ("0 0 29 2 *", "2028-02-29T00:00Z", None),
        ("0 0 13 * 5", "2026-11-27T00:00Z", "2026-12-04T00:00Z"),  # a day of the month or a weekday
        ("0 0 */2 * 0", "2026-11-22T00:00Z", "2026-11-23T00:00Z"),  # */2 is no star: either is enough
        ("0 0 */1 * 0", "2026-11-22T00:00Z", "2026-11-29T00:00Z"),
        ("@hourly", "2026-11-21T13:00Z", "2026-11-21T14:00Z"),
        ("@daily", "2026-11-22T00:00Z", "2026-11-23T00:00Z"),
        ("@weekly", "2026-11-22T00:00Z", "2026-11-29T00:00Z"),
        ("@monthly", "2026-12-01T00:00Z", "2027-01-01T00:00Z"),
        ("@yearly", "2027-01-01T00:00Z", "2028-01-01T00:00Z"),
    ],
)
def test_a_schedule_comes_when_robfig_cron_has_it_come(schedule: str, first: str, second: str | None) -> None:
    times = cron.following(cron.parse(schedule), ZoneInfo("UTC"), int(SATURDAY.timestamp()))
    assert next(times) == at(first)
    assert next(times, None) == (at(second) if second else None)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("kind", "forbid", "kind: expected allow or deny, found 'forbid'"),
        ("schedule", "0 2 * *", "schedule: expected five fields"),
        ("schedule", "@every 1h", "schedule: expected five fields"),
        ("schedule", "60 2 * * *", "schedule: minute: expected numbers from 0 to 59, found '60'"),
        ("schedule", "0 2 * * 7", "schedule: weekday: expected numbers from 0 to 6 or names such as sun, found '7'"),
        ("schedule", "0 2 0 * *", "schedule: day of month: expected numbers from 1 to 31"),
        ("schedule", "0 5-2 * * *", "schedule: hour: expected a range that goes upwards"),
        ("schedule", "*/0 2 * * *", "schedule: minute: expected a step such as */15"),
        ("schedule", "0 2 * foo *", "schedule: month: expected numbers from 1 to 12 or names such as jan"),
        ("schedule", ", 2 * * *", "schedule: minute: expected a list"),
        ("schedule", "0 2 L * *", "schedule: day of month: expected numbers"),
        ("schedule", "1-2-3 * * * *", "schedule: minute: expected numbers"),
        ("schedule", "0 0 31 2,4 *", "schedule: expected a day that comes"),
        ("duration", "", "duration: expected a duration such as"),
        ("duration", "1d", "duration: expected a duration such as"),
        ("duration", "-1h", "duration: expected more than nothing"),
        ("time_zone", "Europe/Atlantis", "timeZone: expected a name such as Europe/Berlin, found 'Europe/Atlantis'"),
        ("time_zone", "../etc/passwd", "timeZone: expected a name"),
        ("time_zone", "Europe", "timeZone: expected a name"),
    ],
)
def test_what_is_wrong_with_a_window_is_named_and_it_lets_nothing_through(field: str, value: str, said: str) -> None:
    fields: dict[str, Any] = {
        "kind": "allow",
        "schedule": "* * * * *",
        "duration": "1h",
        "where": "project team: spec.syncWindows[3]",
        field: value,
    }
    wrong = Window(**fields)
    (problem,) = problems([wrong])
    assert problem.startswith(f"project team: spec.syncWindows[3].{said}")
    assert permitted([wrong, window("allow", "* * * * *")], manual=True, now=SATURDAY.timestamp()).reason == f"{BLOCKED}: {problem}"
    assert not is_active(wrong, SATURDAY.timestamp())
    assert opens(wrong, SATURDAY.timestamp()) is None


# Time zones. Berlin goes to summer time on 2026-03-29 at 02:00 (01:00 UTC) and back on 2026-10-25 at 03:00 (01:00 UTC).


@pytest.mark.parametrize(
    ("zone", "schedule", "after", "expected"),
    [
        pytest.param("Europe/Berlin", "0 12 * * *", "2026-03-28T10:59Z", ["2026-03-28T11:00Z", "2026-03-29T10:00Z"], id="summer-begins"),
        pytest.param("Europe/Berlin", "0 12 * * *", "2026-10-24T09:59Z", ["2026-10-24T10:00Z", "2026-10-25T11:00Z"], id="summer-ends"),
        pytest.param("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00Z", ["2026-03-29T01:30Z", "2026-03-30T00:30Z"], id="skipped"),
        pytest.param("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00Z", ["2026-10-25T00:30Z", "2026-10-25T01:30Z"], id="twice"),
        pytest.param("Asia/Kathmandu", "0 0 * * *", "2026-11-21T12:00Z", ["2026-11-21T18:15Z", "2026-11-22T18:15Z"], id="odd-offset"),
        pytest.param("Asia/Tokyo", "0 1 * * 1", "2026-11-21T12:00Z", ["2026-11-22T16:00Z", "2026-11-29T16:00Z"], id="weekday-is-local"),
    ],
)
def test_a_schedule_follows_the_clock_of_its_zone(zone: str, schedule: str, after: str, expected: list[str]) -> None:
    times = cron.following(cron.parse(schedule), ZoneInfo(zone), int(at(after)))
    assert [next(times), next(times)] == [at(text) for text in expected]


def test_a_window_lasts_as_long_as_it_says_when_the_clock_is_put_back() -> None:
    night = window("deny", "0 1 * * *", "3h", time_zone="Europe/Berlin")
    assert is_active(night, at("2026-10-25T01:59Z"))
    assert not is_active(night, at("2026-10-25T02:00Z"))
    # Twice 02:00 on the clock, and the second opens a window again.
    twice = window("deny", "0 2 * * *", "30m", time_zone="Europe/Berlin")
    assert [is_active(twice, at(f"2026-10-25T{clock}Z")) for clock in ("00:15", "00:45", "01:15", "01:45")] == [True, False, True, False]


_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo")


def _numbers(lowest: int, highest: int) -> st.SearchStrategy[str]:
    number = st.integers(lowest, highest)
    span = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.tuples(st.one_of(st.just("*"), span, number.map(str)), st.integers(1, highest)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    one = st.one_of(number.map(str), span, step)
    return st.one_of(st.just("*"), st.lists(one, min_size=1, max_size=3).map(",".join))


_SCHEDULES = st.builds(" ".join, st.tuples(_numbers(0, 59), _numbers(0, 23), _numbers(1, 28), _numbers(1, 12), _numbers(0, 6)))


@lru_cache
def _set(text: str, lowest: int, highest: int) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        low = lowest if span == "*" else int(first)
        high = highest if span == "*" else int(last) if dash else highest if slash else low
        found |= set(range(low, high + 1, int(step or 1)))
    return found


def _shows(schedule: str, clock: datetime) -> bool:
    """Whether a wall clock shows what the schedule asks for."""
    minute, hour, day, month, weekday = schedule.split()
    in_month, in_week = clock.day in _set(day, 1, 31), clock.isoweekday() % 7 in _set(weekday, 0, 6)
    stars = any(part in {"*", "*/1"} for field in (day, weekday) for part in field.split(","))
    matches = (in_month and in_week) if stars else (in_month or in_week)
    times = clock.minute in _set(minute, 0, 59) and clock.hour in _set(hour, 0, 23)
    return matches and times and clock.month in _set(month, 1, 12)


def _comes(schedule: str, zone: ZoneInfo, moment: datetime) -> bool:
    """The definition, for one minute: the zone's clock shows it, or would if it had not been put forward."""
    local = moment.astimezone(zone)
    if _shows(schedule, local):
        return True
    yesterday = (moment - timedelta(days=1)).astimezone(zone).utcoffset()
    assert yesterday is not None
    if yesterday == local.utcoffset():
        return False
    unmoved = (moment + yesterday).replace(tzinfo=None)
    exists = unmoved.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == unmoved
    return not exists and _shows(schedule, unmoved)


_MOMENTS = st.sampled_from(
    [
        datetime(2026, 3, 28, 20, tzinfo=UTC),
        datetime(2026, 10, 24, 20, tzinfo=UTC),
        datetime(2026, 3, 8, 2, tzinfo=UTC),
        datetime(2026, 11, 1, 0, tzinfo=UTC),
        datetime(2026, 4, 4, 10, tzinfo=UTC),
        datetime(2026, 10, 3, 10, tzinfo=UTC),
        datetime(2011, 12, 30, 4, tzinfo=UTC),  # Samoa had no such day
        datetime(2018, 11, 3, 22, tzinfo=UTC),  # in São Paulo midnight was skipped
        datetime(2026, 6, 15, 7, tzinfo=UTC),
    ]
)


@settings(deadline=None)
@given(schedule=_SCHEDULES, zone=st.sampled_from(_ZONES).map(ZoneInfo), start=_MOMENTS)
def test_a_schedule_comes_at_the_minutes_at_which_the_clock_shows_it(schedule: str, zone: ZoneInfo, start: datetime) -> None:
    minutes = [start + timedelta(minutes=number) for number in range(8 * 60)]
    expected = [minute.timestamp() for minute in minutes if _comes(schedule, zone, minute)]
    first, last = int(start.timestamp()) - 1, minutes[-1].timestamp()
    found = []
    for moment in cron.following(cron.parse(schedule), zone, first):
        if moment > last:
            break
        found.append(moment)
    assert found == expected
    before = cron.previous(cron.parse(schedule), zone, int(last))
    if expected:
        assert before == expected[-1]
    else:
        assert before is None or before < start.timestamp()


@settings(max_examples=50, deadline=None)
@given(
    kinds=st.lists(
        st.tuples(st.sampled_from(["allow", "deny"]), _SCHEDULES, st.integers(1, 600), st.booleans(), st.booleans()), min_size=1, max_size=3
    ),
    zone=st.sampled_from(_ZONES),
    start=_MOMENTS,
    manual=st.booleans(),
    running=st.booleans(),
)
def test_what_is_blocked_is_allowed_from_the_moment_that_is_told_and_not_before(
    kinds: list[tuple[str, str, int, bool, bool]], zone: str, start: datetime, manual: bool, running: bool
) -> None:
    """What ``changes_at`` says is what asking at every minute finds."""
    windows = [
        window(kind, schedule, f"{minutes}m", manual_sync=by_hand, sync_overrun=overrun, time_zone=zone)
        for kind, schedule, minutes, by_hand, overrun in kinds
    ]
    now = start.timestamp()
    since = now - 3600 if running else None
    permission = permitted(windows, manual=manual, now=now, running_since=since)
    assert bool(permission.reason) != permission.allowed
    if permission.allowed:
        assert permission.changes_at is None
        return
    later = (now + minute * 60 for minute in range(1, 3 * 60))
    first = next((moment for moment in later if permitted(windows, manual=manual, now=moment, running_since=since).allowed), None)
    told = permission.changes_at
    assert (told if told is not None and told < now + 3 * 3600 else None) == first


# The rules of allow and deny.

NIGHT, NOON = "2026-11-21T02:30Z", "2026-11-21T12:30Z"
ALLOW_NIGHT, DENY_NIGHT = window("allow", "0 2 * * *"), window("deny", "0 2 * * *")


def test_without_windows_everything_is_allowed() -> None:
    assert permitted((), manual=False, now=0).allowed


def test_an_allow_window_lets_through_while_it_is_open_and_nothing_else_does() -> None:
    assert allowed(ALLOW_NIGHT, when=NIGHT)
    assert not allowed(ALLOW_NIGHT, when=NOON)
    assert allowed(ALLOW_NIGHT, window("allow", "0 12 * * *"), when=NOON)


def test_a_deny_window_blocks_while_it_is_open_also_beside_an_allow_window() -> None:
    assert not allowed(DENY_NIGHT, when=NIGHT)
    assert allowed(DENY_NIGHT, when=NOON)
    assert not allowed(DENY_NIGHT, ALLOW_NIGHT, when=NIGHT)
    assert not allowed(DENY_NIGHT, ALLOW_NIGHT, when=NOON)


def test_syncs_by_hand_pass_when_all_windows_in_the_way_let_them() -> None:
    lenient = window("deny", "0 2 * * *", manual_sync=True)
    assert allowed(lenient, when=NIGHT, manual=True)
    assert not allowed(lenient, when=NIGHT)
    assert not allowed(lenient, DENY_NIGHT, when=NIGHT, manual=True)
    assert allowed(window("allow", "0 2 * * *", manual_sync=True), when=NOON, manual=True)
    assert not allowed(window("allow", "0 2 * * *", manual_sync=True), window("allow", "0 3 * * *"), when=NOON, manual=True)


def test_the_next_opening_is_told() -> None:
    permission = permitted([window("allow", "0 3 * * 0")], manual=False, now=SATURDAY.timestamp())
    assert permission.message == f"{BLOCKED}: outside allow:0 3 * * 0:1h; next opening 2026-11-22 03:00 UTC"
    freeze = [window("deny", "0 0 20 12 *", "336h"), window("allow", "0 9 * * *", "8h")]
    permission = permitted(freeze, manual=False, now=at("2026-12-24T10:00Z"))
    assert permission.message == f"{BLOCKED}: deny:0 0 20 12 *:336h; next opening 2027-01-03 09:00 UTC"


def test_a_window_that_never_closes_has_no_next_opening() -> None:
    for always in (window("deny", "* * * * *"), window("deny", "0 0 * * *", "24h")):
        permission = permitted([always], manual=False, now=SATURDAY.timestamp())
        assert (permission.allowed, permission.changes_at) == (False, None)
        assert permission.message.startswith(BLOCKED)


def test_openings_that_follow_each_other_are_one() -> None:
    office = window("deny", "0 0-15,17-23 * * *")  # all day but from 16:00 to 17:00
    assert permitted([office], manual=False, now=SATURDAY.timestamp()).changes_at == at("2026-11-21T16:00Z")
    assert permitted([office], manual=False, now=at("2026-11-21T16:00Z")).allowed
    assert opens(office, at("2026-11-21T16:30Z")) == at("2026-11-21T17:00Z")


# The transitions of docs/user-guide/sync_windows.md: the sync began at 01:30, and it is 02:30.
ALLOW, OVERRUN_ALLOW = window("allow", "0 1 * * *"), window("allow", "0 1 * * *", sync_overrun=True)
DENY, OVERRUN_DENY = window("deny", "0 2 * * *"), window("deny", "0 2 * * *", sync_overrun=True)
OTHER_ALLOW, OTHER_OVERRUN_ALLOW = window("allow", "30 0 * * *"), window("allow", "30 0 * * *", sync_overrun=True)


@pytest.mark.parametrize(
    ("windows", "goes_on"),
    [
        pytest.param([OVERRUN_DENY], True, id="nothing-to-deny-with-overrun"),
        pytest.param([DENY], False, id="nothing-to-deny"),
        pytest.param([OVERRUN_ALLOW, OVERRUN_DENY], True, id="allow-with-overrun-to-deny-with-overrun"),
        pytest.param([OVERRUN_ALLOW, DENY], False, id="allow-with-overrun-to-deny"),
        pytest.param([ALLOW, OVERRUN_DENY], True, id="allow-to-deny-with-overrun"),
        pytest.param([ALLOW, DENY], False, id="allow-to-deny"),
        pytest.param([OVERRUN_ALLOW], True, id="allow-with-overrun-ends"),
        pytest.param([ALLOW], False, id="allow-ends"),
        pytest.param([OVERRUN_ALLOW, OTHER_OVERRUN_ALLOW], True, id="several-allows-with-overrun-end"),
        pytest.param([OVERRUN_ALLOW, OTHER_ALLOW], False, id="one-of-several-allows-is-without-overrun"),
        pytest.param([OVERRUN_DENY, DENY], False, id="one-of-several-denies-is-without-overrun"),
    ],
)
def test_a_running_sync_may_overrun_where_all_windows_in_the_way_say_so(windows: list[Window], goes_on: bool) -> None:
    assert allowed(*windows, when="2026-11-21T02:30Z", since="2026-11-21T01:30Z") is goes_on
    assert not allowed(*windows, when="2026-11-21T02:30Z")


def test_a_sync_that_began_when_it_was_not_allowed_does_not_overrun() -> None:
    assert not allowed(OVERRUN_DENY, when="2026-11-21T02:30Z", since="2026-11-21T02:10Z")
    assert not allowed(OVERRUN_ALLOW, when="2026-11-21T02:30Z", since="2026-11-21T00:30Z")


# Which apps a window is about.


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ({}, False),
        ({"applications": ("web-*",)}, True),
        ({"applications": ("api", "*-prod")}, True),
        ({"applications": ("web",)}, False),
        ({"namespaces": ("shop",)}, True),
        ({"namespaces": ("sh?p",)}, True),
        ({"namespaces": ("other",)}, False),
        ({"clusters": ("in-cluster",)}, True),
        ({"clusters": ("https://*",)}, True),
        ({"clusters": ("staging",)}, False),
        ({"applications": ("nope",), "namespaces": ("shop",)}, True),
        ({"applications": ("nope",), "namespaces": ("shop",), "and_operator": True}, False),
        ({"applications": ("web-*",), "namespaces": ("shop",), "and_operator": True}, True),
        ({"applications": ("web-*",), "clusters": ("staging",), "and_operator": True}, False),
        ({"and_operator": True}, False),
        ({"applications": ("[",)}, False),
    ],
)
def test_a_window_is_about_the_apps_that_its_lists_match(fields: dict[str, Any], about: bool) -> None:
    found = matching(
        [window("deny", "* * * * *", **fields)],
        name="web-prod",
        cluster="in-cluster",
        server="https://kubernetes.default.svc",
        namespace="shop",
    )
    assert bool(found) is about


def test_a_cluster_that_is_not_named_matches_no_pattern() -> None:
    everywhere = window("deny", "* * * * *", clusters=("*",))
    assert matching([everywhere], name="web", cluster="", server="", namespace="") == ()
    assert matching([everywhere], name="web", cluster="", server="https://x", namespace="") == (everywhere,)
