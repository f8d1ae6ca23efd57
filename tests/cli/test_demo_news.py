"""What the demo says of an app is what its Application tells, once; and what the story waits for is not missed."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.argo.resources import CONFIG_MAPS
from homeostat.cli.demos import examples
from homeostat.cli.demos.errors import StepError
from homeostat.cli.demos.news import news
from homeostat.cli.demos.watching import witness
from homeostat.live.client import Client
from homeostat.model.objects import Object
from tests.cluster import Cluster

BEGAN = 1_700_000_000.0
LATER = "2023-11-14T23:00:00Z"


def app(*, sync: str = "Synced", health: str = "Healthy", operation: Object | None = None, **status: Any) -> Object:
    return {"status": {"sync": {"status": sync}, "health": {"status": health}, "operationState": operation or {}, **status}}


def operation(phase: str = "Succeeded", *, finished: str = LATER, by: Object | None = None, sync: Object | None = None) -> Object:
    results = [
        {"kind": "Deployment", "name": "web", "message": "deployment.apps/web configured"},
        {"kind": "Service", "name": "web", "message": "service/web unchanged"},
        {"kind": "ConfigMap", "name": "old", "message": "pruned"},
    ]
    return {
        "phase": phase,
        "message": "why",
        "startedAt": LATER,
        "finishedAt": finished,
        "operation": {"sync": sync or {}, "initiatedBy": by or {"automated": True}},
        "syncResult": {"revision": "a" * 40, "resources": results},
    }


CHANGED = "Deployment web configured, ConfigMap old pruned, 1 unchanged"


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        pytest.param(app(), app(), [], id="nothing new"),
        pytest.param({}, app(), ["Healthy"], id="first sight"),
        pytest.param(app(), app(operation=operation()), [f"synced to aaaaaaa: {CHANGED}"], id="synced"),
        pytest.param(
            app(), app(operation=operation(by={"username": "ann"})), [f"synced to aaaaaaa for ann: {CHANGED}"], id="synced by hand"
        ),
        pytest.param(app(), app(operation=operation(sync={"autoHealAttemptsCount": 1})), [f"healed: {CHANGED}"], id="healed"),
        pytest.param(app(), app(operation=operation("Failed")), ["the sync to aaaaaaa ended as Failed: why"], id="failed"),
        pytest.param(app(), app(operation=operation(finished="2023-11-01T00:00:00Z")), [], id="of an earlier start"),
        pytest.param(
            app(),
            app(sync="OutOfSync", resources=[{"kind": "Service", "name": "web", "status": "OutOfSync"}]),
            ["OutOfSync: Service web"],
            id="drifted",
        ),
        pytest.param(
            app(),
            app(conditions=[{"type": "ComparisonError", "message": "a/b.yaml:3: no"}]),
            ["ComparisonError: a/b.yaml:3: no"],
            id="a condition comes",
        ),
        pytest.param(
            app(conditions=[{"type": "ComparisonError", "message": "no"}]), app(), ["ComparisonError is over"], id="a condition goes"
        ),
    ],
)
def test_what_is_new_is_said(before: Object, after: Object, lines: list[str]) -> None:
    assert list(news(before, after, since=BEGAN)) == lines


def test_every_example_is_an_application_of_a_folder_that_is_there() -> None:
    made = examples.applications("http://127.0.0.1:1/demo.git")
    assert [one["metadata"]["name"] for one in made] == list(examples.WRITTEN_AS)
    for one in made:
        assert one["spec"]["source"]["repoURL"] == "http://127.0.0.1:1/demo.git"
        assert (examples.repository() / one["spec"]["source"]["path"]).is_dir()


def config(namespace: str, colour: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": namespace, "name": "one"}, "data": {"colour": colour}}


async def test_a_witness_sees_what_came_and_went_and_says_what_it_missed(plane: Cluster, namespace: str) -> None:
    async with await Client.connect(str(plane.kubeconfig)) as client, witness(client, CONFIG_MAPS, namespace, "one") as seen:
        assert seen.last is None
        for colour in ("blue", "red", "green"):
            await client.apply(CONFIG_MAPS, config(namespace, colour))
        await client.delete(CONFIG_MAPS, namespace, "one")
        await seen.until("it is red", lambda obj: obj is not None and obj["data"]["colour"] == "red")
        await seen.until("it is green", lambda obj: obj is not None and obj["data"]["colour"] == "green")
        await seen.until("it is gone", lambda obj: obj is None)
        with pytest.raises(StepError, match=r"within 0\.1s that it is blue again .*there is no such object"):
            await seen.until("it is blue again", lambda obj: obj is not None, seconds=0.1)
