"""``homeostat app manifests``: an app's objects, as they are rendered from Git or as they are in the cluster. Values of Secrets are masked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from homeostat.cli.apps import inside, words
from homeostat.cli.apps.common import Place, app_argument, file_roots_option, local_options, output_option, verb
from homeostat.cli.apps.control import connected
from homeostat.cli.apps.local import texts
from homeostat.cli.apps.printing import print_objects
from homeostat.cli.apps.resources import key_in
from homeostat.cli.apps.several import revision_of, revisions_options
from homeostat.compare import mask
from homeostat.live.client import Client
from homeostat.live.discovery import Discovery
from homeostat.live.errors import NotFoundError
from homeostat.loop.memory import Memory
from homeostat.model import tasks
from homeostat.model.objects import Object

_AT_ONCE = 16


@verb("manifests")
@app_argument
@click.option("--source", type=click.Choice(["git", "live"]), default="git", show_default=True, help="Where they are taken from.")
@click.option("--revision", default="", help="This branch, tag or commit instead of what the app names.")
@revisions_options
@local_options
@file_roots_option
@output_option(default="yaml")
async def manifests(
    place: Place,
    *,
    name: str,
    source: str,
    revision: str,
    local: Path | None,
    local_root: Path | None,
    file_roots: tuple[Path, ...],
    output: str,
    **given: Any,
) -> None:
    """Print an app's objects, as rendered from Git (this program renders them itself) or as they are in the cluster.

    Values of Secrets are masked: equal values have equal masks.
    """
    if source == "live":
        if revision or given["revisions"] or local:
            raise click.UsageError("--revision and --local say nothing about what is live")
        objects = await _live(place, name)
    else:
        async with inside.looking(place, name, file_roots) as (parts, app):
            memory = Memory(app_id=app.id)
            if local is not None:
                wanted = parts.desirer.handed_in(app, await texts(parts, app, local, local_root), memory)
            else:
                asked = revision_of({"spec": app.spec}, {**given, "revision": revision})
                wanted = await parts.desirer.wanted(app, memory, revision=asked, asked_at=asyncio.get_running_loop().time())
        objects = [desired.object for desired in (*wanted.objects.values(), *wanted.hooks)]
    shown = [obj for obj in mask.masked(*objects) if obj is not None]
    print_objects(shown, output)


async def _live(place: Place, name: str) -> list[Object]:
    async with connected(place) as applications:
        app = await applications.get(name)
        entries = words.resources_of(app)
        discovery = Discovery(applications.client)
        await discovery.refresh()
        gate = asyncio.Semaphore(_AT_ONCE)
        found = await tasks.together(*(_get(applications.client, discovery, entry, gate) for entry in entries))
    return [obj for obj in found if obj is not None]


async def _get(client: Client, discovery: Discovery, entry: dict[str, str], gate: asyncio.Semaphore) -> Object | None:
    key = key_in(entry)
    resource = discovery.find(key.group_kind, entry.get("version") or "")
    if resource is None:
        return None
    async with gate:
        try:
            obj = await client.get(resource, key.namespace, key.name)
        except NotFoundError:
            return None
    obj["metadata"].pop("managedFields", None)
    return obj
