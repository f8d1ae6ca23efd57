"""``homeostat app windows``: the sync windows that are about an app, and whether it may be synced now."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import click

from homeostat.argo.projects import read_project
from homeostat.argo.read import read_app
from homeostat.argo.resources import PROJECTS
from homeostat.cli import output as out
from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place, app_argument, output_option, verb
from homeostat.cli.apps.control import Applications, connected
from homeostat.live.errors import NotFoundError
from homeostat.model import times
from homeostat.model.objects import Object
from homeostat.model.settings import Settings
from homeostat.model.windows import Window, flaw_of, is_active, opens, permitted


@verb("windows")
@app_argument
@output_option()
async def windows(place: Place, *, name: str, output: str) -> None:
    """Show the sync windows that are about an app, and whether it may be synced now."""
    async with connected(place) as applications:
        app = await applications.get(name)
        found = await windows_of(applications, app)
    now = time.time()
    if output in {"json", "yaml"}:
        from homeostat.cli.apps.printing import print_json_or_yaml  # noqa: PLC0415

        print_json_or_yaml(as_data(found, now), output)
        return
    if output == "name":
        for window in found:
            click.echo(str(window))
        return
    rows = []
    for window in found:
        opening = opens(window, now)
        state = "Invalid" if flaw_of(window) else "Active" if is_active(window, now) else "Inactive"
        row = [state, window.kind, window.schedule, window.duration, window.time_zone or "UTC"]
        row += [_switch(window.manual_sync), _switch(window.sync_overrun), times.minute(opening) if opening is not None else words.NOTHING]
        rows.append([*row, window.where, window.description] if output == "wide" else row)
    columns = ["status", "kind", "schedule", "duration", "time zone", "manual", "overrun", "opens next"]
    out.print_table([*columns, *(["window", "description"] if output == "wide" else [])], rows)
    click.echo(f"{summary(found, now) or 'Sync Allowed: no sync window is about the app'}", err=True)


async def windows_of(applications: Applications, app: Object) -> tuple[Window, ...]:
    """Those of the app's project that are about it; none when there is no such project. Raises :class:`ApiError`."""
    name = words.project_of(app)
    try:
        project = read_project(await applications.client.get(PROJECTS, applications.namespace, name))
    except NotFoundError:
        return ()
    return read_app(app, Settings(namespace=applications.namespace), {name: project}).windows


def summary(found: Sequence[Window], now: float) -> str:
    """Whether a sync may start, in argocd's words, and when it may; empty without windows."""
    if not found:
        return ""
    automated, manual = (permitted(found, manual=manual, now=now) for manual in (False, True))
    if automated.allowed:
        return "Sync Allowed"
    state = "Manual Allowed" if manual.allowed else "Sync Denied"
    return f"{state} (next opening {times.minute(automated.changes_at)})" if automated.changes_at is not None else state


def as_data(found: Sequence[Window], now: float) -> dict[str, Any]:
    """The same as JSON data: the shape of Argo CD's API, and beside it whether the controller may sync, when it may, and why not now."""
    automated, manual = (permitted(found, manual=manual, now=now) for manual in (False, True))
    data: dict[str, Any] = {
        "assignedWindows": [_window(window) for window in found],
        "activeWindows": [_window(window) for window in found if is_active(window, now)],
        "canSync": manual.allowed,
        "canSyncAutomatically": automated.allowed,
    }
    if automated.changes_at is not None:
        data["nextOpening"] = times.stamp(automated.changes_at)
    if not automated.allowed:
        data["reason"] = automated.reason
    return data


def _window(window: Window) -> dict[str, Any]:
    return {
        "kind": window.kind,
        "schedule": window.schedule,
        "duration": window.duration,
        "timeZone": window.time_zone or "UTC",
        "manualSync": window.manual_sync,
        "syncOverrun": window.sync_overrun,
        "description": window.description,
    }


def _switch(on: bool) -> str:
    return "Enabled" if on else "Disabled"
