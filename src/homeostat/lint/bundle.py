"""Makes the schemas that ship with the package: ``python -m homeostat.lint.bundle [--kubeconfig FILE]`` asks an API server for its OpenAPI v3 documents.

What is kept of them is what a look at manifests needs: the schemas without their prose, and which kinds there are. The file is named by the server's
version, and lies in ``data/``.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import sys
from pathlib import Path
from typing import Any

import orjson

from homeostat.lint import translate
from homeostat.live import access
from homeostat.live.client import Client

FOLDER = Path(__file__).parent / "data"

_PROSE = frozenset({"description", "example", "externalDocs", "title"})
_UNUSED = frozenset(
    {"x-kubernetes-patch-strategy", "x-kubernetes-patch-merge-key", "x-kubernetes-unions", "x-kubernetes-map-type", "default"}
)


async def fetch(client: Client) -> dict[str, Any]:
    """The bundle of the server that ``client`` speaks to. Raises :class:`homeostat.live.errors.ApiError`."""
    version = orjson.loads(await client.raw("/version"))
    groups = orjson.loads(await client.raw("/openapi/v3"))["paths"]
    documents = [
        orjson.loads(await client.raw(f"/openapi/v3/{group}"))
        for group in sorted(groups)
        if group == "api/v1" or (group.startswith("apis/") and group.count("/") == 2)
    ]
    return {"version": f"{version['major']}.{version['minor'].rstrip('+')}", **cut(documents)}


def cut(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """``{"schemas": {name: schema}, "kinds": {"apps/v1/Deployment": {"schema": name, "namespaced": true}}}`` of OpenAPI v3 documents.

    Only kinds that can be created: those that a path with POST takes.
    """
    schemas: dict[str, Any] = {}
    kinds: dict[str, Any] = {}
    for document in documents:
        found = document.get("components", {}).get("schemas", {})
        schemas.update({name: bare(schema) for name, schema in found.items()})
        created = _created(document.get("paths", {}))
        for name, schema in found.items():
            for kind in schema.get("x-kubernetes-group-version-kind", ()):
                written = "/".join(filter(None, (kind["group"], kind["version"], kind["kind"])))
                if written in created:
                    kinds[written] = {"schema": name, "namespaced": created[written]}
    wanted = _reached({kind["schema"] for kind in kinds.values()} | {translate.METADATA}, schemas)
    return {"kinds": dict(sorted(kinds.items())), "schemas": {name: schemas[name] for name in sorted(wanted)}}


def bare(schema: Any, *, names: bool = False) -> Any:
    """A schema without its prose; ``names``: the keys are names of fields, and none of the schema's own."""
    if isinstance(schema, list):
        return [bare(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if names:
        return {name: bare(below) for name, below in schema.items()}
    kept = {name: below for name, below in schema.items() if name not in _PROSE and name not in _UNUSED}
    kept.pop("x-kubernetes-group-version-kind", None)
    return {name: bare(below, names=name == "properties") for name, below in kept.items()}


def _created(paths: dict[str, Any]) -> dict[str, bool]:
    created: dict[str, bool] = {}
    for path, methods in paths.items():
        post = methods.get("post")
        kind = post.get("x-kubernetes-group-version-kind") if isinstance(post, dict) else None
        if kind and "{name}" not in path:  # what is posted to one object (an eviction, a token) is no object of its own
            created["/".join(filter(None, (kind["group"], kind["version"], kind["kind"])))] = "{namespace}" in path
    return created


def _reached(names: set[str], schemas: dict[str, Any]) -> set[str]:
    reached: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in reached and name in schemas:
            reached.add(name)
            waiting += _references(schemas[name])
    return reached


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for item in schema for name in _references(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"].rpartition("/")[2]] if isinstance(schema.get("$ref"), str) else []
    return own + [name for below in schema.values() for name in _references(below)]


async def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m homeostat.lint.bundle", description=__doc__)
    parser.add_argument("--kubeconfig", help="whose API server is asked")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the bundle is written")
    arguments = parser.parse_args()
    async with Client(await access.load(arguments.kubeconfig)) as client:
        bundle = await fetch(client)
    path = arguments.folder / f"kubernetes-{bundle['version']}.json.gz"
    path.write_bytes(gzip.compress(orjson.dumps(bundle), 9, mtime=0))
    sys.stdout.write(f"{path}: {len(bundle['kinds'])} kinds, {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    asyncio.run(_main())
