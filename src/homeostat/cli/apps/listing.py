"""``homeostat app list``."""

from __future__ import annotations

import click

from homeostat.cli import output as out
from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place, output_option, verb
from homeostat.model.objects import Object


@verb("list")
@click.option("-p", "--project", "projects", multiple=True, help="Only apps of this project; can be given again.")
@click.option("-r", "--repo", default="", metavar="URL", help="Only apps with this repository.")
@click.option("-c", "--cluster", default="", help="Only apps that are delivered to this cluster (its name or URL).")
@click.option("-l", "--selector", default="", metavar="LABELS", help="Only apps with these labels, such as team=shop or 'tier in (a,b)'.")
@output_option()
async def list_apps(place: Place, *, projects: tuple[str, ...], repo: str, cluster: str, selector: str, output: str) -> None:
    """List apps."""
    from homeostat.cli.apps.control import connected  # noqa: PLC0415

    async with connected(place) as applications:
        found = await applications.listed(selector)
    found = [
        app
        for app in found
        if (not projects or words.project_of(app) in projects) and (not repo or _has_repo(app, repo)) and _is_to(app, cluster)
    ]
    if output in {"json", "yaml"}:
        from homeostat.cli.apps.printing import print_json_or_yaml  # noqa: PLC0415

        print_json_or_yaml(found, output)
    elif output == "name":
        for app in found:
            click.echo(f"{place.namespace}/{words.name_of(app)}")
    else:
        print_apps(found, wide=output == "wide")
    if not found and output in {"table", "wide"}:
        click.echo(f"no apps found in namespace {place.namespace}", err=True)


def print_apps(apps: list[Object], *, wide: bool) -> None:
    """A table with a line for each app."""
    columns = ["name", "project", "sync", "health", "revision", "namespace", "policy", "age"]
    more = ["cluster", "repo", "path", "target", "conditions"]
    out.print_table([*columns, *(more if wide else [])], [_row(app, wide=wide) for app in apps], colours=words.COLOURS)


def _row(app: Object, *, wide: bool) -> list[str]:
    sync = words.part(app, "status", "sync")
    row = [
        words.name_of(app),
        words.project_of(app),
        words.sync_of(app),
        words.health_of(app),
        words.revision_in(sync),
        str(words.part(app, "spec", "destination").get("namespace") or words.NOTHING),
        words.policy_of(app),
        words.ago(app["metadata"].get("creationTimestamp")),
    ]
    if wide:
        source = words.source_of(app)
        row += [
            words.cluster_of(app),
            words.repository_of(app),
            str(source.get("path") or source.get("chart") or words.NOTHING),
            str(source.get("targetRevision") or "HEAD"),
            words.conditions_of(app),
        ]
    return row


def _has_repo(app: Object, repo: str) -> bool:
    """However the URL is spelt in the app."""
    from homeostat.desired.sources.urls import normalise  # noqa: PLC0415

    return any(normalise(url) == normalise(repo) for url in words.repositories_of(app))


def _is_to(app: Object, cluster: str) -> bool:
    destination = words.part(app, "spec", "destination")
    return not cluster or cluster.rstrip("/") in {str(destination.get("name") or ""), str(destination.get("server") or "").rstrip("/")}
