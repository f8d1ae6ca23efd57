"""Plugins made of a few lines, and renders with them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from homeostat.desired.plugins.command import CommandPlugin
from homeostat.desired.plugins.config import Definition, read
from homeostat.desired.plugins.plugin import Job
from homeostat.desired.plugins.plugins import Plugins
from homeostat.desired.render.renderer import RenderContext, Rendered, Renderer
from homeostat.model import yaml
from homeostat.model.app import Source
from homeostat.model.tree import Tree
from tests import evaluators
from tests.evaluators import MemoryTree

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: made\n"


def definition(script: str = "", *, name: str = "p", annotations: Mapping[str, str] | None = None, **spec: Any) -> Definition:
    """A plugin whose generate is the shell ``script``; ``spec`` adds to its spec."""
    file = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ConfigManagementPlugin",
        "metadata": {"name": name, "annotations": dict(annotations or {})},
        "spec": {"generate": sh(script), **spec},
    }
    return read(yaml.dump(file).encode(), "plugin.yaml")


def sh(script: str) -> dict[str, list[str]]:
    return {"command": ["sh", "-c"], "args": [script]}


def python(script: str) -> dict[str, list[str]]:
    return {"command": ["/usr/bin/python3", "-c"], "args": [script]}


def job(tree: Tree | None = None, *, folder: str = "app", environment: Mapping[str, str] | None = None) -> Job:
    return Job(
        subject="app shop", app_name="shop", tree=tree or MemoryTree({"app/a.txt": "a"}), folder=folder, environment=environment or {}
    )


async def generate(plugin: Definition, about: Job | None = None) -> str:
    return await CommandPlugin(plugin, places=asyncio.Semaphore(1)).generate(about or job())


def source(**plugin: Any) -> Source:
    return Source(repo_url="https://git.example/r", path="app", target_revision="main", plugin=plugin)


async def render(definitions: Sequence[Definition], asked: Source, files: Mapping[str, str], *, paths: tuple[str, ...] = ()) -> Rendered:
    async with evaluators.pool() as pool:
        renderer = Renderer(pool=pool, plugins=Plugins(definitions))
        return await renderer.render(source=asked, tree=MemoryTree(files), context=context(paths=paths))


def context(*, revision: str = "0123456789abcdef", paths: tuple[str, ...] = ()) -> RenderContext:
    return RenderContext(
        app_name="shop",
        namespace="prod",
        revision=revision,
        kube_version="1.36.3",
        api_versions=("v1", "apps/v1"),
        subject="app shop",
        generate_paths=paths,
    )
