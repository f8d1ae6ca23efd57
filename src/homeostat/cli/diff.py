"""``homeostat diff --revision A..B``: what a change of a repository changes in the objects of its apps. How that is found is in ``lint/changes.py``."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click

from homeostat import toolchain
from homeostat.argo.read import read_app
from homeostat.cli import fetching
from homeostat.cli import output as out
from homeostat.cli import plugins as plugins_
from homeostat.cli.changes import print_changes
from homeostat.desired.render.renderer import RenderContext, Renderer
from homeostat.desired.sources.working_copy import WorkingCopy
from homeostat.evaluate.pool import Pool
from homeostat.lint.apps import Fetch, Here
from homeostat.lint.changes import Changes, apps_in, changes
from homeostat.lint.schemas import Catalogue
from homeostat.model.app import App
from homeostat.model.errors import HomeostatError, InvalidError
from homeostat.model.settings import Settings

SAME, DIFFERENT, TROUBLE = 0, 1, 2
"""Exit codes, as ``diff`` has them."""


class _Diff(click.Command):
    """What goes wrong has an exit code of its own: 1 means that something differs."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (HomeostatError, BaseExceptionGroup) as error:
            if not out.report(error):
                raise
            return TROUBLE


@click.command(name="diff", cls=_Diff)
@click.argument("repository", metavar="[REPO]", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--revision",
    required=True,
    metavar="A..B",
    help="From A to B; A...B is from where they parted to B, as pull requests are shown; A alone is A..HEAD.",
)
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with Applications that lie elsewhere. May be repeated.",
)
@click.option("--from-cluster", is_flag=True, help="Look at the apps of a cluster, too, which use this repository.")
@click.option("--kubeconfig", metavar="FILE", help="That cluster. [default: $KUBECONFIG, ~/.kube/config]")
@click.option("--context", metavar="NAME", help="The context of the kubeconfig to use.")
@click.option("-n", "--namespace", default="argocd", show_default=True, help="The control namespace there.")
@click.option(
    "--repo-url", multiple=True, metavar="URL", help="An address of this repository, as Applications name it. By default its remotes."
)
@click.option(
    "--fetch/--no-fetch", default=True, help="Fetch sources that lie elsewhere, where an app asks for others than before. [default: fetch]"
)
@click.option("--kube-version", default="", metavar="VERSION", help="The Kubernetes version that is rendered for.")
@click.option("--api-versions", multiple=True, metavar="API", help="An API that is there, too, such as monitoring.coreos.com/v1.")
@click.option("--build-options", default="", metavar="OPTIONS", help="Options of `kustomize build`, such as `--enable-helm`.")
@plugins_.plugin_options
@out.format_option("diff", "markdown", "json", "yaml")
def diff(
    *,
    repository: Path,
    revision: str,
    files: tuple[Path, ...],
    from_cluster: bool,
    kubeconfig: str | None,
    context: str | None,
    namespace: str,
    repo_url: tuple[str, ...],
    fetch: bool,
    kube_version: str,
    api_versions: tuple[str, ...],
    build_options: str,
    plugins: Path | None,
    plugin_sockets: Path | None,
    output: str,
) -> int:
    """Show what a change of the repository REPO (by default here) changes in the objects of its apps.

    Apps are those whose Applications lie in the repository at A or B, and those that other apps bring. Only what a render has read can change it: the
    others are not rendered twice. Values of Secrets are masked. Needs no cluster, but for --from-cluster.

    Exits with 0 when nothing differs, with 1 when something does, with 2 when that could not be told, or an app does not render any more.
    """
    place = WorkingCopy(repository)
    older, newer, title = _range(place, revision)
    given = [app for file in files for app in _apps_of(file)]
    here = Here(repo_url or place.remotes())
    catalogue = Catalogue()
    asked = RenderContext(
        app_name="",
        kube_version=kube_version.removeprefix("v") or f"{catalogue.version}.0",
        api_versions=(*catalogue.api_versions, *api_versions),
        build_options=tuple(build_options.split()),
    )
    with_plugins = plugins_.given(plugins, plugin_sockets)
    with out.progress() as tell:
        program = toolchain.program("evaluator", progress=tell)

    async def run() -> Changes:
        async with AsyncExitStack() as stack:
            pool = await stack.enter_async_context(Pool(program=program, size=os.cpu_count() or 2))
            fetched = await stack.enter_async_context(fetching.fetching(pool)) if fetch else Fetch()
            apps = [*given, *(await _cluster_apps(kubeconfig, context, namespace) if from_cluster else ())]
            return await changes(
                place.tree(older),
                place.tree(newer),
                renderer=Renderer(pool=pool, plugins=with_plugins),
                here=here,
                fetch=fetched,
                context=asked,
                scope=catalogue.is_namespaced,
                given=apps,
                names=(older[:12], newer[:12]),
            )

    found = asyncio.run(run())
    print_changes(found, output, title)
    for app in found.apps:
        for problem in app.problems:
            out.say("error", f"{app.app}: {problem}")
    if any(app.problems for app in found.apps):
        return TROUBLE
    return DIFFERENT if found.apps else SAME


def _range(place: WorkingCopy, text: str) -> tuple[str, str, str]:
    """The two commits, and how the range is called."""
    first, dots, second = text.partition("...") if "..." in text else text.partition("..")
    older, newer = place.commit(first or "HEAD"), place.commit(second or "HEAD")
    if dots == "...":
        older = place.fork_point(older, newer)
    return older, newer, f"{first or 'HEAD'}{dots or '..'}{second or 'HEAD'}"


def _apps_of(file: Path) -> list[App]:
    apps = apps_in(file.read_bytes(), str(file))
    if not apps:
        raise InvalidError(f"{file}: there is no Application in it")
    return apps


async def _cluster_apps(kubeconfig: str | None, context: str | None, namespace: str) -> list[App]:
    from homeostat.cli.apps.control import Applications  # noqa: PLC0415
    from homeostat.live.client import Client  # noqa: PLC0415

    async with await Client.connect(kubeconfig, context) as client:
        return [read_app(obj, Settings(namespace=namespace), {}) for obj in await Applications(client, namespace).listed()]
