"""What a wave asks of a child Application before the next one starts (app of apps).

Argo CD dropped this; its documented Lua looks at the child's health alone, which is still that of the old revision when the wave asks. Here a child
is done when its status speaks of its spec as it stands, no operation is due or under way, it is synced, and it is healthy. This is no health: a
child that somebody keeps OutOfSync on purpose does not spoil its parent's.
"""

from __future__ import annotations

import re
from typing import Any, Final

from homeostat.compare.health import read
from homeostat.compare.health.read import Fields, MalformedError
from homeostat.compare.health.shapes import HEALTHY, PROGRESSING
from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import GroupKind, Object

APPLICATION: Final = GroupKind("argoproj.io", "Application")

_STATUSES: Final = {str(status): status for status in HealthStatus}


def gate(app: Object) -> Health:
    """How a wave sees the Application ``app``: Healthy only when nothing of it is left to wait for. Never raises."""
    try:
        waits = _waits(app)
        if waits:
            return Health(PROGRESSING, waits)
        health = read.mapping(app, "status", "health")
        status = _STATUSES.get(read.text(health, "status"), HealthStatus.UNKNOWN)
        if status is not HEALTHY:
            return Health(status, read.text(health, "message"))
        behind = _behind(app)
        return Health(PROGRESSING, behind) if behind else Health(HEALTHY)
    except MalformedError as error:
        return Health(HealthStatus.UNKNOWN, f"Application: {error}")
    except RecursionError:  # values of a chart may be nested as deeply as their author likes
        return Health(HealthStatus.UNKNOWN, "Application: its source is nested too deeply to be compared")


def describes(compared: Fields, spec: Fields) -> bool:
    """Whether ``status.sync.comparedTo`` is about this spec. Other writers leave out what is empty; a hydrated source is not in the spec."""
    names = ("destination",) if spec.get("sourceHydrator") else ("destination", "source", "sources")
    return all(_kernel(compared.get(name)) == _kernel(spec.get(name)) for name in names)


def _waits(app: Object) -> str:
    sync = read.mapping(app, "status", "sync")
    if not sync:
        return "it has not been compared yet"
    if app.get("operation") is not None:
        return "an operation is due"
    state = read.mapping(app, "status", "operationState")
    if read.text(state, "phase") in {"Running", "Terminating"}:
        return f"an operation is under way: {read.text(state, 'message')}".removesuffix(": ")
    if not describes(read.mapping(sync, "comparedTo"), read.mapping(app, "spec")):
        return "it has not been compared since its spec changed"
    return ""


def _behind(app: Object) -> str:
    """Why a healthy child is not at what its spec asks for; empty when it is.

    One that is OutOfSync counts as there when its last whole sync succeeded at what is asked for: what is left (an object that may not be pruned,
    a field that somebody changed) no waiting mends. Where a human syncs, a newer commit is the human's choice, and no reason to hold the parent.
    """
    sync, state = read.mapping(app, "status", "sync"), read.mapping(app, "status", "operationState")
    word = read.text(sync, "status")
    if word == "Synced":
        return ""
    if word != "OutOfSync" or read.text(state, "phase") != "Succeeded":
        said = read.text(state, "message")
        return f"it is {word or 'not compared yet'}" + (f"; its last sync: {said}" if said else "")
    result, asked = read.mapping(state, "syncResult"), read.mapping(state, "operation", "sync")
    spec = read.mapping(app, "spec")
    if asked.get("resources") or asked.get("dryRun") or any(_kernel(result.get(x)) != _kernel(spec.get(x)) for x in ("source", "sources")):
        return "it is OutOfSync: what its spec asks for has not been synced yet"
    automated = read.mapping(spec, "syncPolicy").get("automated")
    is_automated = isinstance(automated, dict) and automated.get("enabled") is not False
    if is_automated and any(_kernel(result.get(x)) != _kernel(sync.get(x)) for x in ("revision", "revisions")):
        return "it is OutOfSync: its newest revision has not been synced yet"
    return ""


def _kernel(value: Any) -> Any:
    """``value`` without what is empty, and texts without slashes at their end."""
    if isinstance(value, dict):
        return {name: kernel for name, below in value.items() if (kernel := _kernel(below)) not in (None, "", False, [], {})} or None
    if isinstance(value, list):
        return [_kernel(one) for one in value] or None
    return re.sub(r"/+$", "", value) or None if isinstance(value, str) else value
