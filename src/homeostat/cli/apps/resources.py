"""``homeostat app resources``: an app's objects, as its status names them, or the tree of what they brought about."""

from __future__ import annotations

import click

from homeostat.cli import output as out
from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place, app_argument, output_option, verb
from homeostat.model.objects import Key, Object


@verb("resources")
@app_argument
@click.option("--tree", is_flag=True, help="Show what the objects brought about, too: ReplicaSets, Pods, …")
@output_option()
async def resources(place: Place, *, name: str, tree: bool, output: str) -> None:
    """List an app's objects, or the tree below them."""
    from homeostat.cli.apps.control import connected  # noqa: PLC0415
    from homeostat.cli.apps.printing import print_json_or_yaml, print_names  # noqa: PLC0415

    async with connected(place) as applications:
        app = await applications.get(name)
        if output != "name":
            from homeostat.cli.apps.health import judged  # noqa: PLC0415

            app = await judged(applications, app)
        if tree:
            from homeostat.cli.apps import tree as trees  # noqa: PLC0415

            grown = await trees.grow(applications.client, app)
            trees.print_tree(grown, output)
            return
    if output in {"json", "yaml"}:
        print_json_or_yaml(words.resources_of(app), output)
    elif output == "name":
        print_names(map(key_in, words.resources_of(app)))
    else:
        print_resources(app, wide=output == "wide")
        if not words.resources_of(app):
            click.echo(f"nothing is known yet of the objects of app `{words.name_of(app)}`", err=True)


def key_in(entry: dict[str, str]) -> Key:
    """The key of an entry of ``status.resources``."""
    return Key(entry.get("group") or "", entry.get("kind") or "", entry.get("namespace") or "", entry.get("name") or "")


def print_resources(app: Object, *, wide: bool) -> None:
    """A table of an app's objects; what the last sync said of each is its message unless its health says something."""
    said = {key_in(result): str(result.get("message") or "") for result in words.results_of(app)}
    rows = []
    for one in words.resources_of(app):
        health = words.part(one, "health")
        kept = "hook" if one.get("hook") else "to be pruned" if one.get("requiresPruning") else ""
        note = kept or str(health.get("message") or said.get(key_in(one)) or "")
        row = [
            str(one.get("group") or ""),
            str(one.get("kind")),
            str(one.get("namespace") or ""),
            str(one.get("name")),
            str(one.get("status") or words.NOTHING),
            str(health.get("status") or words.NOTHING),
        ]
        if wide:
            row += [str(one.get("version") or ""), str(one.get("syncWave") or 0), "yes" if one.get("hook") else ""]
        rows.append([*row, note])
    columns = ["group", "kind", "namespace", "name", "sync", "health", *(["version", "wave", "hook"] if wide else []), "message"]
    out.print_table(columns, rows, colours=words.COLOURS)
