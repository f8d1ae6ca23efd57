"""A sync of one app with many objects in ten waves: from the operation that asks for it to the status that says that it is done.

A wave starts when everything of the one before is there and well, so that each has a ragged end where the machine is not busy. The limit is a bare
client that applies the same objects, all of them side by side. Both are done several times in turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

import yaml

from bench import apps as making
from bench.common import CONTROL, Stage, together
from bench.report import Row, median
from homeostat.argo.resources import APPLICATIONS, CONFIG_MAPS, NAMESPACES
from homeostat.live.errors import AlreadyExistsError
from homeostat.model.objects import Object

TITLE = "A sync of one app with 1,000 ConfigMaps in ten waves"
SHARE = 70.0
"""Percent of the rate of bare applies."""

OBJECTS = 1000
WAVES = 10
ROUNDS = 3
REPOSITORY = "waves"


async def measure(stage: Stage, count: int) -> list[Row]:
    del count
    repository = await stage.repository(REPOSITORY)
    await asyncio.to_thread(repository.push, {"all/all.yaml": yaml.safe_dump_all(_objects(), sort_keys=False)})
    for number in range(ROUNDS):
        for namespace in (f"waves-{number}", f"bare-waves-{number}"):
            with contextlib.suppress(AlreadyExistsError):
                await stage.client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    await stage.running()
    await _compared(stage, repository.url)
    used = stage.controller.usage()
    bare, synced = [], []
    for number in range(ROUNDS):
        bare.append(OBJECTS / await _bare(stage, f"bare-waves-{number}"))
        synced.append(OBJECTS / await _sync(stage, f"waves-{number}"))
        await stage.quiet()
    spent = stage.controller.usage()
    shares = [100 * one / other for one, other in zip(synced, bare, strict=True)]
    return [
        Row("of the rate of bare applies", median(shares), "%", SHARE, more=True, note=f"median of {ROUNDS} rounds"),
        Row("objects a second", median(synced), "/s", 0, median(bare), more=True, note="limit: bare applies of the same objects"),
        Row("until it is done", OBJECTS / median(synced), "s"),
        Row("processor time, controller", (spent.controller - used.controller) / ROUNDS, "s", note="for one sync, and the looks after it"),
    ]


async def _compared(stage: Stage, url: str) -> None:
    """The apps are there and known to differ: nothing syncs by itself."""
    names = [f"waves-{number}" for number in range(ROUNDS)]
    for name in names:
        body = making.application(name, control=CONTROL, repo=url, path="all", namespace=name)
        del body["spec"]["syncPolicy"]
        await stage.client.create(APPLICATIONS, body)
    states = stage.apps.states
    await stage.apps.until(lambda: all(name in states and states[name].status.sync.status == "OutOfSync" for name in names))
    await stage.quiet()


async def _sync(stage: Stage, name: str) -> float:
    """Seconds from the request to the status that says that all is done."""
    body = {"operation": {"sync": {"revision": stage.apps.states[name].status.sync.revision}, "initiatedBy": {"username": "bench"}}}
    began = time.perf_counter()
    await stage.client.patch(APPLICATIONS, CONTROL, name, body)
    done = await stage.apps.until(lambda: stage.apps.states[name].synced)
    return done - began


async def _bare(stage: Stage, namespace: str) -> float:
    objects = _objects()
    for one in objects:
        name = one["metadata"]["name"]
        one["metadata"]["namespace"] = namespace
        one["metadata"]["annotations"]["bench.homeostat.dev/tracking-id"] = f"bare:/ConfigMap:{namespace}/{name}"
    began = time.perf_counter()
    await together(stage.client.apply(CONFIG_MAPS, one, manager="bench") for one in objects)
    return time.perf_counter() - began


def _objects() -> list[Object]:
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"settings-{number}", "annotations": {"argocd.argoproj.io/sync-wave": str(number % WAVES)}},
            "data": {"text": f"number {number}", "LOG_LEVEL": "info", "PORT": "8080"},
        }
        for number in range(OBJECTS)
    ]
