"""Refresh → applied: a commit is pushed that changes a ConfigMap of one app, and somebody sets the refresh annotation on it; or a webhook tells of it.

The clock runs from the moment at which the annotation or the webhook is sent to the event that shows the new ConfigMap. Between two measurements the
controller gets the time to note the new revision in the other apps. The limit is a client that runs `git fetch`, applies the object and sees the outcome.
"""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson

from bench import apps as making
from bench.common import CONTROL, Stage, watched
from bench.report import Row, median
from homeostat.argo.resources import APPLICATIONS, CONFIG_MAPS

TITLE = "Refresh of one app until its objects are applied"
BUDGET = 250.0
SAMPLES = 12


async def measure(stage: Stage, count: int) -> list[Row]:
    names = await stage.synced(count)
    seconds = [await _measured(stage, name, f"refreshed {number}", refresh) for number, name in enumerate(names[:SAMPLES])]
    told = [await _measured(stage, name, f"told {number}", tell) for number, name in enumerate(names[:SAMPLES])]
    with tempfile.TemporaryDirectory() as folder:
        limits = await _bare(stage, Path(folder) / "mirror.git", names[0])
    return [
        Row("median", 1000 * median(seconds), "ms", BUDGET, 1000 * median([sum(one) for one in limits]), note=f"{SAMPLES} of {count} apps"),
        Row("median, by webhook", 1000 * median(told), "ms", BUDGET, 1000 * median([sum(one) for one in limits])),
        Row("slowest, by webhook", 1000 * max(told), "ms", 0, 1000 * max(sum(one) for one in limits)),
        Row("slowest", 1000 * max(seconds), "ms", 0, 1000 * max(sum(one) for one in limits)),
        Row("of which `git fetch` alone takes", 1000 * median([fetch for fetch, _ in limits]), "ms", note="measured apart"),
    ]


async def _measured(stage: Stage, name: str, text: str, ask: Callable[[Stage, str], Awaitable[None]]) -> float:
    await stage.push_plain([name], text)
    namespace = making.namespace_of(int(name.rpartition("-")[2]), "bench")
    applied = await watched(stage.client, CONFIG_MAPS, namespace, shows(name, text))
    began = time.perf_counter()
    await ask(stage, name)
    seconds = await applied() - began
    await stage.quiet()
    return seconds


async def refresh(stage: Stage, name: str) -> None:
    """Asks for a look at the app with new eyes."""
    body = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}
    await stage.client.patch(APPLICATIONS, CONTROL, name, body)


async def tell(stage: Stage, _: str) -> None:
    """Sends what a Git host sends after a push."""
    url = (await stage.repository("plain")).url
    await stage.controller.webhook({"ref": "refs/heads/main", "repository": {"clone_url": url, "default_branch": "main"}})


async def _bare(stage: Stage, mirror: Path, name: str) -> list[tuple[float, float]]:
    """Seconds for the fetch and for what follows it."""
    repository = await stage.repository("plain")
    await asyncio.to_thread(_git, "clone", "--quiet", "--mirror", repository.url, str(mirror))
    found = []
    for number in range(SAMPLES):
        text = f"bare {number}"
        await asyncio.to_thread(repository.push, {"none/of/the/apps.yaml": text})
        desired = making.objects(name, text)[0]
        desired["metadata"]["namespace"] = "default"
        applied = await watched(stage.client, CONFIG_MAPS, "default", shows(name, text))
        began = time.perf_counter()
        await asyncio.to_thread(_git, f"--git-dir={mirror}", "fetch", "--quiet", "--no-auto-maintenance", "origin")
        fetched = time.perf_counter()
        await stage.client.apply(CONFIG_MAPS, desired, manager="bench")
        found.append((fetched - began, await applied() - fetched))
    return found


def shows(name: str, text: str) -> Callable[[bytes], bool]:
    """True of an event that shows the ConfigMap with this text."""

    def seen(raw: bytes) -> bool:
        one = orjson.loads(raw)
        return bool(one["metadata"]["name"] == name and one["data"]["text"] == text)

    return seen


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, capture_output=True)
