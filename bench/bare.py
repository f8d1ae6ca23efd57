"""What the machine can do at this moment: a client that does the work of a bench with nothing in between.

It uses the product's own client for the API server, so that what is left between it and the controller's figure is the controller.
"""

from __future__ import annotations

import asyncio
import time

import orjson

from bench import apps as making
from bench.common import Stage, together
from homeostat.argo.resources import APPLICATIONS
from homeostat.model.objects import Object
from homeostat.model.resources import Resource
from homeostat.model.tasks import cancel, spawn

STARTED = "2026-01-01T00:00:00Z"


async def applies(stage: Stage, count: int, *, text: str = "first", prefix: str = "bare") -> float:
    """Server-side applies of the objects of ``count`` apps; objects a second."""
    await stage.namespaces(prefix)
    objects = [pair for number in range(count) for pair in _objects(number, prefix, text)]
    began = time.perf_counter()
    await together(stage.client.apply(kind, one, manager="bench") for kind, one in objects)
    return len(objects) / (time.perf_counter() - began)


async def traffic(stage: Stage, count: int) -> float:
    """What a first sync asks of the API server, by a client that does nothing else; apps a second.

    For each app: the Application is created, its status written, four objects are applied, the status is written again; five watches bring all
    of it back.
    """
    await stage.namespaces("traffic")
    watching = [spawn(_watch(stage, kind), name=f"watch {kind}") for kind in (APPLICATIONS, *making.KINDS)]
    try:
        began = time.perf_counter()
        await together(_deliver(stage, number) for number in range(count))
        return count / (time.perf_counter() - began)
    finally:
        await cancel(watching)


async def _deliver(stage: Stage, number: int) -> None:
    name, namespace = f"traffic-{number}", making.namespace_of(number, "traffic")
    url = "https://git.example.com/none.git"
    await stage.client.create(APPLICATIONS, making.application(name, control=namespace, repo=url, path=name, namespace=namespace))
    await stage.client.patch(APPLICATIONS, namespace, name, _status("OutOfSync", "Running"))
    async with asyncio.TaskGroup() as group:
        for kind, one in _objects(number, "traffic", "first"):
            group.create_task(stage.client.apply(kind, one, manager="bench"), name=f"apply {kind}")
    await stage.client.patch(APPLICATIONS, namespace, name, _status("Synced", "Succeeded"))


def _status(sync: str, phase: str) -> Object:
    """About as much as a status holds for an app of four objects."""
    results = [
        {"group": kind.group, "version": kind.version, "kind": kind.kind, "namespace": "somewhere", "name": "something",
         "status": "Synced", "message": f"{kind.kind}/something created", "hookPhase": "Running", "syncPhase": "Sync"}
        for kind in making.KINDS
    ]  # fmt: skip
    state = {
        "phase": phase,
        "startedAt": STARTED,
        "operation": {"sync": {"revision": "0" * 40, "prune": True}, "initiatedBy": {"automated": True}},
        "syncResult": {"revision": "0" * 40, "resources": results},
    }
    return {"status": {"sync": {"status": sync, "revision": "0" * 40}, "operationState": state}}


def _objects(number: int, prefix: str, text: str) -> list[tuple[Resource, Object]]:
    """The objects of one app as a client sends them: in their namespace, with a tracking mark."""
    name, namespace = f"{prefix}-{number}", making.namespace_of(number, prefix)
    found = making.objects(name, text)
    for kind, one in zip(making.KINDS, found, strict=True):
        mark = f"{name}:{kind.group}/{kind.kind}:{namespace}/{name}"
        one["metadata"].update(namespace=namespace, annotations={"bench.homeostat.dev/tracking-id": mark})
    return list(zip(making.KINDS, found, strict=True))


async def _watch(stage: Stage, kind: Resource) -> None:
    version = (await stage.client.list(kind, limit=1)).resource_version
    while True:
        async for event, raw in stage.client.watch_raw(kind, resource_version=version):
            metadata = orjson.loads(raw)["metadata"]
            version = metadata["resourceVersion"] if event != "BOOKMARK" else version
