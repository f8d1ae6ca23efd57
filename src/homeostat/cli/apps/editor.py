"""``homeostat app edit``: an app's spec in a person's own editor. What cannot be read or looked at is given back with the reason above it."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from homeostat.argo.status import merge_patch
from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place, app_argument, verb
from homeostat.cli.apps.control import Applications, connected
from homeostat.cli.apps.edit import refuse_unreadable
from homeostat.cli.apps.errors import RefusedError
from homeostat.live.errors import ApiError
from homeostat.model import yaml
from homeostat.model.errors import InvalidError
from homeostat.model.objects import Object

_HEAD = "# The spec of app {}. Lines that begin with # are left out; an empty file changes nothing.\n"


@verb("edit")
@app_argument
async def edit(place: Place, *, name: str) -> None:
    """Edit an app's spec in an editor ($VISUAL, $EDITOR). What others change meanwhile is kept where you did not touch it."""
    async with connected(place) as applications:
        app = await applications.get(name)
        name = applications.name_of(app)
        shown = _HEAD.format(name) + yaml.dump(words.part(app, "spec"))
        text = shown
        while True:
            edited = await asyncio.to_thread(click.edit, text, extension=".yaml")
            if edited is None or edited == text or not _without_comments(edited):
                click.echo(f"application.argoproj.io/{words.name_of(app)} unchanged")
                return
            try:
                changed = await _save(applications, name, app, edited)
            except (InvalidError, ApiError) as error:
                if not sys.stdin.isatty():
                    raise
                text = "".join(f"# {line}\n" for line in str(error).splitlines()) + _without_comments(edited)
                continue
            click.echo(f"application.argoproj.io/{words.name_of(app)} {'configured' if changed else 'unchanged'}")
            return


async def _save(applications: Applications, name: str, app: Object, text: str) -> bool:
    spec = yaml.load(text, name="spec")
    if not isinstance(spec, dict):
        raise InvalidError("spec: expected a mapping")
    # Only what was changed here goes over: the spec may have moved since it was shown.
    patch = merge_patch(words.part(app, "spec"), spec)
    if patch is None:
        return False
    await refuse_unreadable(applications, {**app, "spec": spec})

    def decide(now: Object) -> dict[str, Any]:
        if now["metadata"]["uid"] != app["metadata"]["uid"]:
            raise RefusedError(f"app `{name}` was deleted and made anew meanwhile")
        return {"spec": patch}

    _, after = await applications.change(name, decide)
    return after is not None


def _without_comments(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#")).lstrip("\n")
