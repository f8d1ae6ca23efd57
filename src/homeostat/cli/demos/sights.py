"""What the story waits to see, as predicates of an object (``None``: there is none). Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from homeostat.cli.apps import words
from homeostat.model.objects import Object

Sight = Callable[[Object | None], bool]


def settled(revision: str) -> Sight:
    """The app is Synced to ``revision`` and Healthy, and nothing is under way."""

    def seen(app: Object | None) -> bool:
        if app is None or words.is_busy(app):
            return False
        at = words.part(app, "status", "sync").get("revision")
        return (words.sync_of(app), words.health_of(app), at) == ("Synced", "Healthy", revision)

    return seen


def has(*path: str, value: object) -> Sight:
    """The field at ``path`` has this value."""

    def seen(obj: Object | None) -> bool:
        return words.part(obj, *path[:-1]).get(path[-1]) == value

    return seen


def is_there(obj: Object | None) -> bool:
    return obj is not None


def is_gone(obj: Object | None) -> bool:
    return obj is None


def is_another_than(before: Object | None) -> Sight:
    """An object is there, and is not the one that was: it was made anew."""
    uid = uid_of(before)
    return lambda obj: obj is not None and uid_of(obj) != uid


def was_self_healed(app: Object | None) -> bool:
    """The last sync was one that nobody asked for, because of drift."""
    return bool(words.part(app, "status", "operationState", "operation", "sync").get("autoHealAttemptsCount")) and _succeeded(app)


def was_synced_by_hand(app: Object | None) -> bool:
    """The last sync was asked for by somebody, and succeeded."""
    return bool(words.part(app, "status", "operationState", "operation", "initiatedBy").get("username")) and _succeeded(app)


def has_condition(kind: str) -> Sight:
    return lambda app: kind in conditions_of(app)


def has_no_condition(app: Object | None) -> bool:
    return app is not None and not conditions_of(app)


def conditions_of(app: Object | None) -> dict[str, str]:
    """Type → message."""
    return {str(one.get("type")): str(one.get("message")) for one in words.items(app, "status", "conditions")}


def history_of(app: Object | None) -> list[dict[str, Any]]:
    """Oldest first."""
    return words.items(app, "status", "history")


def uid_of(obj: Object | None) -> str:
    """Empty where there is no object."""
    return str(words.part(obj, "metadata").get("uid") or "")


def _succeeded(app: Object | None) -> bool:
    return words.part(app, "status", "operationState").get("phase") == "Succeeded"
