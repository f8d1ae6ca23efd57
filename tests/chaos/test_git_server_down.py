"""The Git server goes away while apps are being synced from it, and comes back."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from homeostat.box.gitserver import GitServer
from homeostat.model.objects import Object
from tests.chaos.fleet import Fleet
from tests.e2e.apps import Apps, conditions_of
from tests.e2e.controller import Controller
from tests.e2e.repository import Repository
from tests.e2e.texts import config


@pytest.fixture
async def elsewhere(git: GitServer, tmp_path: Path) -> Repository:
    """A repository on a server that stays up."""
    await git.create("elsewhere")
    return Repository(tmp_path / "elsewhere", git.url("elsewhere"))


@pytest.mark.slow
async def test_apps_say_so_heal_go_on_and_catch_up(
    apps: Apps, controller: Controller, elsewhere: Repository, rng: random.Random, tmp_path: Path
) -> None:
    patch = json.dumps({"data": {"timeout.reconciliation": "1s", "timeout.reconciliation.jitter": "0s"}})
    apps.plane.kubectl("-n", apps.control, "patch", "configmap", "argocd-cm", "--type=merge", f"-p={patch}")
    async with GitServer(tmp_path / "shaky") as server:
        await server.create("fleet")
        fleet = Fleet(apps, Repository(tmp_path / "fleet", server.url("fleet")), rng)
        fleet.repository.write("new/one.yaml", config("one", colour="blue"))
        await fleet.create()
        await fleet.synced()
        await fleet.remember()
        for _ in range(3):
            await fleet.commit()
        # It goes away while all of them fetch the last one.

    async with fleet:
        fleet.names["new"] = await apps.create("new", fleet.repository.url, "new")
        other = await apps.create("other", elsewhere.url, ".")
        for about, name in fleet.names.items():
            app = await apps.until(name, says_unreachable)
            assert fleet.repository.url in conditions_of(app)["ComparisonError"]
            if about != "new":
                assert app["status"]["resources"], "what is there is still known"
                assert {one["status"] for one in app["status"]["resources"]} <= {"Synced", "OutOfSync", "Unknown"}
        elsewhere.write("one.yaml", config("one", colour="blue"))
        await apps.synced(other, await elsewhere.push())

        async with GitServer(tmp_path / "shaky", port=server.port):
            await fleet.synced()
            for name in fleet.names.values():
                await apps.until(name, lambda app: not conditions_of(app))
            del fleet.names["new"]
            await fleet.check()
            await fleet.is_at_rest()
        assert "Traceback" not in controller.log.read_text()


def says_unreachable(app: Object) -> bool:
    return "ComparisonError" in conditions_of(app)
