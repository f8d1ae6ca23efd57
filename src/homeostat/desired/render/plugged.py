"""Where renders meet plugins: whether one makes the manifests of a source, and of what."""

from __future__ import annotations

from typing import NamedTuple

from homeostat.desired.errors import RenderFailedError
from homeostat.desired.plugins.environment import plugin_source, variables
from homeostat.desired.plugins.plugin import Job, Plugin, Reads
from homeostat.desired.plugins.plugins import Plugins
from homeostat.desired.render.detect import SourceType, explicit
from homeostat.desired.render.request import RenderContext, build_environment
from homeostat.evaluate.requests import YamlRequest
from homeostat.model.app import Source
from homeostat.model.tree import Tree


class Plugged(NamedTuple):
    """A plugin and what it is to do."""

    plugin: Plugin
    job: Job

    async def request(self, reads: Reads) -> YamlRequest:
        """What the plugin makes, to be read as YAML. Raises :class:`homeostat.desired.errors.RenderError`."""
        reads.shown(self.job, self.plugin.shown)
        return YamlRequest(text=await self.plugin.generate(self.job), file=f"(output of plugin {self.plugin.name})")


async def plugged(plugins: Plugins, source: Source, tree: Tree, folder: str, context: RenderContext, reads: Reads) -> Plugged | None:
    """The plugin that renders ``folder``; ``None`` when none does. A type that is asked for counts first. Raises :class:`RenderError`."""
    if context.source_type or explicit(source) not in {None, SourceType.PLUGIN}:
        return None
    options = plugin_source(source.plugin) if source.plugin is not None else None
    job = Job(
        subject=context.subject or context.app_name,
        app_name=context.app_id or context.app_name,
        tree=tree,
        folder=folder,
        environment=variables(build_environment(source, context), options),
        paths=context.generate_paths,
    )
    plugin = await plugins.find(job, reads, name=options.name if options is not None else "")
    if plugin is not None:
        return Plugged(plugin, job)
    if options is not None:
        raise RenderFailedError("could not find plugin supporting the given repository", hint="name one in spec.source.plugin.name")
    return None
