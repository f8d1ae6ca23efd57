"""``homeostat app confirm-deletion``: says that what waits for somebody's word before it is deleted may go."""

from __future__ import annotations

import time
from typing import Any

import click

from homeostat.argo.read import APPROVED
from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place, app_argument, verb
from homeostat.cli.apps.control import connected
from homeostat.model import times
from homeostat.model.objects import Object


@verb("confirm-deletion")
@app_argument
async def confirm_deletion(place: Place, *, name: str) -> None:
    """Confirm what an app is about to delete: objects with `Prune=confirm` or `Delete=confirm`, and prunes that look like an accident."""
    async with connected(place) as applications:
        before, _ = await applications.change(name, _confirm)
    click.echo(f"app `{words.name_of(before)}`: what waited for a confirmation may be deleted")


def _confirm(app: Object) -> dict[str, Any]:
    """The time of now, but none before what is confirmed: the clock of this machine may be slow."""
    state = words.part(app, "status", "operationState")
    asked = [app["metadata"].get("deletionTimestamp"), state.get("startedAt")]
    stamp = max(times.stamp(time.time()), *(str(moment) for moment in asked if moment), "")
    return {"metadata": {"annotations": {APPROVED: stamp}}}
