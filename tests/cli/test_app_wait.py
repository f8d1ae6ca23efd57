"""What `app wait` waits for, in words."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.cli.apps.wait import Goals, unmet
from homeostat.model.objects import Object
from tests.cli.stage import Stage

NONE = {"sync": False, "health": False, "suspended": False, "degraded": False, "operation": False, "delete": False}
SOURCE = {"repoURL": "https://git.example/web.git", "path": "web", "directory": {}}


def app(sync: str = "Synced", health: str = "Healthy", **more: Any) -> Object:
    destination = {"server": "https://kubernetes.default.svc"}
    status: Object = {
        "sync": {"status": sync, "comparedTo": {"source": {**SOURCE}, "destination": {**destination, "namespace": ""}}},
        "health": {"status": health},
        **more.pop("status", {}),
    }
    return {
        "metadata": {"name": "web", **more.pop("metadata", {})},
        "spec": {"source": SOURCE, "destination": destination},
        "status": status,
    } | more


@pytest.mark.parametrize(
    ("asked", "now", "left"),
    [
        pytest.param({}, app(), [], id="synced, healthy, idle"),
        pytest.param({}, app("OutOfSync", "Missing"), ["it is OutOfSync", "it is Missing"], id="neither"),
        pytest.param({"sync": True}, app(health="Degraded"), [], id="only sync asked for"),
        pytest.param({"health": True}, app("OutOfSync"), [], id="only health asked for"),
        pytest.param({"health": True, "degraded": True}, app(health="Degraded"), [], id="one of two healths"),
        pytest.param({"suspended": True}, app(), ["it is Healthy"], id="another health"),
        pytest.param({"operation": True}, app(operation={"sync": {}}), ["a sync is under way"], id="an operation asked for"),
        pytest.param({"delete": True}, app(), ["nobody has deleted it"], id="not deleted"),
        pytest.param(
            {}, {"metadata": {"name": "web"}, "spec": {}}, ["nobody has looked at it yet", "it is Unknown", "it is Unknown"], id="new"
        ),
        pytest.param(
            {"sync": True},
            app(metadata={"annotations": {"argocd.argoproj.io/refresh": "normal"}}),
            ["it is being refreshed"],
            id="a refresh is due",
        ),
        pytest.param(
            {"sync": True},
            app(spec={"source": {**SOURCE, "path": "other"}, "destination": {"server": "https://kubernetes.default.svc"}}),
            ["its spec has changed since it was looked at"],
            id="changed since",
        ),
        pytest.param(
            {"sync": True, "health": True, "resources": [{"group": "apps", "kind": "Deployment", "name": "web"}]},
            app("OutOfSync", status={"resources": [{"group": "apps", "kind": "Deployment", "name": "web", "status": "Synced"}]}),
            [],
            id="one object of an app",
        ),
        pytest.param(
            {"sync": True, "resources": [{"group": "", "kind": "Service", "name": "web"}]},
            app(status={"resources": [{"kind": "Service", "namespace": "n", "name": "web", "status": "OutOfSync"}]}),
            ["Service n/web is OutOfSync"],
            id="an object that is not there yet",
        ),
    ],
)
def test_what_is_left_is_said(asked: dict[str, Any], now: Object, left: list[str]) -> None:
    assert unmet(now, Goals.of(**{**NONE, **asked})) == left


def test_waiting_for_an_app_that_is_gone_already_is_over_at_once(stage: Stage) -> None:
    assert stage.app("wait", "never-there", "--delete").stdout == "app `never-there` is gone\n"
    assert "there is no app `never-there`" in stage.app("wait", "never-there", code=1).stderr
