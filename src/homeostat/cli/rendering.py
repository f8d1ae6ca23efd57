"""What ``homeostat render`` does with an app: one in a file, whose sources are at hand or fetched, or one of a cluster. And where its output goes."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click
import orjson

from homeostat.cli import fetching
from homeostat.cli.apps import inside
from homeostat.cli.apps.common import Place
from homeostat.compare import mask
from homeostat.desired.local import LocalTree
from homeostat.desired.plugins.plugins import Plugins
from homeostat.desired.render.renderer import RenderContext, Renderer
from homeostat.desired.sources.working_copy import WorkingCopy
from homeostat.evaluate.pool import Pool
from homeostat.lint.apps import Fetch, Here, parts_of
from homeostat.lint.changes import apps_in
from homeostat.lint.schemas import Catalogue
from homeostat.loop.memory import Memory
from homeostat.model import yaml
from homeostat.model.app import App, Source
from homeostat.model.errors import InvalidError
from homeostat.model.manifest import Manifest
from homeostat.model.objects import key_of
from homeostat.model.tree import Tree

_UNSAFE = re.compile(r"[^a-z0-9._-]+")


def app_in(file: Path, name: str) -> App:
    """The Application in ``file``; with ``name`` that of this name. Raises :class:`InvalidError` for none, several, or one that means nothing."""
    apps = [app for app in apps_in(file.read_bytes(), str(file)) if not name or app.key.name == name]
    if len(apps) != 1:
        found = ", ".join(app.key.name for app in apps) or "none"
        raise InvalidError(
            f"{file}: expected one Application{f' {name!r}' if name else ''}, found {found}", hint="`--name` chooses one of several"
        )
    problems = [problem for problem in apps[0].problems if problem != apps[0].unfit]
    if problems and not apps[0].sources:
        raise InvalidError(f"{file}: Application {apps[0].key.name}: {'; '.join(problems)}")
    return apps[0]


async def of_file(
    program: Path,
    app: App,
    near: Path,
    *,
    revision: str,
    fetch: bool,
    file_roots: tuple[Path, ...],
    kube_version: str,
    api_versions: tuple[str, ...],
    plugins: Plugins,
) -> tuple[Manifest, ...]:
    """What ``app`` renders to. Sources in the working copy ``near`` are read as they lie there, or at ``revision``; the others are fetched.

    Raises :class:`~homeostat.model.errors.HomeostatError`: the first thing that is wrong.
    """
    place = WorkingCopy(near) if any((above / ".git").exists() for above in (near, *near.parents)) else None
    if place is None and revision:
        raise InvalidError(f"--revision {revision}: {near} is in no Git repository")
    local: Tree = LocalTree(near) if place is None else place.tree(place.commit(revision)) if revision else LocalTree(place.root)
    here = Here(place.remotes() if place is not None else ())
    catalogue = Catalogue()
    context = RenderContext(
        app_name="",
        revision=revision,
        kube_version=kube_version.removeprefix("v") or f"{catalogue.version}.0",
        api_versions=(*catalogue.api_versions, *api_versions),
    )
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(Pool(program=program, size=1))
        fetched = await stack.enter_async_context(fetching.fetching(pool, file_roots=file_roots)) if fetch else Fetch()

        async def tree_of(asked: App, source: Source) -> Tree | None:
            return await (
                fetched.completed(local, source, asked.project) if here.has(source, local) else fetched.tree(source, asked.project)
            )

        parts = await parts_of(app, Renderer(pool=pool, plugins=plugins), tree_of, context)
    manifests: list[Manifest] = []
    for part in parts:
        if part.error is not None:
            raise part.error
        if part.rendered is None:
            raise InvalidError(
                f"{part.source.repo_url} {part.source.chart or part.source.path} is not here",
                hint="leave `--no-fetch` out, or say `--repo`",
            )
        manifests += part.rendered.manifests
    return tuple(manifests)


async def of_cluster(place: Place, name: str, revision: str, file_roots: tuple[Path, ...]) -> tuple[Manifest, ...]:
    """What the app ``name`` of a cluster renders to there, marked as its own; values of Secrets are masked. Raises :class:`HomeostatError`."""
    async with inside.looking(place, name, file_roots) as (parts, app):
        wanted = await parts.desirer.wanted(app, Memory(app_id=app.id), revision=revision, asked_at=asyncio.get_running_loop().time())
    masks = mask.Masks()
    return tuple(Manifest(masks.secret(one.object), one.origin) for one in (*wanted.objects.values(), *wanted.hooks))


def printed(manifests: tuple[Manifest, ...], output: str) -> str:
    """All of them as one text: ``yaml``, ``json`` or ``name``."""
    if output == "name":
        return "".join(f"{_name(manifest)}\n" for manifest in manifests)
    if output == "json":
        listed: dict[str, Any] = {"apiVersion": "v1", "kind": "List", "items": [manifest.object for manifest in manifests]}
        return orjson.dumps(listed, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    return "".join(f"---\n# Source: {manifest.origin}\n{yaml.dump(manifest.object)}" for manifest in manifests)


def write(manifests: tuple[Manifest, ...], folder: Path, output: str) -> None:
    """A file for each object in ``folder``, named by its kind and name, below a folder for its namespace. What is there already is replaced.

    Says the name of each file. Raises :class:`InvalidError` when a file cannot be written.
    """
    taken: set[str] = set()
    form = "json" if output == "json" else "yaml"
    for manifest in manifests:
        key = key_of(manifest.object)
        plain = "-".join(filter(None, (_safe(key.kind), _safe(key.name)))) or "object"
        namespace = f"{_safe(key.namespace)}/" if key.namespace else ""
        name, number = f"{namespace}{plain}.{form}", 2
        while name in taken:
            name, number = f"{namespace}{plain}-{number}.{form}", number + 1
        taken.add(name)
        text = (
            yaml.dump(manifest.object)
            if form == "yaml"
            else orjson.dumps(manifest.object, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
        )
        try:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise InvalidError(f"{folder / name}: cannot be written: {error.strerror}") from error
        click.echo(folder / name)


def _safe(text: str) -> str:
    """As a part of a file's name: no folders, nothing hidden."""
    return _UNSAFE.sub("-", text.lower()).strip(".-")[:120]


def _name(manifest: Manifest) -> str:
    """As ``kubectl -o name`` writes it."""
    key = key_of(manifest.object)
    kind = f"{key.kind}.{key.group}" if key.group else key.kind
    return f"{kind.lower()}/{key.name}"
