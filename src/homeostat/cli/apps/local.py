"""A local folder in the place of an app's source: for looking at a change before it is pushed, and for syncing without a commit.

It is rendered as the controller would render it (options of the app's source, the cluster's version and kinds), by a renderer of this process.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import orjson

from homeostat.cli.apps.errors import RefusedError
from homeostat.cli.render import root_of
from homeostat.desired.local import LocalTree
from homeostat.desired.render.renderer import Renderer
from homeostat.model.app import App
from homeostat.wiring import Parts


async def texts(parts: Parts, app: App, folder: Path, root: Path | None) -> tuple[str, ...]:
    """The objects that ``folder`` renders to, each as JSON.

    Raises :class:`RefusedError`, :class:`~homeostat.desired.sources.errors.SourceError`, :class:`~homeostat.desired.errors.RenderError`.
    """
    if len(app.sources) > 1:
        raise RefusedError(f"app `{app.key.name}` has several sources, and a local folder cannot stand for all of them")
    folder, above = await asyncio.to_thread(_resolved, folder, root)
    if not folder.is_relative_to(above):
        raise RefusedError(f"{folder} is not below {above}", hint="give a `--local-repo-root` that holds it")
    source = msgspec.structs.replace(app.sources[0], path=folder.relative_to(above).as_posix())
    tree = await parts.sources.completed(LocalTree(above), source, app.project)
    renderer = Renderer(pool=parts.pool, plugins=parts.plugins)
    rendered = await renderer.render(source=source, tree=tree, context=parts.desirer.context(app, "local"))
    return tuple(orjson.dumps(manifest.object).decode() for manifest in rendered.manifests)


def _resolved(folder: Path, root: Path | None) -> tuple[Path, Path]:
    folder = folder.resolve()
    return folder, root.resolve() if root is not None else root_of(folder)
