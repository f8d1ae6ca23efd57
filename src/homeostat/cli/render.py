"""``homeostat render DIR``: what a folder of this machine renders to, as the controller would render it. Needs no cluster and no Git.

Namespaces are not defaulted and nothing is marked as an app's: that is done with a cluster's knowledge of its kinds.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import click
import orjson

from homeostat import toolchain
from homeostat.cli import output as output_
from homeostat.desired.errors import RenderError
from homeostat.desired.local import LocalTree
from homeostat.desired.render.detect import SourceType
from homeostat.desired.render.renderer import RenderContext, Rendered, Renderer
from homeostat.evaluate.pool import Pool
from homeostat.model import yaml
from homeostat.model.app import HelmOptions, HelmParameter, Source
from homeostat.model.errors import InvalidError
from homeostat.model.manifest import Manifest
from homeostat.model.objects import key_of

_TYPES = {kind.value.lower(): kind for kind in (SourceType.HELM, SourceType.KUSTOMIZE, SourceType.DIRECTORY)}


@click.command(name="render")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--type", "kind", type=click.Choice(sorted(_TYPES)), help="What to render with; detected by default.")
@click.option("--name", default="", help="The app's name, and the Helm release's. By default the folder's name.")
@click.option("-n", "--namespace", default="", help="The destination's namespace, which a chart sees as its release's.")
@click.option("-f", "--values", multiple=True, metavar="FILE", help="A Helm values file below the root; later ones win.")
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="A Helm value; wins over all values files.")
@click.option("--set-string", "strings", multiple=True, metavar="NAME=VALUE", help="A Helm value that is a string whatever it looks like.")
@click.option("--kube-version", default="", metavar="VERSION", help="The Kubernetes version that a chart is told, such as 1.36.3.")
@click.option(
    "--api-versions", multiple=True, metavar="API", help="An API that a chart is told is there, such as monitoring.coreos.com/v1."
)
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder that nothing outside is read of. By default the Git working copy that DIR is in, else DIR.",
)
@output_.format_option("yaml", "json", "name")
def render(
    *,
    folder: Path,
    kind: str | None,
    name: str,
    namespace: str,
    values: tuple[str, ...],
    sets: tuple[str, ...],
    strings: tuple[str, ...],
    kube_version: str,
    api_versions: tuple[str, ...],
    root: Path | None,
    output: str,
) -> None:
    """Print what the folder DIR renders to."""
    folder = folder.resolve()
    root = root.resolve() if root is not None else root_of(folder)
    if not folder.is_relative_to(root):
        raise InvalidError(f"{folder} is not below {root}", hint="give a `--root` that holds DIR")
    helm = None
    if values or sets or strings:
        parameters = [*(_parameter(text, "--set") for text in sets), *(_parameter(text, "--set-string") for text in strings)]
        helm = HelmOptions(value_files=tuple(_values_file(path, folder, root) for path in values), parameters=tuple(parameters))
    source = Source(repo_url=root.as_uri(), path=folder.relative_to(root).as_posix(), helm=helm)
    context = RenderContext(
        app_name=name or folder.name,
        namespace=namespace,
        kube_version=kube_version,
        api_versions=api_versions,
        source_type=_TYPES[kind] if kind else "",
    )
    with output_.progress() as tell:
        program = toolchain.program("evaluator", progress=tell)
    rendered = asyncio.run(_render(program, source, LocalTree(root), context))
    click.echo(_printed(rendered.manifests, output), nl=False)


async def _render(program: Path, source: Source, tree: LocalTree, context: RenderContext) -> Rendered:
    try:
        async with Pool(program=program, size=1) as pool:
            return await Renderer(pool=pool).render(source=source, tree=tree, context=context)
    except RenderError as error:
        if "leaves the repository" in error.message and not error.hint:
            error.hint = "give a `--root` that holds all that DIR refers to"
        raise


def root_of(folder: Path) -> Path:
    """The Git working copy around ``folder``: a base in ``../`` is found there."""
    return next((above for above in (folder, *folder.parents) if (above / ".git").exists()), folder)


def _parameter(text: str, option: str) -> HelmParameter:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InvalidError(f"{option} {text}: expected NAME=VALUE")
    return HelmParameter(name=name, value=value, force_string=option == "--set-string")


def _values_file(text: str, folder: Path, root: Path) -> str:
    """A file named from here, or from the chart as in an Application, as a path from the chart."""
    path = next((path.absolute() for path in (Path(text), folder / text) if path.is_file()), None)
    if path is None:
        raise InvalidError(f"--values {text}: there is no such file", hint="name it from the current folder or from DIR")
    path = Path(os.path.normpath(path))
    if not path.is_relative_to(root):
        raise InvalidError(f"--values {text}: the file is not below {root}", hint="give a `--root` that holds both the chart and the file")
    return os.path.relpath(path, folder)


def _printed(manifests: tuple[Manifest, ...], output: str) -> str:
    if output == "name":
        return "".join(f"{_name(manifest)}\n" for manifest in manifests)
    if output == "json":
        listed: dict[str, Any] = {"apiVersion": "v1", "kind": "List", "items": [manifest.object for manifest in manifests]}
        return orjson.dumps(listed, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    return "".join(f"---\n# Source: {manifest.origin}\n{yaml.dump(manifest.object)}" for manifest in manifests)


def _name(manifest: Manifest) -> str:
    """As ``kubectl -o name`` writes it."""
    key = key_of(manifest.object)
    kind = f"{key.kind}.{key.group}" if key.group else key.kind
    return f"{kind.lower()}/{key.name}"
