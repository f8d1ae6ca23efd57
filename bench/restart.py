"""Restart with synced apps: how long until all are compared again, and whether anything was written.

The clock runs from the start of the process, its imports included. The controller knows nothing of before but the clone on disk: it renders every
app anew and asks the API server about every object (an apply dry-run). The limit is a bare client that sends these dry-runs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from bench import apps as making
from bench.common import Stage, together
from bench.report import Row

TITLE = "Restart with synced apps until all are compared again"
BUDGET = 15.0


async def measure(stage: Stage, count: int) -> list[Row]:
    names = await stage.synced(count)
    versions = await stage.versions()
    limit = await _dry_runs(stage, names)
    await stage.controller.stop()
    written = stage.apps.writes

    began = time.perf_counter()
    await stage.controller.start()
    ready = time.perf_counter() - began
    while not _all_compared(await stage.controller.metrics(), count):  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.1)
    seconds = time.perf_counter() - began
    used = stage.controller.usage()
    await stage.quiet()

    now = await stage.versions()
    touched = sum(now.get(key) != version for key, version in versions.items()) + len(now.keys() - versions.keys())
    return [
        Row("until all are compared", seconds, "s", BUDGET, limit, note=f"limit: {4 * count} dry-runs by a bare client"),
        Row("of which until it is ready", ready, "s"),
        Row("managed objects that were written to", touched, "", 0.5, note="their resource versions are compared"),
        Row("statuses that were written", stage.apps.writes - written, ""),
        Row("processor time, controller", used.controller, "s"),
        Row("processor time, evaluators", used.evaluators, "s"),
        Row("resident memory, with evaluators", used.memory / 2**20, "MiB"),
    ]


def _all_compared(metrics: Mapping[str, float], count: int) -> bool:
    return metrics.get("argocd_app_reconcile_count", 0) >= count and not metrics.get("homeostat_apps_due", 0)


async def _dry_runs(stage: Stage, names: list[str]) -> float:
    requests = []
    for name in names:
        namespace = making.namespace_of(int(name.rpartition("-")[2]), "bench")
        for kind, one in zip(making.KINDS, making.objects(name), strict=True):
            one["metadata"]["namespace"] = namespace
            requests.append(stage.client.apply(kind, one, manager="bench", dry_run=True))
    began = time.perf_counter()
    await together(requests)
    return time.perf_counter() - began
