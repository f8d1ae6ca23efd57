"""Sync windows: times in which the apps of a project may be synced, or may not. Pure.

The rules are Argo CD's (reference 1.8, 2.14, ``SyncWindows.Matches`` and ``CanSync``, docs/user-guide/sync_windows.md): an active deny window wins;
else an active allow window lets through; else a project that has allow windows for the app lets nothing through. A window that cannot be read
lets nothing through either. Where windows come from is ``argo/projects.py``'s business.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

import msgspec

from homeostat.model import cron, durations, glob, times

BLOCKED = "Sync operation blocked by sync window"
"""Argo CD's words for it."""

_KINDS = ("allow", "deny")
_STEPS = 300
"""So many moments at which the answer may change are looked at."""
_OPENINGS = 3_000
"""A window that opens so many times before it closes does not close."""


class Window(msgspec.Struct, frozen=True):
    """One of ``spec.syncWindows``, in its own words. ``where`` names it in messages: ``project team: spec.syncWindows[0]``."""

    kind: str
    schedule: str
    duration: str
    applications: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    manual_sync: bool = False
    time_zone: str = ""
    and_operator: bool = False
    sync_overrun: bool = False
    description: str = ""
    where: str = ""

    def __str__(self) -> str:
        """As ``argocd app get`` writes it."""
        return f"{self.kind}:{self.schedule}:{self.duration}"


class Permission(msgspec.Struct, frozen=True):
    """Whether a sync may start or go on now. ``reason`` says why not, and ``changes_at`` when it may (seconds since the epoch); ``None``: never,
    as far as can be told.
    """

    allowed: bool
    reason: str = ""
    changes_at: float | None = None

    @property
    def message(self) -> str:
        """``reason``, and when a sync may start again."""
        if self.allowed or self.changes_at is None:
            return self.reason
        return f"{self.reason}; next opening {times.minute(self.changes_at)}"


_ALLOWED = Permission(True)


def matching(windows: Iterable[Window], *, name: str, cluster: str, server: str, namespace: str) -> tuple[Window, ...]:
    """Those of ``windows`` that are about the app ``name`` with this destination. One that lists nothing is about no app."""
    return tuple(window for window in windows if _is_about(window, name=name, clusters=(cluster, server), namespace=namespace))


def permitted(windows: Sequence[Window], *, manual: bool, now: float, running_since: float | None = None) -> Permission:
    """Whether a sync may start at ``now``, or go on that runs since ``running_since`` (both in seconds since the epoch).

    ``windows`` are those that are about the app (:func:`matching`). ``manual``: a human asked for the sync.
    """
    if not windows:
        return _ALLOWED
    return _permitted(tuple(windows), manual, int(now), None if running_since is None else int(running_since))


def problems(windows: Iterable[Window]) -> tuple[str, ...]:
    """What is wrong with those that cannot be read, each naming the window, the field and what was expected."""
    return tuple(f"{window.where}.{flaw}" for window in windows if (flaw := flaw_of(window)))


@lru_cache(maxsize=1_000)
def flaw_of(window: Window) -> str:
    """``schedule: expected …, found …``; empty when nothing is wrong with it."""
    if window.kind not in _KINDS:
        return f"kind: expected allow or deny, found {window.kind!r}"
    field = "schedule"
    try:
        cron.parse(window.schedule)
        field = "duration"
        if durations.parse(window.duration) <= 0:
            return f"duration: expected more than nothing, found {window.duration!r}"
    except ValueError as error:
        return f"{field}: {error}"
    return "" if _zone(window.time_zone) is not None else f"timeZone: expected a name such as Europe/Berlin, found {window.time_zone!r}"


def is_active(window: Window, at: float) -> bool:
    """Whether the window is open. One that cannot be read is not."""
    return not flaw_of(window) and _closes(window, int(at)) is not None


def opens(window: Window, after: float) -> float | None:
    """When it opens next; ``None`` when it does not, or cannot be read."""
    return None if flaw_of(window) else _opens(window, int(after))


