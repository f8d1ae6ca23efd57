"""How a verb prints data in the forms of ``-o`` other than tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

from homeostat.cli import output as out
from homeostat.model.objects import Key, Object, key_of


def print_json_or_yaml(value: Any, form: str) -> None:
    """``value`` (JSON data) as it is. YAML is written so that Kubernetes reads the same from it."""
    if form == "json":
        out.print_data(value, form)
        return
    from homeostat.model import yaml  # noqa: PLC0415

    click.echo(yaml.dump(value), nl=False)


def print_objects(objects: Sequence[Object], form: str) -> None:
    """Objects of a cluster: a stream of YAML documents, one JSON list as kubectl prints it, a table, or names."""
    if form == "json":
        out.print_data({"apiVersion": "v1", "kind": "List", "items": list(objects)}, form)
    elif form == "yaml":
        from homeostat.model import yaml  # noqa: PLC0415

        click.echo("".join(f"---\n{yaml.dump(obj)}" for obj in objects), nl=False)
    elif form == "name":
        print_names(key_of(obj) for obj in objects)
    else:
        print_keys([(key_of(obj), str(obj.get("apiVersion"))) for obj in objects], wide=form == "wide")


def print_names(keys: Iterable[Key]) -> None:
    """As ``kubectl -o name`` writes them."""
    for key in keys:
        kind = f"{key.kind}.{key.group}" if key.group else key.kind
        click.echo(f"{kind.lower()}/{key.name}")


def print_keys(found: Sequence[tuple[Key, str]], *, wide: bool) -> None:
    """A table of keys; a wide one has their API versions, too."""
    columns = ["group", "kind", "namespace", "name", *(["api version"] if wide else [])]
    out.print_table(columns, [(*_cells(key), *([version] if wide else [])) for key, version in found])


def _cells(key: Key) -> tuple[str, str, str, str]:
    return key.group, key.kind, key.namespace, key.name
