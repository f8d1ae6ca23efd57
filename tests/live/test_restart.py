"""The API server and its database are stopped and started again: watches go on, and nothing is missed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from homeostat.live import errors
from homeostat.live.client import Client
from homeostat.live.cluster import Cluster
from homeostat.model.objects import GroupKind, Key
from homeostat.model.tracking import TRACKING_ID
from tests.commands import homeostat
from tests.live.ears import Concerned
from tests.live.kinds import CONFIG_MAPS, config_map


@pytest.mark.slow
@pytest.mark.cluster
async def test_a_cluster_that_restarts_is_followed_on(tmp_path: Path) -> None:
    async def box(verb: str) -> str:
        done = await asyncio.to_thread(homeostat, "box", verb, "--name", "restart", env={"XDG_STATE_HOME": str(tmp_path)})
        assert done.code == 0, done.stderr
        return done.stdout.strip()

    await box("up")
    try:
        async with await Client.connect(await box("kubeconfig")) as client, Cluster(client) as cluster:
            config_maps = GroupKind("", "ConfigMap")
            await cluster.ensure([config_maps])
            ear = Concerned()
            cluster.subscribe(ear)
            for name in ("before", "after"):
                obj = config_map("default", name)
                obj["metadata"]["annotations"] = {TRACKING_ID: f"web:/ConfigMap:default/{name}"}
                await client.apply(CONFIG_MAPS, obj)
                await ear.until(lambda name=name: (name, {"web"}) in ear.told)  # type: ignore[misc]
                if name == "before":
                    await box("down")
                    for _ in range(2):
                        with pytest.raises(errors.UnavailableError):
                            await client.create(CONFIG_MAPS, config_map("default", "lost"))
                    assert not cluster.connected
                    await box("up")
            assert cluster.index.managed("web") == {Key("", "ConfigMap", "default", "before"), Key("", "ConfigMap", "default", "after")}
            assert cluster.unavailable([config_maps]) == {}
    finally:
        await box("reset")
