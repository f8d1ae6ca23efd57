"""``homeostat health FILE…``: the health of objects in files, by the rules of the controller. Needs no cluster."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homeostat.cli import output as out
from homeostat.model import yaml
from homeostat.model.errors import InvalidError
from homeostat.model.health import HealthStatus
from homeostat.model.objects import Object, key_of, version_of

if TYPE_CHECKING:
    from homeostat.compare.health.builtin import Verdict
    from homeostat.model.settings import HealthScript

_GOOD = {HealthStatus.HEALTHY, HealthStatus.SUSPENDED}


@click.command(name="health")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
)
@click.option(
    "--settings",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A manifest of the ConfigMap argocd-cm, whose health checks in Lua come before the built-in rules.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 when an object is neither Healthy nor Suspended.")
@out.format_option("table", "json", "yaml")
def health(*, files: tuple[Path, ...], settings: Path | None, exit_code: bool, output: str) -> int:
    """Judge the health of the objects in FILE..., as they are with their status (`kubectl get … -o yaml`). `-` is standard input.

    RULE says where a health comes from: a script of the settings, a built-in rule, or the conventions of kstatus for kinds that nobody here
    knows. An object in which nothing tells has no health, and counts for nothing. The exit code is 0 when all objects could be read, however they are; with `--exit-code` it is 1 when
    one of them is Progressing, Missing, Degraded or Unknown.
    """
    objects = [obj for path in files for obj in _objects(path)]
    judged = asyncio.run(_judge(objects, _scripts(settings)))
    if output == "table":
        rows = [_row(obj, found) for obj, found in zip(objects, judged, strict=True)]
        out.print_table(["kind", "namespace", "name", "health", "rule", "message"], rows)
    else:
        out.print_data([_data(obj, found) for obj, found in zip(objects, judged, strict=True)], output)
    return int(exit_code and any(found.health is not None and found.health.status not in _GOOD for found in judged))


async def _judge(objects: Sequence[Object], scripts: Sequence[HealthScript]) -> list[Verdict]:
    from homeostat.compare.health.scripts import Judge, find  # noqa: PLC0415

    if not any(find(scripts, key_of(obj).group_kind) for obj in objects):
        judge = Judge()
        return [await judge.verdict(obj) for obj in objects]
    from homeostat import toolchain  # noqa: PLC0415
    from homeostat.evaluate.pool import Pool  # noqa: PLC0415

    with out.progress() as tell:
        program = await asyncio.to_thread(toolchain.program, "evaluator", progress=tell)
    async with Pool(program=program, size=1) as pool:
        judge = Judge(pool, lambda: scripts)
        return [await judge.verdict(obj) for obj in objects]


def _objects(path: Path) -> list[Object]:
    """The objects in a file; the items of a List one by one. Raises :class:`InvalidError` with file and place."""
    name = "standard input" if str(path) == "-" else str(path)
    text = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    found: list[Object] = []
    for number, document in enumerate(yaml.load_all(text, name=name), start=1):
        if document is None:
            continue
        if not isinstance(document, dict) or not isinstance(document.get("kind"), str) or not isinstance(document.get("apiVersion"), str):
            raise InvalidError(f"{name}: document {number}: expected a Kubernetes object with apiVersion and kind")
        items = document.get("items")
        if not document["kind"].endswith("List") or not isinstance(items, list):
            found.append(document)
            continue
        for place, item in enumerate(items):
            if not isinstance(item, dict):
                raise InvalidError(f"{name}: document {number}: items[{place}]: expected a Kubernetes object")
            # What the API server lists by kind leaves these two out of the items.
            common = {"apiVersion": document["apiVersion"], "kind": document["kind"].removesuffix("List")}
            found.append(item if document["kind"] == "List" else common | item)
    return [_sound(obj, name) for obj in found]


def _sound(obj: Object, name: str) -> Object:
    metadata = obj.get("metadata")
    if not isinstance(obj.get("kind"), str) or not isinstance(obj.get("apiVersion"), str):
        raise InvalidError(f"{name}: an object in a list has no apiVersion and kind")
    if metadata is not None and not isinstance(metadata, dict):
        raise InvalidError(f"{name}: {obj['kind']}: metadata: expected a mapping")
    return obj


def _scripts(path: Path | None) -> Sequence[HealthScript]:
    if path is None:
        return ()
    from homeostat.argo.settings import CONFIG, read_settings  # noqa: PLC0415

    maps = [obj for obj in _objects(path) if obj["kind"] == "ConfigMap"]
    config = next((obj for obj in maps if key_of(obj).name == CONFIG), maps[0] if len(maps) == 1 else None)
    if config is None:
        raise InvalidError(
            f"{path}: there is no ConfigMap {CONFIG} in it", hint=f"write it with `kubectl -n argocd get cm {CONFIG} -o yaml`"
        )
    settings = read_settings({CONFIG: config}, namespace=key_of(config).namespace)
    for warning in settings.warnings:
        click.echo(f"warning: {path}: {warning}", err=True)
    return settings.health_scripts


def _row(obj: Object, found: Verdict) -> list[str]:
    key, health = key_of(obj), found.health
    said = " ".join(health.message.split()) if health else ""
    return [key.kind, key.namespace, key.name, str(health.status) if health else "-", found.rule or "-", said]


def _data(obj: Object, found: Verdict) -> dict[str, Any]:
    """As an Application's status lists a resource: ``health`` is left out where there is none. And the rule that judged."""
    key, health = key_of(obj), found.health
    data: dict[str, Any] = {"group": key.group, "version": version_of(obj), "kind": key.kind, "namespace": key.namespace, "name": key.name}
    shown = {name: value for name, value in data.items() if value or name == "name"}
    if health is not None:
        shown["health"] = {"status": str(health.status)} | ({"message": health.message} if health.message else {})
        shown["rule"] = found.rule
    return shown
