"""``homeostat app confirm-deletion``: says that what waits for somebody's word before it is deleted may go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import click

from homeostat.argo.conditions import DELETION_HELD_WARNING
from homeostat.argo.read import APPROVED
from homeostat.cli import output as out
from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place, app_argument, verb
from homeostat.cli.apps.control import connected
from homeostat.model import times
from homeostat.model.objects import Object


@verb("confirm-deletion")
@app_argument
async def confirm_deletion(place: Place, *, name: str) -> None:
    """Confirm what an app is about to delete: objects with `Prune=confirm` or `Delete=confirm`, and prunes that look like an accident.

    What waits for it is shown. What comes to wait later needs a confirmation of its own.
    """
    async with connected(place) as applications:
        before, _ = await applications.change(name, _confirm)
        name = applications.name_of(before)
    told = list(waiting(before))
    for line in told:
        click.echo(line)
    click.echo(f"app `{name}`: what waited for a confirmation may be deleted")
    if not told:
        out.say("warning", f"nothing of app `{name}` is known to wait for a confirmation: what begins to wait from now on still needs one")


def waiting(app: Object) -> Iterator[str]:
    """What is known to wait, in words: from the objects, the conditions, and the operation under way."""
    going = bool(app["metadata"].get("deletionTimestamp"))
    for one in words.resources_of(app):
        if one.get("requiresDeletionConfirmation") and (going or one.get("requiresPruning")):
            yield f"{words.object_of(one)}   to be {'deleted' if going else 'pruned'}"
    for one in words.items(app, "status", "conditions"):
        if one.get("type") == DELETION_HELD_WARNING:
            yield str(one.get("message") or "")
    message = str(words.part(app, "status", "operationState").get("message") or "")
    if words.is_busy(app) and "confirmation" in message:
        yield message


def _confirm(app: Object) -> dict[str, Any]:
    """The time of now, but none before what is confirmed: the clock of this machine may be slow."""
    state = words.part(app, "status", "operationState")
    held = [one.get("lastTransitionTime") for one in words.items(app, "status", "conditions") if one.get("type") == DELETION_HELD_WARNING]
    asked = [app["metadata"].get("deletionTimestamp"), state.get("startedAt"), *held]
    stamp = max(times.stamp(time.time()), *(str(moment) for moment in asked if moment), "")
    return {"metadata": {"annotations": {APPROVED: stamp}}}
