"""``homeostat render``: what an app would be, as the controller would render it: a folder of this machine, an Application in a file, an app of a cluster.

For the first two no cluster is needed; namespaces are not defaulted and nothing is marked as an app's, for that is done with a cluster's knowledge of its
kinds.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from homeostat import toolchain
from homeostat.cli import output as output_
from homeostat.cli import plugins as plugins_
from homeostat.cli.apps.common import Place, file_roots_option
from homeostat.desired.errors import RenderError
from homeostat.desired.local import LocalTree
from homeostat.desired.plugins.plugins import Plugins
from homeostat.desired.render.detect import SourceType
from homeostat.desired.render.renderer import RenderContext, Rendered, Renderer
from homeostat.evaluate.pool import Pool
from homeostat.model.app import HelmOptions, HelmParameter, Source
from homeostat.model.errors import InvalidError
from homeostat.model.manifest import Manifest

_TYPES = {kind.value.lower(): kind for kind in (SourceType.HELM, SourceType.KUSTOMIZE, SourceType.DIRECTORY)}
_OF_FOLDERS = ("kind", "values", "sets", "strings", "root")
_OF_FILES = ("repo", "fetch")
_OF_CLUSTERS = ("kubeconfig", "context", "control")


@click.command(name="render")
@click.argument("target", metavar="DIR|FILE|APP")
@click.option("--type", "kind", type=click.Choice(sorted(_TYPES)), help="DIR: what to render with; detected by default.")
@click.option(
    "--name", default="", help="DIR: the app's name, and the Helm release's; by default the folder's name. FILE: which of its Applications."
)
@click.option("-n", "--namespace", default="", help="DIR: the destination's namespace, which a chart sees as its release's.")
@click.option("-f", "--values", multiple=True, metavar="FILE", help="DIR: a Helm values file below the root; later ones win.")
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="DIR: a Helm value; wins over all values files.")
@click.option(
    "--set-string", "strings", multiple=True, metavar="NAME=VALUE", help="DIR: a Helm value that is a string whatever it looks like."
)
@click.option("--kube-version", default="", metavar="VERSION", help="The Kubernetes version that a chart is told, such as 1.36.3.")
@click.option(
    "--api-versions", multiple=True, metavar="API", help="An API that a chart is told is there, such as monitoring.coreos.com/v1."
)
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="DIR: the folder that nothing outside is read of. By default the Git working copy that DIR is in, else DIR.",
)
@click.option(
    "--repo",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="FILE: a clone of the repository that its source names. By default the working copy that FILE is in, if it is one.",
)
@click.option(
    "--revision", default="", metavar="REVISION", help="FILE, APP: at this branch, tag or commit. By default FILE: as the files lie here."
)
@click.option("--fetch/--no-fetch", default=True, help="FILE: fetch sources that lie elsewhere. [default: fetch]")
@click.option("--kubeconfig", metavar="FILE", help="APP: the cluster. [default: $KUBECONFIG, ~/.kube/config]")
@click.option("--context", metavar="NAME", help="APP: the context of the kubeconfig to use.")
@click.option("--control-namespace", "control", default="argocd", show_default=True, help="APP: where the Applications are.")
@file_roots_option
@plugins_.plugin_options
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write a file for each object, instead of printing.",
)
@output_.format_option("yaml", "json", "name")
@click.pass_context
def render(
    ctx: click.Context,
    *,
    target: str,
    kind: str | None,
    name: str,
    namespace: str,
    values: tuple[str, ...],
    sets: tuple[str, ...],
    strings: tuple[str, ...],
    kube_version: str,
    api_versions: tuple[str, ...],
    root: Path | None,
    repo: Path | None,
    revision: str,
    fetch: bool,
    kubeconfig: str | None,
    context: str | None,
    control: str,
    file_roots: tuple[Path, ...],
    plugins: Path | None,
    plugin_sockets: Path | None,
    output_dir: Path | None,
    output: str,
) -> None:
    """Print what a folder, the Application in a file, or the app of a cluster renders to.

    A folder and a file need no cluster. Of an app in a cluster the values of Secrets are masked, as in all that is shown of clusters.
    """
    from homeostat.cli import rendering  # noqa: PLC0415 - much is imported for it

    path = Path(target)
    with_plugins = plugins_.given(plugins, plugin_sockets)
    if path.is_dir():
        _refuse(ctx, "a folder", (*_OF_FILES, *_OF_CLUSTERS, "revision", "file_roots"))
        manifests = _folder(
            path.resolve(),
            kind,
            name,
            namespace,
            values,
            sets,
            strings,
            kube_version=kube_version,
            api_versions=api_versions,
            root=root,
            plugins=with_plugins,
        )
    elif path.is_file():
        _refuse(ctx, "a file", (*_OF_FOLDERS, *_OF_CLUSTERS, "namespace"))
        app = rendering.app_in(path, name)
        near = (repo or path.parent).resolve()
        program = _program()
        manifests = asyncio.run(
            rendering.of_file(
                program,
                app,
                near,
                revision=revision,
                fetch=fetch,
                file_roots=file_roots,
                kube_version=kube_version,
                api_versions=api_versions,
                plugins=with_plugins,
            )
        )
    elif os.sep in target and (target.startswith((".", os.sep)) or target.endswith((".yaml", ".yml", ".json"))):
        raise InvalidError(f"{target}: there is no such file or folder")
    else:
        _refuse(ctx, "an app of a cluster", (*_OF_FOLDERS, *_OF_FILES, "name", "namespace", "kube_version", "api_versions"))
        manifests = asyncio.run(rendering.of_cluster(Place(kubeconfig, context, control), target, revision, file_roots))
    if output_dir is not None:
        rendering.write(manifests, output_dir, output)
    else:
        click.echo(rendering.printed(manifests, output), nl=False)


def _refuse(ctx: click.Context, what: str, names: tuple[str, ...]) -> None:
    """Options that say nothing about what is rendered are mistakes."""
    for parameter in ctx.command.params:
        given = parameter.name and ctx.get_parameter_source(parameter.name) is click.core.ParameterSource.COMMANDLINE
        if parameter.name in names and given:
            raise click.UsageError(f"{parameter.opts[0]} says nothing about {what}", ctx)


def _program() -> Path:
    with output_.progress() as tell:
        return toolchain.program("evaluator", progress=tell)


def _folder(
    folder: Path,
    kind: str | None,
    name: str,
    namespace: str,
    values: tuple[str, ...],
    sets: tuple[str, ...],
    strings: tuple[str, ...],
    *,
    kube_version: str,
    api_versions: tuple[str, ...],
    root: Path | None,
    plugins: Plugins,
) -> tuple[Manifest, ...]:
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
    return asyncio.run(_render(_program(), source, LocalTree(root), context, plugins)).manifests


async def _render(program: Path, source: Source, tree: LocalTree, context: RenderContext, plugins: Plugins) -> Rendered:
    try:
        async with Pool(program=program, size=1) as pool:
            return await Renderer(pool=pool, plugins=plugins).render(source=source, tree=tree, context=context)
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
