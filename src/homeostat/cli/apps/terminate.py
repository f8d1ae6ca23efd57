"""``homeostat app terminate-op``: calls a sync off and waits until it has ended."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import click

from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place, app_argument, limited, timeout_option, verb
from homeostat.cli.apps.control import connected
from homeostat.cli.apps.errors import RefusedError
from homeostat.cli.apps.refresh import NO_CONTROLLER
from homeostat.model.objects import Object


@verb("terminate-op")
@app_argument
@timeout_option(60.0)
async def terminate_op(place: Place, *, name: str, timeout: float) -> None:  # noqa: ASYNC109 - an option of the command line
    """Call a running sync off. What it has applied stays as it is."""
    async with connected(place) as applications:
        before, after = await applications.change(name, call_off)
        name = applications.name_of(before)
        if after is None:
            raise RefusedError(f"no operation is in progress on app `{name}`")
        async with (
            limited(timeout, lambda: f"the operation on app `{name}` goes on", hint=NO_CONTROLLER),
            aclosing(applications.follow(name, str(before["metadata"]["uid"]))) as states,
        ):
            async for app in states:
                if app is None or not words.is_busy(app):
                    break
                if words.phase_of(app) == "Running":
                    # The controller wrote its progress over our wish.
                    await applications.change(name, call_off)
    click.echo(f"the operation on app `{name}` has ended")


def call_off(app: Object) -> dict[str, Any] | None:
    """What takes the operation back: from one that runs, its phase; from one that has not begun, the request."""
    if words.phase_of(app) == "Running":
        return {"status": {"operationState": {"phase": "Terminating"}}}
    if app.get("operation") and words.phase_of(app) != "Terminating":
        return {"operation": None}
    return None
