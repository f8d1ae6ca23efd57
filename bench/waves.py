"""A sync of one app with many objects in ten waves: from the operation that asks for it to the status that says that it is done.

A wave starts when everything of the one before is there and well, so that each has a ragged end where the machine is not busy. The limit is a bare
client that applies the same objects, all of them side by side. Both are done several times in turn, and the quickest of each counts: a machine that
does other things too is never quicker than it can be.
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
ROUNDS = 5
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
        bare.append(await _bare(stage, f"bare-waves-{number}"))
        synced.append(await _sync(stage, f"waves-{number}"))
        await stage.quiet()
    spent = stage.controller.usage()
    return [
        Row("of the rate of bare applies", 100 * min(bare) / min(synced), "%", SHARE, more=True, note=f"the quickest of {ROUNDS} rounds"),
        Row(
            "objects a second",
            OBJECTS / min(synced),
            "/s",
            0,
            OBJECTS / min(bare),
            more=True,
            note="limit: bare applies of the same objects",
        ),
        Row("until it is done, median", median(synced), "s", 0, median(bare)),
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
    """Seconds from the answer to the request until the status says that all is done."""
    body = {"operation": {"sync": {"revision": stage.apps.states[name].status.sync.revision}, "initiatedBy": {"username": "bench"}}}
    await stage.client.patch(APPLICATIONS, CONTROL, name, body)
    began = time.perf_counter()
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
