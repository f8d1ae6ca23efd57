"""``homeostat app get``: an app, what is wrong with it, and its objects."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from homeostat.cli import output as out
from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place, app_argument, output_option, timeout_option, verb
from homeostat.model.objects import Object

if TYPE_CHECKING:
    from homeostat.model.windows import Window


@verb("get")
@app_argument
@click.option("--refresh", is_flag=True, help="Have the app looked at anew first.")
@click.option("--hard-refresh", is_flag=True, help="The same, and have it rendered again.")
@click.option("--show-operation", is_flag=True, help="Show the last operation, too, object by object.")
@click.option("--show-params", is_flag=True, help="Show the options of the app's source, too.")
@timeout_option(60.0)
@output_option()
async def get(
    place: Place,
    *,
    name: str,
    refresh: bool,
    hard_refresh: bool,
    show_operation: bool,
    show_params: bool,
    timeout: float,  # noqa: ASYNC109 - an option of the command line
    output: str,
) -> None:
    """Show an app and its objects."""
    from homeostat.cli.apps.control import connected  # noqa: PLC0415

    async with connected(place) as applications:
        if refresh or hard_refresh:
            from homeostat.cli.apps.refresh import refreshed  # noqa: PLC0415

            app = await refreshed(applications, name, hard=hard_refresh, seconds=timeout)
        else:
            app = await applications.get(name)
        if output in {"table", "wide"}:
            from homeostat.cli.apps.health import judged  # noqa: PLC0415

            app = await judged(applications, app)
        windows: Sequence[Window] = ()
        if output != "name":
            from homeostat.cli.apps.windows import as_data, summary, windows_of  # noqa: PLC0415

            windows = await windows_of(applications, app)
    now = time.time()
    if output in {"json", "yaml"}:
        from homeostat.cli.apps.printing import print_json_or_yaml  # noqa: PLC0415

        print_json_or_yaml({**app, "syncWindows": as_data(windows, now)} if windows else app, output)
        return
    if output == "name":
        click.echo(f"{place.namespace}/{words.name_of(app)}")
        return
    _print(app, wide=output == "wide", windows=[("Sync window", summary(windows, now)), ("Windows", ", ".join(map(str, windows)))])
    if show_params:
        _print_parameters(app)
    if show_operation:
        _print_operation(app)
    if words.resources_of(app):
        from homeostat.cli.apps.resources import print_resources  # noqa: PLC0415

        click.echo()
        print_resources(app, wide=output == "wide")


def _print(app: Object, *, wide: bool, windows: Sequence[tuple[str, str]]) -> None:
    status = words.part(app, "status")
    sync, health = words.part(status, "sync"), words.part(status, "health")
    revision = words.revision_in(sync, wide=wide) if sync.get("revision") or sync.get("revisions") else ""
    state = words.part(status, "operationState")
    lines: list[tuple[str, Any]] = [
        ("Name", f"{app['metadata']['namespace']}/{words.name_of(app)}" if wide else words.name_of(app)),
        ("Project", words.project_of(app)),
        ("Cluster", words.cluster_of(app)),
        ("Namespace", words.part(app, "spec", "destination").get("namespace")),
        *_source_lines(app),
        ("Policy", words.policy_of(app)),
        ("Options", ", ".join(map(str, words.part(app, "spec", "syncPolicy").get("syncOptions") or ()))),
        *windows,
        ("Sync", f"{words.sync_of(app)} (at {revision})" if revision else words.sync_of(app)),
        ("Health", f"{words.health_of(app)} ({health['message']})" if health.get("message") else words.health_of(app)),
        ("Last sync", _operation_line(state)),
        ("Looked at", f"{words.ago(status['reconciledAt'])} ago" if status.get("reconciledAt") else ""),
        ("Deleting", "since " + words.ago(app["metadata"]["deletionTimestamp"]) if app["metadata"].get("deletionTimestamp") else ""),
    ]
    summary = words.part(status, "summary")
    lines += [("URL", url) for url in summary.get("externalURLs") or ()]
    if wide:
        lines += [("Image", image) for image in summary.get("images") or ()]
    out.print_fields([(label, value) for label, value in lines if value], colours=words.COLOURS)
    conditions = words.items(status, "conditions")
    for condition in conditions:
        kind = str(condition.get("type"))
        out.print_fields([(kind, str(condition.get("message") or ""))], colours={})


def _source_lines(app: Object) -> list[tuple[str, Any]]:
    """What is known of the source; of several, a line of each with its position."""
    status, sources = words.part(app, "status"), words.items(app, "spec", "sources")
    if not sources:
        source = words.source_of(app)
        return [
            ("Repo", words.repository_of(app)),
            ("Path", source.get("path") or source.get("chart")),
            ("Target", source.get("targetRevision") or "HEAD"),
            ("Type", status.get("sourceType")),
        ]
    types = [*(status.get("sourceTypes") or ()), *("" for _ in sources)]
    lines: list[tuple[str, Any]] = []
    for number, (source, kind) in enumerate(zip(sources, types, strict=False), 1):
        about = [str(source.get("targetRevision") or "HEAD"), kind, f"${source['ref']}" if source.get("ref") else "", source.get("name")]
        where = f"{words.repository_in(source)} {source.get('path') or source.get('chart') or ''}".rstrip()
        lines.append((f"Source {number}", f"{where} ({', '.join(str(one) for one in about if one)})"))
    return lines


def _operation_line(state: dict[str, Any]) -> str:
    if not state:
        return ""
    message = f": {state['message']}" if state.get("message") else ""
    when = state.get("finishedAt") or state.get("startedAt")
    return f"{state.get('phase')} {words.ago(when)} ago{message}"


def _print_parameters(app: Object) -> None:
    sources = words.items(app, "spec", "sources")
    shown = [_options_of(source) for source in sources or [words.source_of(app)]]
    options: Any = shown if sources and any(shown) else shown[0]
    click.echo()
    if not options:
        click.echo("the source has no options")
        return
    from homeostat.model import yaml  # noqa: PLC0415

    click.echo(yaml.dump(options), nl=False)


def _options_of(source: dict[str, Any]) -> dict[str, Any]:
    return {kind: source[kind] for kind in ("helm", "kustomize", "directory", "plugin") if source.get(kind)}


def _print_operation(app: Object) -> None:
    state = words.part(app, "status", "operationState")
    click.echo()
    if not state:
        click.echo("no operation was carried out yet")
        return
    sync = words.part(state, "operation", "sync")
    by = words.part(state, "operation", "initiatedBy")
    fields = [
        ("Operation", "Sync (dry run)" if sync.get("dryRun") else "Sync"),
        ("By", "the controller" if by.get("automated") else by.get("username") or "somebody"),
        ("Revision", words.revision_in(words.part(state, "syncResult") or sync, wide=True)),
        ("Phase", state.get("phase")),
        ("Started", state.get("startedAt")),
        ("Finished", state.get("finishedAt")),
        ("Retries", state.get("retryCount")),
        ("Message", state.get("message")),
    ]
    out.print_fields([(label, str(value)) for label, value in fields if value], colours=words.COLOURS)
    rows = [
        (words.object_of(one), one.get("syncPhase", ""), one.get("status", ""), one.get("hookPhase", ""), one.get("message", ""))
        for one in words.results_of(app)
    ]
    if rows:
        click.echo()
        out.print_table(["object", "phase", "result", "state", "message"], rows, colours=words.COLOURS)
