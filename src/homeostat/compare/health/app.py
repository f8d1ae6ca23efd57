"""The health of an app: the worst of its objects, by Argo CD's order and with its exceptions (reference 2.6).

Missing objects do not count (that they are missing is drift), unless there is no object at all. Hooks do not count, nor do objects with
``argocd.argoproj.io/ignore-healthcheck: "true"``, nor an app that is among its own objects; a child app that is Missing or Unknown neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from homeostat.model.health import Health, HealthStatus, is_worse
from homeostat.model.hooks import is_hook, is_skipped
from homeostat.model.objects import GroupKind, Key, Object, annotations_of

IGNORE_HEALTH_CHECK: Final = "argocd.argoproj.io/ignore-healthcheck"
_APPLICATION: Final = GroupKind("argoproj.io", "Application")
_NAMED: Final = 3
"""How many objects the message names."""


class Judged(NamedTuple):
    """One object of an app: what is desired, what is live (``None``: not there) and how it is (``None``: no rule judges its kind)."""

    key: Key
    desired: Object | None
    live: Object | None
    health: Health | None


def app_health(objects: Iterable[Judged], *, own: Key | None = None) -> Health:
    """The health of an app with these objects. ``own`` is the key of the app's own resource."""
    there = expected = False
    status = HealthStatus.HEALTHY
    causes: list[Judged] = []
    for judged in objects:
        if judged.desired is not None and is_skipped(judged.desired):
            continue
        if judged.live is None:
            expected = True
            continue
        if is_hook(judged.live):
            continue
        expected = there = True
        health = judged.health
        if health is None or judged.key == own or annotations_of(judged.live).get(IGNORE_HEALTH_CHECK) == "true":
            continue
        if judged.key.group_kind == _APPLICATION and health.status in {HealthStatus.MISSING, HealthStatus.UNKNOWN}:
            continue
        if is_worse(health.status, status):
            status, causes = health.status, [judged]
        elif health.status is status is not HealthStatus.HEALTHY:
            causes.append(judged)
    if expected and not there and is_worse(HealthStatus.MISSING, status):
        return Health(HealthStatus.MISSING)
    return Health(status, _message(causes))


def _message(causes: list[Judged]) -> str:
    if not causes:
        return ""
    named = "; ".join(
        f"{cause.key}" + (f": {cause.health.message}" if cause.health and cause.health.message else "") for cause in causes[:_NAMED]
    )
    more = f"; and {len(causes) - _NAMED} more" if len(causes) > _NAMED else ""
    return f"Caused by: {named}{more}"
