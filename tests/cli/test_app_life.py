"""An app's life by the command line alone: created, synced, changed, rolled back, deleted."""

from __future__ import annotations

import json

from tests.cli.stage import Stage
from tests.e2e.texts import config


def test_an_app_is_created_synced_changed_rolled_back_and_deleted(stage: Stage) -> None:
    stage.write(life__one=config("one", colour="blue"))
    first = stage.push()
    stage.create("life")
    stage.app("refresh", "life")

    done = stage.app("sync", "life")
    assert "configmap/one created" in done.stdout
    assert f"app `life` is synced to {first[:7]}: successfully synced (all tasks run)" in done.stdout
    assert stage.get("life")["status"]["history"][0]["initiatedBy"]["username"]

    stage.write(life__one=config("one", colour="green"))
    second = stage.push()
    done = stage.app("diff", "life", code=1)
    assert "===== ConfigMap life-" in done.stdout
    assert "-  colour: blue" in done.stdout
    assert "+  colour: green" in done.stdout
    stage.app("sync", "life")
    assert stage.app("diff", "life").stdout == ""

    table = stage.app("history", "life", "-o", "wide").stdout
    assert first in table
    assert second in table
    assert stage.app("history", "life", "-o", "name").stdout.split() == ["0", "1"]

    done = stage.app("rollback", "life")
    assert f"rolling app `life` back to 0 ({first[:7]})" in done.stderr
    assert stage.object("configmap", "life", "one")["data"] == {"colour": "blue"}

    stage.app("delete", "life", "--yes", "--wait", "--timeout", "60")
    listed = json.loads(stage.app("list", "-o", "json").stdout)
    assert "life" not in [app["metadata"]["name"] for app in listed]
    assert stage.plane.kubectl("-n", stage.namespace("life"), "get", "configmap", "one", "--ignore-not-found") == ""


def test_a_rollback_takes_the_source_of_then_and_leaves_the_spec(stage: Stage) -> None:
    stage.write(moved__before__one=config("one", place="before"), moved__after__one=config("one", place="after"))
    stage.push()
    stage.create("moved", path="moved/before")
    stage.app("sync", "moved")
    stage.app("set", "moved", "--path", "moved/after")
    stage.app("sync", "moved")
    assert stage.object("configmap", "moved", "one")["data"] == {"place": "after"}

    stage.app("rollback", "moved", "0")
    assert stage.object("configmap", "moved", "one")["data"] == {"place": "before"}
    app = stage.get("moved")
    assert app["spec"]["source"]["path"] == "moved/after"
    assert app["status"]["history"][-1]["source"]["path"] == "moved/before"
    assert "+  place: after" in stage.app("diff", "moved", code=1).stdout


def test_a_rollback_is_refused_while_syncs_are_automated_and_where_there_is_no_such_entry(stage: Stage) -> None:
    stage.write(pinned__one=config("one", x="1"))
    stage.push()
    stage.create("pinned", policy="automated")
    stage.synced("pinned")
    done = stage.app("rollback", "pinned", code=1)
    assert "error: app `pinned` is synced automatically: a rollback would be taken back at once" in done.stderr
    assert "hint: turn that off with `homeostat app set pinned --sync-policy none`" in done.stderr

    stage.app("set", "pinned", "--sync-policy", "none")
    assert "has nothing to go back to" in stage.app("rollback", "pinned", code=1).stderr
    done = stage.app("rollback", "pinned", "7", code=1)
    assert "error: the history of app `pinned` has no entry 7" in done.stderr
    assert "hint: its entries are: 0" in done.stderr


def test_an_app_that_is_deleted_without_cascade_leaves_its_objects(stage: Stage) -> None:
    stage.write(kept__one=config("one", x="1"))
    stage.push()
    stage.create("kept", "--set-finalizer")
    stage.app("sync", "kept")
    done = stage.app("delete", "kept", "--cascade=false", code=1)
    assert "hint: `--yes` says that it is meant" in done.stderr
    stage.app("delete", "kept", "--cascade=false", "-y", "--wait", "--timeout", "60")
    assert stage.object("configmap", "kept", "one")["data"] == {"x": "1"}
