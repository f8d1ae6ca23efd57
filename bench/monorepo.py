"""What one commit costs in a repository of 50,000 files that 1,000 apps read from: the fetch, the comparison of the two trees, a trace check per app."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.common import Stage
from bench.report import Row
from homeostat.desired.sources.git import GitSources, Repo
from homeostat.model.trace import complete
from homeostat.model.tree import Trace, Tree

TITLE = "A commit in a repository of 50,000 files"
FILES = 50_000
APPS = 1_000
TIMES = 20
CHECKS_BUDGET = 100.0
"""Milliseconds for the comparison and the trace checks of all apps together."""


async def measure(stage: Stage, count: int) -> list[Row]:
    del count
    repository = await stage.repository("monorepo")
    per_app = FILES // APPS
    files = {
        f"teams/t{app % 20}/app-{app}/part-{part}.yaml": f"app: {app}\npart: {part}\n" for app in range(APPS) for part in range(per_app)
    }
    await asyncio.to_thread(repository.push, {**files, "base/all.yaml": "kind: base\n"})
    repo = Repo(repository.url)
    with tempfile.TemporaryDirectory() as folder:
        async with GitSources(Path(folder)) as sources:
            began = time.perf_counter()
            tree = await sources.tree(repo, (await sources.resolve(repo, "main")).commit)
            first = time.perf_counter() - began
            began = time.perf_counter()
            traces = [_trace(tree, app, per_app) for app in range(APPS)]
            reading = time.perf_counter() - began
            fetches, checks, untouched = [], [], 0
            for number in range(TIMES):
                path = f"teams/t{number % 20}/app-{number}/part-{number % per_app}.yaml"
                await asyncio.to_thread(repository.push, {path: f"changed: {number}\n"})
                began = time.perf_counter()
                assert await sources.poll(repo)
                after = await sources.tree(repo, (await sources.resolve(repo, "main")).commit)
                fetched = time.perf_counter()
                changed = after.changed_since(tree)
                untouched = sum(trace.isdisjoint(changed) for trace in traces)
                checks.append(1000 * (time.perf_counter() - fetched))
                fetches.append(1000 * (fetched - began))
                tree = after
            idle = []
            for _ in range(TIMES):
                began = time.perf_counter()
                await sources.poll(repo)
                idle.append(1000 * (time.perf_counter() - began))
        async with GitSources(Path(folder)) as sources:
            began = time.perf_counter()
            await sources.tree(repo, (await sources.resolve(repo, "main")).commit)
            again = time.perf_counter() - began
    return [
        Row(
            "comparison of two commits and 1,000 trace checks, median",
            median(checks),
            "ms",
            CHECKS_BUDGET,
            note=f"{untouched} apps untouched",
        ),
        Row("fetch of one commit that touches one file, median", median(fetches), "ms", note="a git process; the server's part included"),
        Row("poll that finds nothing new, median", median(idle), "ms", note="likewise"),
        Row("first fetch of all 50,000 files", first, "s"),
        Row("traces of 1,000 apps with all they read, the first time", 1000 * reading, "ms"),
        Row("first fetch of the next process", 1000 * again, "ms", note="the clone is still there"),
    ]


def _trace(tree: Tree, app: int, parts: int) -> Trace:
    """What a render of an app reads: its folder, its files, the base."""
    folder = f"teams/t{app % 20}/app-{app}"
    paths = [f"{folder}/part-{part}.yaml" for part in range(parts)]
    for path in paths:
        assert tree.read(path) is not None
    return complete(tree, [f"{folder}/", *paths, "base/all.yaml"])
