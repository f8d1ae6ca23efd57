"""Overlays on one base: rendered for the first time, again after a commit to the base, and again after one that is none of their business.

Only rendering: no app is compared or synced (``shared_base`` does that).
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from bench import apps as making
from bench import evaluators
from bench.common import Stage
from bench.report import Row
from homeostat import toolchain
from homeostat.desired.render.detect import SourceType
from homeostat.desired.render.renderer import RenderContext, Renderer
from homeostat.desired.sources.git import GitSources, Repo
from homeostat.evaluate.pool import Pool
from homeostat.model.app import Source

TITLE = "Renders of overlays on one base (Kustomize, 4 objects each)"


async def measure(stage: Stage, count: int) -> list[Row]:
    names = [f"overlay-{number}" for number in range(count)]
    repository = await stage.repository("rendered-overlays")
    files = {path: text for name in names for path, text in making.overlay(name).items()}
    jobs = [
        evaluators.Job(Source(repo_url=repository.url, path=f"overlays/{name}"), RenderContext(app_name=name), SourceType.KUSTOMIZE)
        for name in names
    ]
    program = await asyncio.to_thread(toolchain.program, "evaluator")
    with tempfile.TemporaryDirectory() as folder:
        async with GitSources(Path(folder)) as sources, Pool(program=program, size=evaluators.SIDE_BY_SIDE) as pool:
            renderer = Renderer(pool=pool)

            async def spent(files: dict[str, str]) -> tuple[evaluators.Spent, float]:
                commit = await asyncio.to_thread(repository.push, files)
                tree = await sources.tree(Repo(repository.url), commit)
                return await evaluators.render(renderer, jobs, tree), await evaluators.alone(renderer, jobs, tree)

            cold, cold_alone = await spent({**making.base(), **files})
            again, again_alone = await spent(dict(making.base("second")))
            idle, _ = await spent({"README.md": "Nothing that an overlay reads.\n"})
    if (cold.fresh, again.fresh, idle.fresh) != (count, count, 0):
        raise RuntimeError(f"{cold.fresh}, {again.fresh} and {idle.fresh} renders, expected {count}, {count} and none")
    limit = "limit: the evaluators alone"
    return [
        Row("cold, renders a second", count / cold.seconds, "/s", 0, count / cold_alone, more=True, note=limit),
        Row("cold, until all are rendered", cold.seconds, "s", 0, cold_alone, note=cold.note),
        Row("after a commit to the base, renders a second", count / again.seconds, "/s", 0, count / again_alone, more=True, note=limit),
        Row("after a commit to the base, until all are rendered", again.seconds, "s", 0, again_alone, note=again.note),
        Row("after a commit elsewhere, all of them", 1000 * idle.seconds, "ms", note=idle.note),
    ]
