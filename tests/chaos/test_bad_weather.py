"""The way to the API server is bad: it refuses at random, loses answers, drops watches in the middle."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.faults import Weather
from tests.chaos.fleet import Fleet
from tests.e2e.apps import Apps
from tests.e2e.controller import Controller
from tests.e2e.repository import Repository
from tests.proxy import Proxy

QUICK_RETRIES = {"limit": -1, "backoff": {"duration": "200ms", "factor": 1, "maxDuration": "200ms"}}


@pytest.fixture
async def proxy(apps: Apps) -> AsyncIterator[Proxy]:
    async with Proxy(apps.plane.kubeconfig) as proxy:
        yield proxy


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_apps_sync_drift_and_change_through_bad_weather(
    apps: Apps, repository: Repository, proxy: Proxy, rng: random.Random, tmp_path: Path
) -> None:
    async with Fleet(apps, repository, rng) as fleet:
        controller = Controller(proxy.kubeconfig, apps.control, tmp_path / "controller")
        await fleet.create(retry=QUICK_RETRIES)
        await controller.start()
        try:
            await fleet.synced()
            await fleet.remember()
            weather = Weather(rng, often=8)
            proxy.faults.insert(0, weather)
            for _ in range(4):
                await fleet.commit()
                proxy.cut()
                await fleet.synced(seconds=60)
                await fleet.drift()
                proxy.cut()
            proxy.faults.remove(weather)
            assert weather.hits > 20, "there was no bad weather to speak of"
            await fleet.commit()
            await fleet.synced()
            await fleet.check()
            await fleet.is_at_rest()
            assert "Traceback" not in controller.log.read_text()
        finally:
            await controller.stop()
