"""``homeostat app sync``: asks for a sync and shows how it gets on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place, Seconds, apps_argument, file_roots_option, local_options, timeout_option, verb
from homeostat.cli.apps.control import Applications, connected
from homeostat.cli.apps.errors import RefusedError
from homeostat.cli.apps.operations import Prepared, ResourceFilter, operation, options_for, refuse_unknown, request
from homeostat.cli.apps.progress import judge, watch
from homeostat.cli.apps.several import revision_of, revisions_of, revisions_options
from homeostat.model.objects import Object


@verb("sync")
@apps_argument
@click.option("--revision", default="", help="Sync to this branch, tag or commit instead of what the app names.")
@revisions_options
@click.option(
    "--resource", "resources", multiple=True, type=ResourceFilter(), help="Only this object ('!' leaves it out); can be given again."
)
@click.option("--prune", is_flag=True, help="Delete objects that are no longer in Git.")
@click.option("--dry-run", is_flag=True, help="Ask the API server what would happen, and change nothing.")
@click.option("--apply-out-of-sync-only", is_flag=True, help="Leave objects alone that are as they should be.")
@click.option("--strategy", type=click.Choice(["apply", "hook"]), default="hook", show_default=True, help="`apply` leaves hooks out.")
@click.option("--force", is_flag=True, help="Delete and make anew what cannot be changed.")
@click.option("--replace", is_flag=True, help="Replace objects instead of applying them.")
@click.option("--server-side", is_flag=True, help="Apply on the server's side, even where the app says otherwise.")
@click.option(
    "--label", "labels", multiple=True, metavar="LABELS", help="Only objects with these labels, such as tier=web; can be given again."
)
@local_options
@click.option("--preview-changes", is_flag=True, help="Show what would change first, and ask.")
@click.option("-y", "--yes", "--assumeYes", "yes", is_flag=True, help="Do not ask.")
@click.option("--project", "projects", multiple=True, help="All apps of this project; can be given again.")
@click.option("--info", "infos", multiple=True, metavar="NAME=VALUE", help="Something to remember with the operation.")
@click.option(
    "--retry-limit", type=int, default=0, show_default=True, help="How often a sync that failed is tried again; below 0 without end."
)
@click.option("--retry-backoff-duration", type=Seconds(), default=5.0, show_default=True, help="The wait before the first retry.")
@click.option(
    "--retry-backoff-factor", type=click.IntRange(1), default=2, show_default=True, help="By this the wait grows with each retry."
)
@click.option("--retry-backoff-max-duration", type=Seconds(), default=180.0, show_default=True, help="The longest wait between retries.")
@click.option("--retry-refresh", is_flag=True, help="Each retry asks anew what the revision is.")
@click.option("--async", "detached", is_flag=True, help="Ask for the sync and do not wait for its end.")
@file_roots_option
@timeout_option()
async def sync(
    place: Place,
    *,
    names: tuple[str, ...],
    selector: str,
    projects: tuple[str, ...],
    file_roots: tuple[Path, ...],
    detached: bool,
    timeout: float,  # noqa: ASYNC109 - an option of the command line
    **given: Any,
) -> None:
    """Bring the cluster to what Git declares, and show what becomes of each object.

    Exits with 1 when a sync does not succeed, or leaves objects that would have to be pruned. Several apps are synced one after the other. The
    controller carries the sync out: it goes on when this program is interrupted.
    """
    if given["local"] and (given["revision"] or given["revisions"]):
        raise click.UsageError("--local and --revision: expected one of them")
    if given["labels"] and given["resources"]:
        raise click.UsageError("--label and --resource: expected one of them")
    async with connected(place) as applications:
        apps = await _chosen(applications, names, selector, projects)
        if given["local"] and len(apps) > 1:
            raise click.UsageError("--local: expected one app")
        for app in apps:
            name = applications.name_of(app)
            _refuse_local(app, name, given)
            _refuse_revision(app, name, given)
            ready = Prepared()
            if given["local"] or given["labels"] or given["preview_changes"]:
                from homeostat.cli.apps.prepare import prepared  # noqa: PLC0415 - what looks at sources takes long to import

                ready = await prepared(place, name, given, file_roots)
            await _sync(applications, app, given, ready, detached=detached, seconds=timeout)


async def _chosen(applications: Applications, names: tuple[str, ...], selector: str, projects: tuple[str, ...]) -> list[Object]:
    if names or not projects:
        return [app for app in await applications.chosen(names, selector) if not projects or words.project_of(app) in projects]
    found = [app for app in await applications.listed(selector) if words.project_of(app) in projects]
    if not found:
        raise RefusedError(f"no app in namespace {applications.namespace} is in the project {' or '.join(projects)}")
    return found


async def _sync(applications: Applications, app: Object, given: dict[str, Any], ready: Prepared, *, detached: bool, seconds: float) -> None:
    name = applications.name_of(app)
    if not ready.manifests:
        refuse_unknown(app, name, given["resources"])
    before, _ = await request(applications, name, asked_for(app, given, ready))
    if detached:
        click.echo(f"a sync of app `{name}` was asked for")
        return
    end, progress = await watch(applications, name, before, printer(), seconds=seconds)
    click.echo(judge(name, end, progress, partial=bool(given["resources"] or ready.resources), dry_run=given["dry_run"]))


def printer() -> Callable[[str], None]:
    """Prints lines of progress."""

    def tell(line: str) -> None:
        click.echo("".join(letter if letter.isprintable() else " " for letter in line))

    return tell


def asked_for(app: Object, given: dict[str, Any], ready: Prepared) -> dict[str, Any]:
    """The operation that the options ask for."""
    extra = [
        *(["ApplyOutOfSyncOnly=true"] if given["apply_out_of_sync_only"] else []),
        *(["Replace=true"] if given["replace"] else []),
        *(["ServerSideApply=true"] if given["server_side"] else []),
    ]
    retry: dict[str, Any] = {}
    if given["retry_limit"]:
        retry = {
            "limit": given["retry_limit"],
            "backoff": {
                "duration": f"{given['retry_backoff_duration']:g}s",
                "factor": given["retry_backoff_factor"],
                "maxDuration": f"{given['retry_backoff_max_duration']:g}s",
            },
            **({"refresh": True} if given["retry_refresh"] else {}),
        }
    wanted = {
        "revision": given["revision"],
        "revisions": list(revisions_of(app, given)),
        "prune": given["prune"],
        "dryRun": given["dry_run"],
        "resources": [*given["resources"], *ready.resources],
        "manifests": list(ready.manifests),
        "syncOptions": options_for(app, extra),
        "syncStrategy": {given["strategy"]: {"force": True} if given["force"] else {}},
    }
    return operation(wanted, retry=retry, info=given["infos"])


def _refuse_local(app: Object, name: str, given: dict[str, Any]) -> None:
    """An automated sync would take it back at once; argocd refuses it, too."""
    if given["local"] and not given["dry_run"] and words.is_automated(app):
        raise RefusedError(
            f"app `{name}` is synced automatically: what is synced from a local folder would be taken back at once",
            hint=f"`--dry-run` shows what would be done; `homeostat app set {name} --sync-policy none` turns automated sync off",
        )


def _refuse_revision(app: Object, name: str, given: dict[str, Any]) -> None:
    """An automated sync would take it back at once; argocd refuses it, too."""
    given = {**given, "revision": revision_of(app, given)}
    target = str(words.source_of(app).get("targetRevision") or "HEAD")
    if given["revision"] and given["revision"] != target and not given["dry_run"] and words.is_automated(app):
        raise RefusedError(
            f"app `{name}` is synced automatically to {target}: another revision would be taken back at once",
            hint=f"change it for good with `homeostat app set {name} --revision {given['revision']}`, "
            f"or first turn automated sync off with `homeostat app set {name} --sync-policy none`",
        )
