"""What a sync needs to have looked at before it is asked for: a local folder's objects, the objects with certain labels, a preview of the changes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import orjson

from homeostat.cli import output as out
from homeostat.cli.apps import inside
from homeostat.cli.apps.common import Place
from homeostat.cli.apps.diff import compared, print_changes
from homeostat.cli.apps.errors import RefusedError
from homeostat.cli.apps.local import texts
from homeostat.cli.apps.operations import Prepared
from homeostat.cli.apps.several import revision_of
from homeostat.loop.memory import Memory
from homeostat.model.app import App
from homeostat.model.objects import Key, Object
from homeostat.wiring import Parts


async def prepared(place: Place, name: str, given: Mapping[str, Any], file_roots: Sequence[Path]) -> Prepared:
    """Looks at the app ``name`` as the options of a sync ask for. Raises :class:`RefusedError`, and ``click.Abort`` where the preview is not liked."""
    async with inside.looking(place, name, file_roots) as (parts, app):
        manifests = await texts(parts, app, given["local"], given["local_root"]) if given["local"] else ()
        if given["local"] and not manifests:
            raise RefusedError(f"{given['local']} renders to nothing", hint="`homeostat render` shows what a folder renders to")
        _warn_of_secrets(name, manifests)
        resources = await _labelled(parts, app, given, manifests) if given["labels"] else ()
        if given["preview_changes"]:
            changes, problems = await compared(parts, app, revision=revision_of({"spec": app.spec}, given), texts=manifests)
            print_changes(changes, "diff")
            for problem in problems:
                out.say("warning", problem)
            if not changes:
                click.echo(f"a sync of app `{name}` would change nothing", err=True)
    if given["preview_changes"] and not given["yes"]:
        if not sys.stdin.isatty():
            raise RefusedError(f"nobody can be asked whether to sync app `{name}`", hint="`--assumeYes` says that it is meant")
        await asyncio.to_thread(click.confirm, f"sync app `{name}`?", abort=True, err=True)
    return Prepared(manifests, resources)


def _warn_of_secrets(name: str, manifests: Sequence[str]) -> None:
    if any(orjson.loads(text).get("kind") == "Secret" for text in manifests):
        out.say("warning", f"there are Secrets among the local objects: their values will stand in the operation of app `{name}`")


async def _labelled(parts: Parts, app: App, given: Mapping[str, Any], manifests: Sequence[str]) -> tuple[dict[str, Any], ...]:
    memory = Memory(app_id=app.id)
    if manifests:
        wanted = parts.desirer.handed_in(app, manifests, memory)
    else:
        wanted = await parts.desirer.wanted(
            app, memory, revision=revision_of({"spec": app.spec}, given), asked_at=asyncio.get_running_loop().time()
        )
    chosen = tuple(_selection(key) for key, desired in wanted.objects.items() if _has(desired.object, given["labels"]))
    if not chosen:
        raise RefusedError(
            f"no object of app `{app.key.name}` has the labels {', '.join(given['labels'])}",
            hint=f"`homeostat app manifests {app.key.name}` shows them",
        )
    return chosen


def _selection(key: Key) -> dict[str, Any]:
    return {name: value for name, value in zip(("group", "kind", "namespace", "name"), key, strict=True) if value or name != "namespace"}


def _has(obj: Object, wanted: Sequence[str]) -> bool:
    """Whether an object has all the labels: ``name=value``, ``name!=value``, ``name``, ``!name``, also several with commas between."""
    labels = obj["metadata"].get("labels") or {}
    return all(_is_so(labels, part.strip()) for text in wanted for part in text.split(",") if part.strip())


def _is_so(labels: Mapping[str, Any], wanted: str) -> bool:
    name, equals, value = wanted.partition("=")
    if not equals:
        return name[1:] not in labels if name.startswith("!") else name in labels
    if name.endswith("!"):
        return labels.get(name[:-1].strip()) != value.strip()
    return labels.get(name.strip()) == value.lstrip("=").strip()