def _is_about(window: Window, *, name: str, clusters: tuple[str, ...], namespace: str) -> bool:
    lists = (
        (window.applications, (name,)),
        (window.clusters, tuple(cluster for cluster in clusters if cluster)),
        (window.namespaces, (namespace,)),
    )
    found = [any(glob.matches(pattern, text) for pattern in patterns for text in texts) for patterns, texts in lists if patterns]
    return bool(found) and (all(found) if window.and_operator else any(found))


@lru_cache(maxsize=500)
def _permitted(windows: tuple[Window, ...], manual: bool, now: int, since: int | None) -> Permission:
    """Cached, for all apps of a project ask the same, often within one second."""
    wrong = problems(windows)
    if wrong:
        return Permission(False, f"{BLOCKED}: {'; '.join(wrong)}")
    blocking = _blocking(windows, manual, now, since)
    if not blocking:
        return _ALLOWED
    at: int | None = now
    for _ in range(_STEPS):
        assert at is not None
        at = _next_look(windows, at)
        if at is None or not _blocking(windows, manual, at, since):
            break
    else:
        at = None
    outside = "" if any(window.kind == "deny" for window in blocking) else "outside "
    return Permission(False, f"{BLOCKED}: {outside}{', '.join(map(str, blocking))}", at)


def _blocking(windows: tuple[Window, ...], manual: bool, at: int, since: int | None) -> tuple[Window, ...]:
    """The windows that stand in the way; none when a sync may start or go on."""
    active = [window for window in windows if _closes(window, at) is not None]
    denies = tuple(window for window in active if window.kind == "deny")
    if denies:
        return _unless_lenient(denies, windows, manual, since)
    allows = tuple(window for window in windows if window.kind == "allow")
    if any(window.kind == "allow" for window in active):
        return ()
    return _unless_lenient(allows, windows, manual, since)


def _unless_lenient(standing: tuple[Window, ...], windows: tuple[Window, ...], manual: bool, since: int | None) -> tuple[Window, ...]:
    """Those of ``standing`` that make no exception: for syncs by hand, or for one that began when it was allowed to."""
    if manual and all(window.manual_sync for window in standing):
        return ()
    if since is None or _blocking(windows, manual, since, None):
        return tuple(window for window in standing if not (manual and window.manual_sync))
    return tuple(window for window in standing if not window.sync_overrun)


def _next_look(windows: tuple[Window, ...], at: int) -> int | None:
    """When what is blocked at ``at`` may be so no longer; never too late: when a deny window closes, or else when an allow window opens."""
    closing = [closes for window in windows if window.kind == "deny" and (closes := _closes(window, at)) is not None]
    opening = [] if closing else [_opens(window, at) for window in windows if window.kind == "allow"]
    return min((int(moment) for moment in (*closing, *opening) if moment is not None and moment != math.inf), default=None)


def _opens(window: Window, after: int) -> int | None:
    zone = _zone(window.time_zone)
    assert zone is not None
    return next(cron.following(cron.parse(window.schedule), zone, after), None)


def _closes(window: Window, at: int) -> float | None:
    """When the window that is open at ``at`` will be closed, ``inf`` when it will not; ``None`` when it is not open."""
    zone = _zone(window.time_zone)
    assert zone is not None
    opened = cron.previous(cron.parse(window.schedule), zone, at)
    if opened is None:
        return None
    end = _end(window, opened)
    return end if end > at else None


@lru_cache(maxsize=1_000)
def _end(window: Window, opened: int) -> float:
    """When what began at ``opened`` ends, with all that begins before it has ended."""
    zone = _zone(window.time_zone)
    assert zone is not None
    seconds = math.ceil(durations.parse(window.duration))
    end = opened + seconds
    for opening in islice(cron.following(cron.parse(window.schedule), zone, opened), _OPENINGS):
        if opening > end:
            return end
        end = opening + seconds
    return math.inf


@lru_cache(maxsize=700)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):  # not there; no name at all; a folder of zones
        return None
