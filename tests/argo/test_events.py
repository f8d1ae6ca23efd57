"""What changes between two statuses is told in Argo CD's words."""

from __future__ import annotations

import copy
import json

import pytest
from msgspec.structs import replace

from homeostat.argo.events import BURST, EventWriter, Happening, derive
from homeostat.live.client import Client
from tests.argo import samples

LINES = [json.loads(line) for line in (samples.FOLDER / "recorded" / "events.jsonl").read_text(encoding="utf-8").splitlines()]


def told(app: str) -> list[tuple[str, str, str]]:
    return [(line["type"], line["reason"], line["message"]) for line in LINES if line["object"] == app]


def shown(happenings: list[Happening]) -> list[tuple[str, str, str]]:
    return [(one.type, one.reason, one.message) for one in happenings]


@pytest.mark.parametrize("name", ["plain", "waves"])
def test_a_first_sync_tells_what_argo_cd_told(name: str) -> None:
    final = samples.recorded(name)["status"]
    running = copy.deepcopy(final)
    running["operationState"]["phase"] = "Running"
    running["sync"]["status"] = "OutOfSync"
    running["health"]["status"] = "Missing"
    happened = shown([*derive({}, running), *derive(running, final)])
    assert set(happened) <= set(told(name))
    assert [reason for _, reason, _ in happened].count("OperationStarted") == 1
    assert [reason for _, reason, _ in happened].count("OperationCompleted") == 1
    assert happened[0][1:] == ("OperationStarted", f"Initiated automated sync to '{final['sync']['revision']}'")
    assert happened[1][2] == "Updated sync status:  -> OutOfSync"
    assert happened[-1][2].startswith("Sync operation to")


def test_a_sync_that_begins_and_ends_in_one_write_is_told_whole() -> None:
    before, after = samples.recorded("plain-after-second-commit")["status"], samples.recorded("plain-after-self-heal")["status"]
    revision = after["sync"]["revision"]
    assert shown(derive(before, after)) == [
        ("Normal", "OperationStarted", f"Initiated automated sync to '{revision}'"),
        ("Normal", "OperationCompleted", f"Partial sync operation to {revision} succeeded"),
    ]


def test_another_attempt_is_no_new_operation() -> None:
    waiting = samples.recorded("broken-schema")["status"]
    again = copy.deepcopy(waiting)
    del again["operationState"]["finishedAt"]
    again["operationState"]["retryCount"] = 6
    assert derive(waiting, again) == []


def test_a_failed_sync_is_a_warning() -> None:
    waiting = samples.recorded("broken-schema")["status"]
    failed = copy.deepcopy(waiting)
    failed["operationState"].update(phase="Failed", message="no luck")
    assert shown(derive(waiting, failed)) == [
        ("Warning", "OperationCompleted", f"Sync operation to {failed['sync']['revision']} failed: no luck")
    ]


def test_a_sync_that_a_user_asked_for_is_announced_by_whoever_asked() -> None:
    final = samples.recorded("plain")["status"]
    final["operationState"]["operation"]["initiatedBy"] = {"username": "ann"}
    assert [one.reason for one in derive({}, final)] == ["ResourceUpdated", "ResourceUpdated", "OperationCompleted"]


def test_a_deletion_that_fails_is_told_once() -> None:
    failed = {"conditions": [{"type": "DeletionError", "message": "no rights"}]}
    assert shown(derive({}, failed)) == [("Warning", "StatusRefreshed", "Unable to delete application resources: no rights")]
    assert derive(failed, failed) == []


def test_nothing_is_told_when_nothing_changed() -> None:
    status = samples.recorded("plain")["status"]
    assert derive(status, status) == []


async def test_one_noisy_application_does_not_drown_the_others() -> None:
    client = await Client.connect(str(samples.FOLDER / "nowhere.kubeconfig"))
    async with client:
        writer = EventWriter(client, clock=lambda: 0.0)
        noisy, quiet = samples.read(samples.application("noisy")), samples.read(samples.application("quiet"))
        noisy, quiet = replace(noisy, uid="n"), replace(quiet, uid="q")
        for number in range(BURST + 5):
            writer.tell(noisy, [Happening("ResourceUpdated", f"change {number}")])
        assert writer.dropped == 5
        writer.tell(noisy, [Happening("ResourceUpdated", "change 0")])
        writer.tell(quiet, [Happening("ResourceUpdated", "change 0")])
        assert writer.dropped == 5
