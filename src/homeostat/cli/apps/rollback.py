"""``homeostat app rollback``: syncs to an entry of the history, with the source as it was then."""

from __future__ import annotations

from typing import Any

import click

from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place, app_argument, timeout_option, verb
from homeostat.cli.apps.control import connected
from homeostat.cli.apps.errors import RefusedError
from homeostat.cli.apps.operations import operation, options_for, request
from homeostat.cli.apps.progress import judge, watch
from homeostat.cli.apps.sync import printer
from homeostat.model.objects import Object


@verb("rollback")
@app_argument
@click.argument("id", type=int, required=False)
@click.option("--prune", is_flag=True, help="Delete objects that were not there then.")
@timeout_option()
async def rollback(
    place: Place,
    *,
    name: str,
    id: int | None,  # noqa: A002 - the argument's name in the help
    prune: bool,
    timeout: float,  # noqa: ASYNC109 - an option of the command line
) -> None:
    """Sync an app to what was deployed before: the entry ID of its history, or the one before the last.

    The app's spec stays as it is, so the app is OutOfSync afterwards. An app that is synced automatically would be brought back at once, which is
    why it is refused.
    """
    async with connected(place) as applications:
        app = await applications.get(name)
        name = applications.name_of(app)
        if words.is_automated(app):
            raise RefusedError(
                f"app `{name}` is synced automatically: a rollback would be taken back at once",
                hint=f"turn that off with `homeostat app set {name} --sync-policy none`, or take the commit back in Git",
            )
        entry = chosen(app, id)
        sync: dict[str, Any] = {
            "revision": entry.get("revision"),
            "revisions": entry.get("revisions"),
            "source": entry.get("source"),
            "sources": entry.get("sources"),
            "prune": prune,
            "syncOptions": options_for(app, ()),
            "syncStrategy": {"apply": {}},
        }
        before, _ = await request(applications, name, operation(sync))
        click.echo(f"rolling app `{name}` back to {entry['id']} ({words.revision_in(entry)})", err=True)
        end, progress = await watch(applications, name, before, printer(), seconds=timeout)
    click.echo(judge(name, end, progress, partial=False, dry_run=False))


def chosen(app: Object, wanted: int | None) -> dict[str, Any]:
    """The entry of the history. Raises :class:`RefusedError` that names those there are."""
    name = words.name_of(app)
    entries = words.items(app, "status", "history")
    if wanted is None:
        if len(entries) < 2:
            raise RefusedError(
                f"app `{name}` has nothing to go back to: its history has {len(entries)} entries",
                hint=f"see `homeostat app history {name}`",
            )
        return entries[-2]
    found = next((entry for entry in entries if entry.get("id") == wanted), None)
    if found is None:
        known = ", ".join(str(entry.get("id")) for entry in entries) or "none"
        raise RefusedError(f"the history of app `{name}` has no entry {wanted}", hint=f"its entries are: {known}")
    return found
