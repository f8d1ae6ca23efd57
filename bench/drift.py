"""Drift → corrected: somebody changes a managed ConfigMap, and the controller puts it back.

The clock runs from the moment at which the API server has accepted the change to the event that shows it undone, one app after the other. The limit
is a client that watches, applies as soon as it sees the change, and sees the outcome.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson

from bench import apps as making
from bench.common import Stage, watched
from bench.report import Row, median, percentile
from homeostat.argo.resources import CONFIG_MAPS

TITLE = "Drift in a managed object until it is corrected"
BUDGET = 100.0
TEXT = "changed by hand"
BROKEN = {"data": {"text": TEXT}}


async def measure(stage: Stage, count: int) -> list[Row]:
    names = await stage.synced(count)
    sample = names[:: max(1, len(names) // 100)][:100]
    seconds = [await _heal(stage, name) for name in sample]
    await stage.quiet()
    limits = [await _bare(stage, f"mended-{number}") for number in range(20)]
    return [
        Row("median", 1000 * median(seconds), "ms", BUDGET, 1000 * median(limits), note=f"{len(seconds)} apps out of {count}"),
        Row("99 of 100", 1000 * percentile(seconds, 0.99), "ms", 0, 1000 * percentile(limits, 0.99)),
    ]


async def _heal(stage: Stage, name: str) -> float:
    namespace = making.namespace_of(int(name.rpartition("-")[2]), "bench")
    healed = await watched(stage.client, CONFIG_MAPS, namespace, _mended(name))
    await stage.client.patch(CONFIG_MAPS, namespace, name, BROKEN, manager="somebody")
    began = time.perf_counter()
    return await healed() - began


async def _bare(stage: Stage, name: str) -> float:
    desired = making.objects(name)[0]
    desired["metadata"]["namespace"] = "default"
    await stage.client.apply(CONFIG_MAPS, desired, manager="bench")
    changed = await watched(stage.client, CONFIG_MAPS, "default", lambda raw: _is_broken(raw, name))
    healed = await watched(stage.client, CONFIG_MAPS, "default", _mended(name))
    await stage.client.patch(CONFIG_MAPS, "default", name, BROKEN, manager="somebody")
    began = time.perf_counter()
    await changed()
    await stage.client.apply(CONFIG_MAPS, desired, manager="bench")
    return await healed() - began


def _is_broken(raw: bytes, name: str) -> bool:
    one = orjson.loads(raw)
    return bool(one["metadata"]["name"] == name and one["data"]["text"] == TEXT)


def _mended(name: str) -> Callable[[bytes], bool]:
    """True of the first event that shows the ConfigMap as it was, after one that shows it broken."""
    broken = False

    def seen(raw: bytes) -> bool:
        nonlocal broken
        if orjson.loads(raw)["metadata"]["name"] != name:
            return False
        now = _is_broken(raw, name)
        mended = broken and not now
        broken = broken or now
        return mended

    return seen
