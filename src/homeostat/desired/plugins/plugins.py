"""All plugins of a process: which of them a folder is for, by Argo CD's rules (``util/app/discovery``).

A plugin that an app names is the one, unless it says that the folder is not for it. Else the plugins are asked in the order of their names, and the
first that says yes makes the manifests, before any chart or kustomization counts. Differs from Argo CD where a plugin cannot be asked: then
nothing is rendered, since the folder may be for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from homeostat.desired.errors import RenderFailedError
from homeostat.desired.plugins.command import CommandPlugin
from homeostat.desired.plugins.config import Definition
from homeostat.desired.plugins.plugin import Job, Plugin, Reads
from homeostat.desired.plugins.sidecar import sidecars

_SIDE_BY_SIDE = 4


class Plugins:
    """The commands that ``definitions`` name, and the sidecars whose sockets are in the folder ``sockets`` when they are looked for."""

    def __init__(self, definitions: Sequence[Definition] = (), *, sockets: Path | None = None, side_by_side: int = _SIDE_BY_SIDE) -> None:
        self._places = asyncio.Semaphore(side_by_side)
        self._commands: list[Plugin] = [CommandPlugin(definition, places=self._places) for definition in definitions]
        self._sockets = sockets

    async def find(self, job: Job, reads: Reads, *, name: str = "") -> Plugin | None:
        """The plugin that makes the manifests of ``job``: the one of that ``name``, or who says that the folder is for it.

        What the answer depends on is noted in ``reads``. Raises :class:`homeostat.desired.errors.RenderError` when a plugin that is named is not
        there or refuses the folder, or when one cannot be asked.
        """
        plugins = await self._all()
        if name:
            return await self._named(plugins, name, job, reads)
        for plugin in plugins:
            if await plugin.discovers() and await plugin.matches(job, reads):
                return plugin
        return None

    async def _named(self, plugins: Sequence[Plugin], name: str, job: Job, reads: Reads) -> Plugin:
        plugin = next((plugin for plugin in plugins if plugin.name == name), None)
        if plugin is None:
            there = ", ".join(plugin.name for plugin in plugins)
            raise RenderFailedError(
                f"couldn't find cmp-server plugin with name {name!r} supporting the given repository: there is no such plugin",
                hint=f"there is {there}" if there else "no plugins are set up (homeostat run --plugins, --plugin-sockets)",
            )
        if await plugin.discovers() and not await plugin.matches(job, reads):
            raise RenderFailedError(
                f"couldn't find cmp-server plugin with name {name!r} supporting the given repository: the plugin says that"
                f" {job.folder or '.'} is not for it",
                hint="look at spec.discover of its plugin.yaml",
            )
        return plugin

    async def _all(self) -> list[Plugin]:
        there = await asyncio.to_thread(sidecars, self._sockets, places=self._places) if self._sockets is not None else []
        found = [*self._commands, *there]
        return sorted(found, key=lambda plugin: plugin.name)
