"""``homeostat app refresh``: asks the controller to look at an app anew, and waits until it has."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import click

from homeostat.argo.read import REFRESH, SKIP_RECONCILE
from homeostat.cli import output as out
from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place, app_argument, limited, timeout_option, verb
from homeostat.cli.apps.control import Applications, connected
from homeostat.cli.apps.errors import RefusedError
from homeostat.model.objects import Object

NO_CONTROLLER = "is a controller running on this control namespace? `homeostat run` starts one"


@verb("refresh")
@app_argument
@click.option("--hard", is_flag=True, help="Have it rendered again, too, although its files may be the same.")
@timeout_option(60.0)
async def refresh(place: Place, *, name: str, hard: bool, timeout: float) -> None:  # noqa: ASYNC109 - an option of the command line
    """Have an app looked at anew: its source is asked, and it is compared. Returns when that is done."""
    async with connected(place) as applications:
        app = await refreshed(applications, name, hard=hard, seconds=timeout)
    out.print_fields([("Sync", words.sync_of(app)), ("Health", words.health_of(app))], colours=words.COLOURS)
    for condition in words.items(app, "status", "conditions"):
        out.say("warning", f"{condition.get('type')}: {condition.get('message')}")


async def refreshed(applications: Applications, name: str, *, hard: bool, seconds: float) -> Object:
    """The app after the controller has taken the request back. Raises :class:`TimedOutError`, :class:`RefusedError`."""
    how = "hard" if hard else "normal"

    def ask(app: Object) -> dict[str, Any]:
        refuse_skipped(app)
        return {"metadata": {"annotations": {REFRESH: how}}}

    before, _ = await applications.change(name, ask)
    async with (
        limited(seconds, lambda: f"app `{name}` was not looked at", hint=NO_CONTROLLER),
        aclosing(applications.follow(name, str(before["metadata"]["uid"]))) as states,
    ):
        async for app in states:
            if app is None:
                break
            if REFRESH not in words.part(app, "metadata", "annotations"):
                return app
    raise RefusedError(f"app `{name}` was deleted meanwhile")


def refuse_skipped(app: Object) -> None:
    """Raises :class:`RefusedError` for an app that the controller was told to leave alone: nobody would answer."""
    if words.part(app, "metadata", "annotations").get(SKIP_RECONCILE) == "true":
        raise RefusedError(
            f"app `{words.name_of(app)}` is to be left alone: it has the annotation {SKIP_RECONCILE}",
            hint=f"`kubectl -n {app['metadata']['namespace']} annotate application {words.name_of(app)} {SKIP_RECONCILE}-` takes it off",
        )
