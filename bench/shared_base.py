"""A commit to a base that many overlays share: every app has to be rendered and applied again.

Before that, the same apps are synced for the first time, which is the figure to compare with. The limit is a bare client that applies the changed
objects.
"""

from __future__ import annotations

import time

from bench import apps as making
from bench import bare
from bench.common import Stage
from bench.refresh import refresh
from bench.report import Row

TITLE = "A commit to a base that all overlays share (Kustomize, 4 objects each, one of them changed)"
BUDGET = 40.0
REPOSITORY = "overlays"


async def measure(stage: Stage, count: int) -> list[Row]:
    sample = min(count, 250)
    await bare.applies(stage, sample)
    limit = await bare.applies(stage, sample, text="second") / len(making.KINDS)
    names = [f"overlay-{number}" for number in range(count)]
    repository = await stage.repository(REPOSITORY)
    files = {path: text for name in names for path, text in making.overlay(name).items()}
    repository.push({**making.base(), **files})
    await stage.namespaces("bench")
    await stage.running()
    await stage.quiet()

    began = time.perf_counter()
    await stage.create(names, repository=REPOSITORY, folder="overlays/")
    states = stage.apps.states
    first = await stage.apps.until(lambda: sum(name in states and states[name].synced for name in names) == count) - began
    await stage.quiet()

    commit = repository.push(making.base("second"))
    used, metrics = stage.controller.usage(), await stage.controller.metrics()
    began = time.perf_counter()
    await refresh(stage, names[0])
    done = await stage.apps.until(lambda: all(states[name].synced and states[name].status.sync.revision == commit for name in names))
    seconds = done - began
    spent, now = stage.controller.usage(), await stage.controller.metrics()
    renders = now["homeostat_renders_total"] - metrics["homeostat_renders_total"]
    return [
        Row("apps a second", count / seconds, "/s", BUDGET, limit, more=True, note="limit: bare applies of the same objects"),
        Row("until all are synced", seconds, "s", note=f"{renders:.0f} renders"),
        Row("first sync of the same apps", count / first, "/s", BUDGET, more=True),
        Row("processor time an app, controller", 1000 * (spent.controller - used.controller) / count, "ms"),
        Row("processor time an app, evaluators", 1000 * (spent.evaluators - used.evaluators) / count, "ms"),
        Row("resident memory afterwards, with evaluators", spent.memory / 2**20, "MiB"),
    ]
