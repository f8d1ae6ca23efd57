"""``homeostat app patch``: a JSON patch or a merge patch of an Application, tried by the API server before it is made."""

from __future__ import annotations

from typing import Any, Literal

import click
import orjson

from homeostat.argo.resources import APPLICATIONS
from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place, app_argument, verb
from homeostat.cli.apps.control import connected
from homeostat.cli.apps.edit import refuse_unreadable
from homeostat.model.errors import InvalidError

_NOT_YOURS = ("status", "operation")


@verb("patch")
@app_argument
@click.option("--patch", "body", required=True, metavar="JSON", help="The patch.")
@click.option("--type", "kind", type=click.Choice(["json", "merge"]), default="json", show_default=True, help="Which kind of patch it is.")
@click.option("--validate/--no-validate", "checked", default=True, help="Refuse what could not be looked at. [default: validate]")
async def patch(place: Place, *, name: str, body: str, kind: Literal["json", "merge"], checked: bool) -> None:
    """Patch an app's spec, labels or annotations: `--patch '[{"op": "replace", "path": "/spec/source/path", "value": "web"}]'`."""
    wanted = _read(body, kind)
    async with connected(place) as applications:
        before = await applications.get(name)
        namespace, plain = before["metadata"]["namespace"], words.name_of(before)
        if checked:
            await refuse_unreadable(
                applications, await applications.client.patch(APPLICATIONS, namespace, plain, wanted, kind=kind, dry_run=True)
            )
        after = await applications.client.patch(APPLICATIONS, namespace, plain, wanted, kind=kind)
    changed = after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
    click.echo(f"application.argoproj.io/{plain} {'patched' if changed else 'unchanged'}")


def _read(text: str, kind: str) -> Any:
    """The patch. Raises :class:`InvalidError` for what is none of its kind, or reaches for what the controller writes."""
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidError(f"--patch: not valid JSON: {error}") from error
    if not isinstance(body, list if kind == "json" else dict):
        raise InvalidError(f"--patch: expected a {'list of operations' if kind == 'json' else 'mapping'}", hint="`--type` says which it is")
    if kind == "json":
        places = [str(one.get(field) or "") for one in body if isinstance(one, dict) for field in ("path", "from")]
        touched = {place.split("/")[1] for place in places if place.count("/")}
    else:
        touched = set(body)
    for field in _NOT_YOURS:
        if field in touched:
            raise InvalidError(
                f"--patch: {field} is not patched by hand", hint="`homeostat app sync` and `terminate-op` ask for what they do"
            )
    return body
