"""The controller is killed in the middle of what it does, again and again."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from homeostat.model.tasks import cancel, spawn
from tests.chaos.faults import Tripwire
from tests.chaos.fleet import Fleet
from tests.e2e.apps import Apps
from tests.e2e.controller import Controller
from tests.e2e.repository import Repository
from tests.proxy import Proxy

KILLS = 20
WRITES = 60
"""A commit to the fleet takes about as many."""
STARTUP = 30
"""Requests of a start, about."""


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_killed_at_twenty_points_of_its_syncs_it_goes_on_where_it_was(
    apps: Apps, repository: Repository, rng: random.Random, tmp_path: Path
) -> None:
    async with Fleet(apps, repository, rng) as fleet, Proxy(apps.plane.kubeconfig) as proxy:
        controller = Controller(proxy.kubeconfig, apps.control, tmp_path / "controller")
        await fleet.create()
        await controller.start()
        await fleet.synced()
        await fleet.remember()
        await controller.stop()
        await fleet.commit()
        for kill in range(KILLS):
            if kill % 5 == 4:
                trip = Tripwire(rng.randint(1, STARTUP), writes=False, before=rng.random() < 0.5)
            else:
                trip = Tripwire(rng.randint(1, WRITES), writes=True, before=rng.random() < 0.5)
            proxy.faults.insert(0, trip)
            starting = spawn(start(controller, trip), name="start the controller")
            while await synced_before(trip, fleet):
                await fleet.commit()
            await controller.kill()
            await starting
            proxy.faults.remove(trip)

        await controller.start()
        try:
            await fleet.synced()
            await fleet.check()
            await fleet.is_at_rest()
            assert "Traceback" not in controller.log.read_text()
        finally:
            await controller.stop()


async def start(controller: Controller, trip: Tripwire) -> None:
    try:
        await controller.start()
    except AssertionError:
        assert trip.tripped.is_set()  # it was killed before it was ready


async def synced_before(trip: Tripwire, fleet: Fleet) -> bool:
    """Waits for the wire to be tripped, or for the fleet to be done before that."""
    tripped = spawn(trip.tripped.wait(), name="tripwire")
    synced = spawn(fleet.synced(), name="fleet synced")
    try:
        await asyncio.wait([tripped, synced], return_when=asyncio.FIRST_COMPLETED)
        if not tripped.done():
            synced.result()
        return not tripped.done()
    finally:
        await cancel([tripped, synced])
