"""Applications rendered from files alone: the sources that lie in a repository at hand come from there, others from wherever they are fetched from.

For looks at a repository without a cluster, before anything is pushed: what a controller asks of the cluster is given here.
"""

from __future__ import annotations

import posixpath
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from homeostat.desired.errors import RenderError
from homeostat.desired.render.renderer import RenderContext, Rendered, Renderer
from homeostat.desired.sources import urls
from homeostat.desired.sources.mounted import mounted
from homeostat.evaluate.requests import ref_mount
from homeostat.model.app import App, Source
from homeostat.model.errors import HomeostatError
from homeostat.model.tree import Trace, Tree, TreeError

TreeOf = Callable[[App, Source], Awaitable[Tree | None]]
"""The files of a source; ``None`` for one that lies elsewhere and is not fetched. Raises :class:`HomeostatError`."""


class Fetch:
    """What is fetched from elsewhere: nothing. Who fetches is a subclass of this (``cli/fetching.py``)."""

    async def tree(self, source: Source, project: str) -> Tree | None:
        """The files of a source that lies elsewhere; ``None``: they are not fetched. Raises :class:`HomeostatError`."""
        del source, project
        return None

    async def completed(self, tree: Tree, source: Source, project: str) -> Tree:
        """The files of a source at hand, with what its render needs besides (the dependencies of a chart). Raises :class:`HomeostatError`."""
        del source, project
        return tree


class Here:
    """Which sources lie in the repository at hand, by its addresses. One without any is taken for the repository of every path that it has.

    A fork or a mirror has another address: the name at the end of it is enough where the path is there.
    """

    def __init__(self, addresses: Iterable[str]) -> None:
        self._keys = {key for address in addresses if (key := _key(address))}
        self._names = {_name(key) for key in self._keys}

    def has(self, source: Source, tree: Tree) -> bool:
        if source.chart or source.repo_url.startswith("oci://"):
            return False
        key = _key(source.repo_url)
        if not key:
            return False
        return key in self._keys or ((not self._keys or _name(key) in self._names) and _there(tree, source.path))


class Part(msgspec.Struct, frozen=True):
    """What one source of an app came to: ``rendered``, or ``error``; neither for one that lies elsewhere. ``trace`` is what was read of ``tree``."""

    number: int
    source: Source
    tree: Tree | None = None
    rendered: Rendered | None = None
    error: HomeostatError | None = None
    trace: Trace = frozenset()


async def parts_of(app: App, renderer: Renderer, tree_of: TreeOf, context: RenderContext) -> list[Part]:
    """Each source of ``app`` rendered, but those that only hold value files for others. ``context`` says for which Kubernetes."""
    refs: dict[str, Tree] = {}
    trees: list[Tree | None] = []
    failed: dict[int, HomeostatError] = {}
    absent = False
    for number, source in enumerate(app.sources):
        try:
            tree = await tree_of(app, source)
        except HomeostatError as error:
            tree, failed[number] = None, error
        trees.append(tree)
        if source.ref and tree is not None:
            refs[ref_mount(source.ref)] = tree
        absent = absent or bool(source.ref and tree is None)
    context = context_of(app, context, refs)
    parts = []
    for number, (source, tree) in enumerate(zip(app.sources, trees, strict=True)):
        if source.only_ref:
            continue
        if tree is None or (absent and _refers(source)):
            parts.append(Part(number, source, error=failed.get(number)))
            continue
        parts.append(await _part(number, source, mounted(tree, refs) if refs else tree, renderer, context))
    return parts


async def _part(number: int, source: Source, tree: Tree, renderer: Renderer, context: RenderContext) -> Part:
    rendered: Rendered | None = None
    failure: RenderError | None = None
    try:
        rendered = await renderer.render(source=source, tree=tree, context=context)
    except RenderError as error:
        failure = error
    return Part(number, source, tree, rendered, failure, renderer.trace(source=source, context=context))


def context_of(app: App, base: RenderContext, refs: dict[str, Tree]) -> RenderContext:
    """``base`` (the Kubernetes that is rendered for) with what the app says of itself."""
    return msgspec.structs.replace(
        base,
        app_name=app.key.name,
        namespace=app.destination.namespace,
        project=app.project,
        subject=str(app.key),
        refs=tuple(mount.rpartition("/")[2] for mount in refs),
        sources=len(app.sources),
    )


def _refers(source: Source) -> bool:
    files = source.helm.value_files if source.helm is not None else ()
    return any(file.startswith("$") for file in files)


def _there(tree: Tree, path: str) -> bool:
    try:
        return (
            tree.stat(posixpath.normpath(path or ".").removeprefix("./").strip(".") if path in {"", "."} else posixpath.normpath(path))
            is not None
        )
    except TreeError:
        return False


def _key(address: str) -> str:
    try:
        return urls.parse(address).key
    except HomeostatError:
        return ""


def _name(key: str) -> str:
    return key.rstrip("/").rpartition("/")[2]
