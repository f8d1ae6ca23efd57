"""``homeostat app diff``: what a sync would change, object by object.

What differs is judged as the controller judges it. What is shown is the live object beside the API server's own prediction of it: the answer to
an apply dry-run. Ignored differences are cut from both, as are fields that only the server writes; values of Secrets are masked.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from homeostat.cli import output as out
from homeostat.cli.apps import inside
from homeostat.cli.apps.common import Command, Place, app_argument, file_roots_option, local_options, verb
from homeostat.cli.apps.local import texts
from homeostat.cli.apps.several import revision_of, revisions_options
from homeostat.compare import mask
from homeostat.compare.drift import Difference
from homeostat.live.errors import ApiError, NotFoundError
from homeostat.loop.look import Look
from homeostat.loop.memory import Memory, Wanted
from homeostat.model.app import App
from homeostat.model.errors import HomeostatError
from homeostat.model.objects import Key, Object, version_of
from homeostat.model.report import ResourceReport
from homeostat.model.sync import SyncStatus
from homeostat.wiring import Parts

SAME, DIFFERENT, TROUBLE = 0, 1, 2
"""Exit codes, as argocd's ``app diff`` has them."""

_SERVERS = ("uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "managedFields")


class _Diff(Command):
    """What goes wrong has an exit code of its own: 1 means that something differs."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (HomeostatError, BaseExceptionGroup) as error:
            if not out.report(error):
                raise
            return TROUBLE


class Change(msgspec.Struct):
    """One object that a sync would change. ``what`` is create, change or prune; ``text`` a unified diff with nothing secret in it."""

    key: Key
    what: str
    text: str
    fields: tuple[Difference, ...] = ()


@verb("diff", kind=_Diff)
@app_argument
@click.option("--revision", default="", help="Compare with this branch, tag or commit instead of what the app names.")
@click.option("--refresh", is_flag=True, help="Ask the source anew (which is always done).")
@click.option("--hard-refresh", is_flag=True, help="Render again, too (which is always done).")
@click.option("--exit-code/--no-exit-code", default=True, help="Exit with 1 when something differs. [default: exit-code]")
@revisions_options
@local_options
@file_roots_option
@click.option("-o", "--output", type=click.Choice(["diff", "table", "wide", "json", "yaml", "name"]), default="diff", show_default=True)
async def diff(
    place: Place,
    *,
    name: str,
    revision: str,
    refresh: bool,
    hard_refresh: bool,
    exit_code: bool,
    local: Path | None,
    local_root: Path | None,
    file_roots: tuple[Path, ...],
    output: str,
    **given: Any,
) -> int:
    """Show what a sync would change, from what is live to what the API server says it would become.

    Exits with 0 when nothing differs, with 1 when something does, with 2 when that could not be told. Values of Secrets are masked: equal values
    have equal masks. What differs but is ignored (ignoreDifferences) is not shown.
    """
    del refresh, hard_refresh  # Nothing is kept from earlier looks: each of them is both.
    if local is not None and (revision or given["revisions"]):
        raise click.UsageError("--local and --revision: expected one of them")
    async with inside.looking(place, name, file_roots) as (parts, app):
        brought = await texts(parts, app, local, local_root) if local is not None else ()
        asked = revision_of({"spec": app.spec}, {**given, "revision": revision})
        changes, problems = await compared(parts, app, revision=asked, texts=brought)
    print_changes(changes, output)
    for problem in problems:
        out.say("error", problem)
    if problems:
        return TROUBLE
    return DIFFERENT if changes and exit_code else SAME


async def compared(parts: Parts, app: App, *, revision: str = "", texts: Sequence[str] = ()) -> tuple[list[Change], list[str]]:
    """What a sync would change, and what keeps that from being known. ``texts`` are objects that take the place of the source's.

    Raises :class:`~homeostat.loop.desire.UndesiredError`, :class:`ApiError`.
    """
    memory = Memory(app_id=app.id)
    if texts:
        wanted = parts.desirer.handed_in(app, texts, memory)
    else:
        wanted = await parts.desirer.wanted(app, memory, revision=revision, asked_at=asyncio.get_running_loop().time(), hard=True)
    look = await parts.looker.look(app, wanted, memory)
    changes = [change for report in look.resources if (change := await _change(parts, app, wanted, look, report)) is not None]
    problems = [*wanted.unknown, *(condition.message for condition in look.conditions if condition.type.endswith("Error"))]
    problems += [f"{report.key}: {report.message}" for report in look.resources if report.message]
    return changes, list(dict.fromkeys(problems))


async def _change(parts: Parts, app: App, wanted: Wanted, look: Look, report: ResourceReport) -> Change | None:
    key = report.key
    if report.status is not SyncStatus.OUT_OF_SYNC or report.message:
        return None
    live = await parts.cluster.body(key, report.version)
    if report.requires_pruning:
        return Change(key, "prune", mask.diff_text(None, _quiet(live)))
    desired = wanted.objects[key].object
    if live is None:
        return Change(key, "create", mask.diff_text(_quiet(desired), None))
    predicted = await _predicted(parts, key, desired)
    rules = parts.looker.ignorer.rules_for(key, app.ignore)
    if rules is not None:
        predicted, live = await parts.looker.ignorer.shown(rules, predicted, live)
    text = mask.diff_text(_quiet(predicted), _quiet(live))
    # A change of who owns what has no other trace.
    return Change(key, "change", text, look.differences.get(key, ()))


async def _predicted(parts: Parts, key: Key, desired: Object) -> Object:
    resource = parts.cluster.discovery.find(key.group_kind, version_of(desired))
    if resource is None:
        raise NotFoundError(f"the cluster does not serve {desired.get('apiVersion')} {key.kind}", status=404, reason="NotFound")
    try:
        return await parts.client.apply(resource, desired, dry_run=True)
    except ApiError as error:
        error.message = f"{key}: {error.message}"
        raise


def _quiet(obj: Object | None) -> Object | None:
    """Without what only the server writes, and in one order: what stands elsewhere is no difference."""
    if obj is None:
        return None
    quiet: Object = _ordered({**obj, "metadata": {name: value for name, value in obj["metadata"].items() if name not in _SERVERS}})
    return quiet


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value


def print_changes(changes: Sequence[Change], form: str) -> None:
    """As `app diff` prints them."""
    if form in {"json", "yaml"}:
        from homeostat.cli.apps.printing import print_json_or_yaml  # noqa: PLC0415

        print_json_or_yaml([_plain(change) for change in changes], form)
    elif form == "name":
        from homeostat.cli.apps.printing import print_names  # noqa: PLC0415

        print_names(change.key for change in changes)
    elif form in {"table", "wide"}:
        rows = [(change.what, change.key.group_kind, change.key.namespace, change.key.name, _fields(change, form)) for change in changes]
        out.print_table(["change", "kind", "namespace", "name", "fields"], rows)
    else:
        painted = out.colourful(sys.stdout)
        for change in changes:
            namespace = f"{change.key.namespace}/" if change.key.namespace else ""
            click.echo(f"===== {change.key.group_kind} {namespace}{change.key.name} ({change.what}) =====")
            for line in change.text.splitlines():
                click.echo(_painted(line) if painted else line)
            if not change.text:
                click.echo(f"  only who owns its fields: {_fields(change, form)}")
            click.echo()


def _fields(change: Change, form: str) -> str:
    paths = [f"{one.path} ({one.kind})" if form == "wide" else one.path for one in change.fields]
    return ", ".join(paths)


def _plain(change: Change) -> dict[str, Any]:
    plain: dict[str, Any] = dict(zip(("group", "kind", "namespace", "name"), change.key, strict=True))
    fields = [msgspec.to_builtins(one) for one in change.fields]
    return {**plain, "change": change.what, "fields": fields, "diff": change.text}


def _painted(line: str) -> str:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    colour = colours.get(line[:1])
    if line.startswith(("+++", "---")):
        return click.style(line, bold=True)
    return click.style(line, fg=colour) if colour else line
