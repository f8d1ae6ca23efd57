"""``homeostat app delete``: deletes Applications; their finalizer says whether the objects go, too."""

from __future__ import annotations

import sys
from contextlib import aclosing, suppress
from typing import Any

import click

from homeostat.argo.read import FINALIZER
from homeostat.argo.resources import APPLICATIONS
from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place, apps_argument, limited, timeout_option, verb
from homeostat.cli.apps.control import Applications, connected
from homeostat.cli.apps.errors import RefusedError
from homeostat.cli.apps.refresh import NO_CONTROLLER
from homeostat.live.errors import NotFoundError
from homeostat.model.objects import Object


@verb("delete")
@apps_argument
@click.option("--cascade/--no-cascade", default=True, help="Delete the app's objects, too, or leave them. [default: cascade]")
@click.option(
    "-p",
    "--propagation-policy",
    type=click.Choice(["foreground", "background"]),
    default="foreground",
    show_default=True,
    help="Whether what the objects own goes before or after them.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--wait", is_flag=True, help="Return when the apps are gone.")
@timeout_option()
async def delete(
    place: Place,
    *,
    names: tuple[str, ...],
    selector: str,
    cascade: bool,
    propagation_policy: str,
    yes: bool,
    wait: bool,
    timeout: float,  # noqa: ASYNC109 - an option of the command line
) -> None:
    """Delete apps, by default with all their objects. Asks first; where nobody can be asked, `--yes` is needed."""
    finalizer = "" if not cascade else FINALIZER if propagation_policy == "foreground" else f"{FINALIZER}/background"
    async with connected(place) as applications:
        chosen = await applications.chosen(names, selector)
        for app in chosen:
            if not yes:
                _ask(app, cascade=cascade)
            await _delete(applications, app, finalizer)
        if wait:
            for app in chosen:
                await _gone(applications, app, seconds=timeout)


def _ask(app: Object, *, cascade: bool) -> None:
    name, number = words.name_of(app), len(words.resources_of(app))
    what = f"app `{name}` and its {number} objects" if cascade else f"app `{name}`, and leave its {number} objects"
    if not sys.stdin.isatty():
        raise RefusedError(f"nobody can be asked whether to delete {what}", hint="`--yes` says that it is meant")
    click.confirm(f"delete {what}?", abort=True, err=True)


async def _delete(applications: Applications, app: Object, finalizer: str) -> None:
    name = applications.name_of(app)

    def prepare(now: Object) -> dict[str, Any] | None:
        kept = [str(one) for one in now["metadata"].get("finalizers") or ()]
        wanted = [one for one in kept if one != FINALIZER and not one.startswith(f"{FINALIZER}/")]
        wanted += [finalizer] if finalizer else []
        if sorted(wanted) == sorted(kept) or now["metadata"].get("deletionTimestamp"):
            return None
        return {"metadata": {"finalizers": wanted}}

    before, after = await applications.change(name, prepare)
    uid = str((after or before)["metadata"]["uid"])
    with suppress(NotFoundError):
        await applications.client.delete(APPLICATIONS, before["metadata"]["namespace"], words.name_of(app), uid=uid)
    click.echo(f"application.argoproj.io/{name} deleted" + (", its objects are being deleted" if finalizer else ", its objects stay"))


async def _gone(applications: Applications, app: Object, *, seconds: float) -> None:
    name = applications.name_of(app)
    said = ""
    async with (
        limited(seconds, lambda: f"app `{name}` is still there" + (f": {said}" if said else ""), hint=NO_CONTROLLER),
        aclosing(applications.follow(name, str(app["metadata"]["uid"]))) as states,
    ):
        async for now in states:
            if now is None:
                click.echo(f"app `{name}` is gone", err=True)
                return
            said = "; ".join(str(one.get("message")) for one in words.items(now, "status", "conditions"))
