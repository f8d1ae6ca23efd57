"""What a thousand apps cost that nobody touches: processor time over a minute, and memory. Evaluators that were not needed for a minute have ended."""

from __future__ import annotations

import asyncio
import time

from bench.common import Stage
from bench.report import Row

TITLE = "Idle apps"
SECONDS = 60.0
SETTLE = 75.0
"""Seconds after the last work: evaluators end after a minute."""


async def measure(stage: Stage, count: int) -> list[Row]:
    await stage.synced(count)
    await _events_written(stage)
    await asyncio.sleep(SETTLE)
    before, asked, began = stage.controller.usage(), await stage.requests(), time.perf_counter()
    await asyncio.sleep(SECONDS)
    after, seconds = stage.controller.usage(), time.perf_counter() - began
    said = await stage.requests()
    requests = {name: said[name] - asked.get(name, 0) for name in said if said[name] > asked.get(name, 0)}
    often = ", ".join(f"{name} {times:.0f}" for name, times in sorted(requests.items(), key=lambda pair: -pair[1])[:3])
    return [
        Row("of one core", 100 * (after.seconds - before.seconds) / seconds, "%", 1),
        Row("resident memory, evaluators included", after.memory / 2**20, "MiB", 250),
        Row("requests to the API server in a minute, all clients", sum(requests.values()), "", note=often),
    ]


async def _events_written(stage: Stage) -> None:
    """Kubernetes events are written behind everything else, at a slow pace: a thousand first syncs take some minutes."""
    written = -1.0
    while written < (now := (await stage.requests()).get("POST events", 0.0)):
        written = now
        await asyncio.sleep(2.0)
