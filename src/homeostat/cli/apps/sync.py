"""``homeostat app sync``: asks for a sync and shows how it gets on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place, Seconds, apps_argument, timeout_option, verb
from homeostat.cli.apps.control import Applications, connected
from homeostat.cli.apps.errors import RefusedError
from homeostat.cli.apps.operations import ResourceFilter, operation, options_for, refuse_unknown, request
from homeostat.cli.apps.progress import judge, watch
from homeostat.model.objects import Object


@verb("sync")
@apps_argument
@click.option("--revision", default="", help="Sync to this branch, tag or commit instead of what the app names.")
@click.option(
    "--resource", "resources", multiple=True, type=ResourceFilter(), help="Only this object ('!' leaves it out); can be given again."
)
@click.option("--prune", is_flag=True, help="Delete objects that are no longer in Git.")
@click.option("--dry-run", is_flag=True, help="Ask the API server what would happen, and change nothing.")
@click.option("--apply-out-of-sync-only", is_flag=True, help="Leave objects alone that are as they should be.")
@click.option("--strategy", type=click.Choice(["apply", "hook"]), default="hook", show_default=True, help="`apply` leaves hooks out.")
@click.option("--force", is_flag=True, help="Delete and make anew what cannot be changed.")
@click.option("--replace", is_flag=True, help="Replace objects instead of applying them.")
@click.option("--info", "infos", multiple=True, metavar="NAME=VALUE", help="Something to remember with the operation.")
@click.option(
    "--retry-limit", type=int, default=0, show_default=True, help="How often a sync that failed is tried again; below 0 without end."
)
@click.option("--retry-backoff-duration", type=Seconds(), default=5.0, show_default=True, help="The wait before the first retry.")
@click.option(
    "--retry-backoff-factor", type=click.IntRange(1), default=2, show_default=True, help="By this the wait grows with each retry."
)
@click.option("--retry-backoff-max-duration", type=Seconds(), default=180.0, show_default=True, help="The longest wait between retries.")
@click.option("--async", "detached", is_flag=True, help="Ask for the sync and do not wait for its end.")
@timeout_option()
async def sync(
    place: Place,
    *,
    names: tuple[str, ...],
    selector: str,
    detached: bool,
    timeout: float,  # noqa: ASYNC109 - an option of the command line
    **given: Any,
) -> None:
    """Bring the cluster to what Git declares, and show what becomes of each object.

    Exits with 1 when a sync does not succeed, or leaves objects that would have to be pruned. Several apps are synced one after the other. The
    controller carries the sync out: it goes on when this program is interrupted.
    """
    async with connected(place) as applications:
        for app in await applications.chosen(names, selector):
            await _sync(applications, app, given, detached=detached, seconds=timeout)


async def _sync(applications: Applications, app: Object, given: dict[str, Any], *, detached: bool, seconds: float) -> None:
    name = words.name_of(app)
    _refuse_revision(app, given)
    refuse_unknown(app, given["resources"])
    before, _ = await request(applications, name, asked_for(app, given))
    if detached:
        click.echo(f"a sync of app `{name}` was asked for")
        return
    end, progress = await watch(applications, name, before, printer(), seconds=seconds)
    click.echo(judge(name, end, progress, partial=bool(given["resources"]), dry_run=given["dry_run"]))


def printer() -> Callable[[str], None]:
    """Prints lines of progress."""

    def tell(line: str) -> None:
        click.echo("".join(letter if letter.isprintable() else " " for letter in line))

    return tell


def asked_for(app: Object, given: dict[str, Any]) -> dict[str, Any]:
    """The operation that the options ask for."""
    extra = [
        *(["ApplyOutOfSyncOnly=true"] if given["apply_out_of_sync_only"] else []),
        *(["Replace=true"] if given["replace"] else []),
    ]
    retry = {}
    if given["retry_limit"]:
        retry = {
            "limit": given["retry_limit"],
            "backoff": {
                "duration": f"{given['retry_backoff_duration']:g}s",
                "factor": given["retry_backoff_factor"],
                "maxDuration": f"{given['retry_backoff_max_duration']:g}s",
            },
        }
    wanted = {
        "revision": given["revision"],
        "prune": given["prune"],
        "dryRun": given["dry_run"],
        "resources": list(given["resources"]),
        "syncOptions": options_for(app, extra),
        "syncStrategy": {given["strategy"]: {"force": True} if given["force"] else {}},
    }
    return operation(wanted, retry=retry, info=given["infos"])


def _refuse_revision(app: Object, given: dict[str, Any]) -> None:
    """An automated sync would take it back at once; argocd refuses it, too."""
    target = str(words.source_of(app).get("targetRevision") or "HEAD")
    if given["revision"] and given["revision"] != target and not given["dry_run"] and words.is_automated(app):
        name = words.name_of(app)
        raise RefusedError(
            f"app `{name}` is synced automatically to {target}: another revision would be taken back at once",
            hint=f"change it for good with `homeostat app set {name} --revision {given['revision']}`, "
            f"or first turn automated sync off with `homeostat app set {name} --sync-policy none`",
        )
