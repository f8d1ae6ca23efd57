"""What happened to an app between two states of its Application, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from homeostat.cli.apps import words
from homeostat.model import times
from homeostat.model.objects import Object

_SHOWN = 3
_UNREMARKABLE = frozenset({"Healthy", "Progressing"})


def news(before: Object, after: Object, *, since: float) -> Iterator[str]:
    """Lines, oldest first. ``before`` is an empty object when nothing was known of the app; what ended before ``since`` (epoch) is no news."""
    yield from _conditions(before, after)
    if words.sync_of(before) == "Synced" and words.sync_of(after) == "OutOfSync":
        yield f"OutOfSync: {_named(entry for entry in words.resources_of(after) if entry.get('status') == 'OutOfSync')}"
    operation = words.part(after, "status", "operationState")
    if not _is_over(operation, since):
        yield from _operation(words.part(before, "status", "operationState"), operation)
    unborn = _health(after) == "Missing" and words.is_busy(after)
    if _health(after) and _health(before) != _health(after) and not unborn:
        yield f"{_health(after)}{_because(after)}"


def _conditions(before: Object, after: Object) -> Iterator[str]:
    known, stand = _messages(before), _messages(after)
    for kind, message in stand.items():
        if known.get(kind) != message:
            yield f"{kind}: {message}"
    for kind in known.keys() - stand.keys():
        yield f"{kind} is over"


def _operation(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    phase = after.get("phase")
    if not after or (phase, after.get("startedAt"), _sync(after)) == (before.get("phase"), before.get("startedAt"), _sync(before)):
        return
    result = words.part(after, "syncResult")
    revision = words.short(result.get("revision") or _sync(after).get("revision"))
    if phase == "Running":
        yield f"a sync to {revision} has begun"
        return
    outcome = _outcome(words.items(result, "resources"))
    if phase != "Succeeded":
        yield f"the sync to {revision} ended as {phase}: {after.get('message')}"
    elif _sync(after).get("autoHealAttemptsCount"):
        yield f"healed: {outcome}"
    else:
        username = words.part(after, "operation", "initiatedBy").get("username")
        by = f" for {username}" if username else ""
        yield f"synced to {revision}{by}: {outcome}"


def _is_over(state: dict[str, Any], since: float) -> bool:
    try:
        return times.parse(str(state["finishedAt"])) + 1 < since  # it has whole seconds
    except (KeyError, ValueError):
        return False


def _outcome(results: list[dict[str, Any]]) -> str:
    """``Deployment guestbook configured, 2 unchanged``: what was changed is named."""
    verbs: dict[str, list[dict[str, Any]]] = {}
    for one in results:
        verbs.setdefault(str(one.get("message") or one.get("status") or "").rpartition(" ")[2], []).append(one)
    unchanged = verbs.pop("unchanged", [])
    told = [f"{_named(iter(ones))} {verb}" for verb, ones in verbs.items()]
    return ", ".join(told + ([f"{len(unchanged)} unchanged"] if unchanged else [])) or "nothing to do"


def _named(entries: Iterator[dict[str, Any]]) -> str:
    names = [f"{entry.get('kind')} {entry.get('name')}" for entry in entries]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more or "an object"


def _messages(app: Object) -> dict[str, str]:
    return {str(one.get("type")): str(one.get("message")) for one in words.items(app, "status", "conditions")}


def _sync(state: dict[str, Any]) -> dict[str, Any]:
    return words.part(state, "operation", "sync")


def _health(app: Object) -> str:
    return str(words.part(app, "status", "health").get("status") or "")


def _because(app: Object) -> str:
    """Of bad health; that something is under way needs no reason."""
    message = words.part(app, "status", "health").get("message")
    return f": {message}" if message and _health(app) not in _UNREMARKABLE else ""
