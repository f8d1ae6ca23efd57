"""ignoreResourceUpdates: changes in which nothing counts tell nobody; every other does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from homeostat.compare.health.scripts import Judge
from homeostat.compare.ignore import Ignorer
from homeostat.evaluate.pool import Pool
from homeostat.live.client import Client
from homeostat.live.cluster import Cluster
from homeostat.loop.updates import Updates
from homeostat.model import tasks
from homeostat.model.app import Ignore
from homeostat.model.objects import GroupKind, Object
from homeostat.model.settings import HealthScript, Settings
from homeostat.model.tracking import TRACKING_ID
from tests import evaluators
from tests.cluster import Cluster as Plane
from tests.live.ears import Concerned
from tests.live.kinds import CONFIG_MAPS, SECRETS, config_map

CONFIG_MAP, SECRET = GroupKind("", "ConfigMap"), GroupKind("", "Secret")
APP = "updates-app"


@pytest.fixture(scope="module", autouse=True)
def built_evaluator() -> None:
    evaluators.program()


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    async with evaluators.pool(size=1) as pool:
        yield pool


@contextlib.asynccontextmanager
async def sifted(plane: Plane, settings: Settings, pool: Pool) -> AsyncIterator[tuple[Cluster, Concerned]]:
    """A cluster whose changes go through a sieve, and what it tells."""
    async with await Client.connect(str(plane.kubeconfig)) as client, Cluster(client) as cluster:
        judge = Judge(pool, lambda: settings.health_scripts)
        updates = Updates(cluster, ignorer=Ignorer(pool, lambda: settings), judge=judge, settings=lambda: settings)
        ear = Concerned()
        cluster.subscribe(ear)
        task = tasks.spawn(updates.run(), name="updates under test")
        try:
            await asyncio.sleep(0)
            yield cluster, ear
        finally:
            await tasks.cancel([task])


def marked(namespace: str, name: str, **data: str) -> Object:
    obj = config_map(namespace, name, **data)
    obj["metadata"]["annotations"] = {TRACKING_ID: f"{APP}:/ConfigMap:{namespace}/{name}"}
    return obj


async def told(client: Client, namespace: str, ear: Concerned, patch: Object) -> bool:
    """Whether anybody was told of ``patch`` to ``one``. That it goes to another app, and back, counts in any case, and comes after it."""
    ear.told.clear()
    await client.patch(CONFIG_MAPS, namespace, "one", patch)
    for app in ("other", APP):
        annotations = {TRACKING_ID: f"{app}:/ConfigMap:{namespace}/one"}
        await client.patch(CONFIG_MAPS, namespace, "one", {"metadata": {"annotations": annotations}})
    await ear.until(lambda: ear.told.count(("one", {APP, "other"})) == 2)
    return ("one", {APP}) in ear.told


RULES = [
    pytest.param({"json_pointers": ("/data/clock", "/metadata/annotations/beat")}, id="JSON pointers"),
    pytest.param({"jq_path_expressions": (".data.clock, .metadata.annotations.beat",)}, id="jq"),
]


@pytest.mark.parametrize("rule", RULES)
async def test_a_change_in_which_nothing_counts_tells_nobody(plane: Plane, namespace: str, pool: Pool, rule: dict[str, Any]) -> None:
    settings = Settings(ignore_updates=(Ignore("", "ConfigMap", name="one", **rule),))
    async with sifted(plane, settings, pool) as (cluster, ear), await Client.connect(str(plane.kubeconfig)) as other:
        await other.create(CONFIG_MAPS, marked(namespace, "one", clock="0", text="a"))
        await cluster.ensure([CONFIG_MAP])
        for patch, expected in (
            ({"data": {"clock": "1"}}, False),
            ({"metadata": {"annotations": {"beat": "1"}}}, False),
            ({"data": {"text": "b"}}, True),
            ({"data": {"clock": "2", "text": "c"}}, True),
            ({"data": {"clock": "3"}}, False),
        ):
            assert await told(other, namespace, ear, patch) is expected, patch
        ear.told.clear()
        await other.delete(CONFIG_MAPS, namespace, "one")
        await ear.until(lambda: ("one", {APP}) in ear.told)


async def test_what_we_wrote_ourselves_is_what_the_next_change_is_compared_with(plane: Plane, namespace: str, pool: Pool) -> None:
    settings = Settings(ignore_updates=(Ignore("", "ConfigMap", json_pointers=("/data/clock",)),))
    async with sifted(plane, settings, pool) as (cluster, ear), await Client.connect(str(plane.kubeconfig)) as other:
        await other.create(CONFIG_MAPS, marked(namespace, "one", text="ours"))
        await cluster.ensure([CONFIG_MAP])
        for _ in range(2):
            ear.told.clear()
            await other.patch(CONFIG_MAPS, namespace, "one", {"data": {"text": "drift"}})
            await ear.until(lambda: ("one", {APP}) in ear.told)
            cluster.note(await cluster.client.patch(CONFIG_MAPS, namespace, "one", {"data": {"text": "ours"}}))


async def test_a_change_of_health_counts_whatever_is_ignored(plane: Plane, namespace: str, pool: Pool) -> None:
    script = HealthScript("", "ConfigMap", 'return {status = obj.data.up == "yes" and "Healthy" or "Degraded", message = obj.data.up}')
    settings = Settings(ignore_updates=(Ignore("*", "*", json_pointers=("/data",)),), health_scripts=(script,))
    async with sifted(plane, settings, pool) as (cluster, ear), await Client.connect(str(plane.kubeconfig)) as other:
        await other.create(CONFIG_MAPS, marked(namespace, "one", up="yes"))
        await cluster.ensure([CONFIG_MAP])
        for up, expected in (("no", True), ("never", False), ("yes", True)):
            assert await told(other, namespace, ear, {"data": {"up": up}}) is expected


async def test_kinds_without_rules_pass_at_once_and_nothing_is_examined_without_rules(plane: Plane, namespace: str, pool: Pool) -> None:
    secret: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": namespace}}
    secret["metadata"]["annotations"] = {TRACKING_ID: f"{APP}:/Secret:{namespace}/s"}
    settings = Settings(ignore_updates=(Ignore("", "ConfigMap", json_pointers=("/data",)),))
    async with sifted(plane, settings, pool) as (cluster, ear), await Client.connect(str(plane.kubeconfig)) as other:
        await other.create(SECRETS, secret)
        await cluster.ensure([SECRET])
        ear.told.clear()
        await other.patch(SECRETS, namespace, "s", {"metadata": {"annotations": {"x": "y"}}})
        await ear.until(lambda: ("s", {APP}) in ear.told)


async def test_a_rule_that_is_wrong_hides_nothing(plane: Plane, namespace: str, pool: Pool) -> None:
    settings = Settings(ignore_updates=(Ignore("", "ConfigMap", name="one", jq_path_expressions=("..[",)),))
    async with sifted(plane, settings, pool) as (cluster, ear), await Client.connect(str(plane.kubeconfig)) as other:
        await other.create(CONFIG_MAPS, marked(namespace, "one", clock="0"))
        await cluster.ensure([CONFIG_MAP])
        ear.told.clear()
        await other.patch(CONFIG_MAPS, namespace, "one", {"data": {"clock": "1"}})
        await ear.until(lambda: ("one", {APP}) in ear.told)
