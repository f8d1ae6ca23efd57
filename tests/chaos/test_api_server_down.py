"""The API server dies in the middle of syncs, and comes back. It is a plane of this test's own: others go on using theirs."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homeostat.box.plane import Plane
from homeostat.model.objects import Object
from tests.chaos.fleet import Fleet
from tests.cluster import Cluster
from tests.e2e.apps import Apps
from tests.e2e.controller import Controller
from tests.e2e.repository import Repository


@pytest.fixture
def box(run_mark: str, tmp_path: Path) -> Iterator[Plane]:
    made = Plane("chaos", home=tmp_path / "box", lifeline=Path(run_mark))
    made.up()
    yield made
    made.reset()


@pytest.fixture
def plane(box: Plane, tmp_path: Path) -> Cluster:
    return Cluster(box.kubeconfig, tmp_path / "kubectl")


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_apps_go_on_when_the_api_server_comes_back(
    apps: Apps, controller: Controller, repository: Repository, rng: random.Random, box: Plane
) -> None:
    async with Fleet(apps, repository, rng) as fleet:
        await fleet.create()
        await fleet.synced()
        await fleet.remember()
        for _ in range(2):
            await fleet.commit()
            await apps.until(fleet.names[rng.choice(["waves", "wide"])], is_being_synced(fleet.head.revision))
            await asyncio.to_thread(kill_api_server, box)
            await asyncio.to_thread(box.up)
            await fleet.synced()
            await fleet.drift()
        await fleet.check()
        await fleet.is_at_rest()
        assert "Traceback" not in controller.log.read_text()


def is_being_synced(revision: str) -> Callable[[Object], bool]:
    def wanted(app: Object) -> bool:
        state = app["status"]["operationState"]
        return bool(state.get("syncResult", {}).get("revision") == revision)

    return wanted


def kill_api_server(box: Plane) -> None:
    [pid] = [component.pid for component in box.status().components if component.name == "kube-apiserver"]
    os.kill(pid, signal.SIGKILL)
