"""`app sync`, `app terminate-op` and `app refresh`: what is asked for, what is shown of it, what is refused."""

from __future__ import annotations

import json

import pytest

from homeostat.cli.apps.progress import Progress
from homeostat.model.objects import Object
from tests.cli.stage import Stage
from tests.e2e.texts import config

NEVER_READY = """apiVersion: apps/v1
kind: Deployment
metadata: {name: never, annotations: {argocd.argoproj.io/sync-wave: "-1"}}
spec:
  selector: {matchLabels: {app: never}}
  template:
    metadata: {labels: {app: never}}
    spec:
      nodeSelector: {no: such-node}
      containers: [{name: never, image: registry.example/never:1}]
"""


def test_a_sync_leaves_what_is_no_longer_in_git_says_so_and_prunes_when_asked_to(stage: Stage) -> None:
    stage.write(prune__one=config("one", x="1"), prune__two=config("two", x="1"))
    stage.push()
    stage.create("prune")
    stage.app("sync", "prune")
    stage.repository.remove("prune/two.yaml")
    stage.push()
    stage.app("refresh", "prune")

    done = stage.app("sync", "prune", code=1)
    assert "error: app `prune` was synced, but 1 object is to be pruned: ConfigMap prune-" in done.stderr
    assert "hint: `homeostat app sync prune --prune`" in done.stderr
    done = stage.app("sync", "prune", "--prune")
    assert "/two   Pruned   pruned" in done.stdout


def test_a_dry_run_shows_what_would_be_done_and_does_nothing(stage: Stage) -> None:
    stage.write(dry__one=config("one", x="1"))
    stage.push()
    stage.create("dry")
    done = stage.app("sync", "dry", "--dry-run")
    assert "configmap/one created" in done.stdout
    assert "(dry run)" in done.stdout
    assert "app `dry` would be synced to" in done.stdout
    assert stage.plane.kubectl("-n", stage.namespace("dry"), "get", "configmap", "one", "--ignore-not-found") == ""


def test_a_partial_sync_touches_only_what_was_named(stage: Stage) -> None:
    stage.write(part__one=config("one", x="1"), part__two=config("two", x="1"))
    stage.push()
    stage.create("part", "--no-auto-prune")
    stage.app("refresh", "part")
    stage.plane.kubectl("create", "namespace", stage.namespace("part"))
    done = stage.app("sync", "part", "--resource", ":ConfigMap:two")
    assert "/two   Synced" in done.stdout
    assert "/one" not in done.stdout
    done = stage.app("sync", "part", "--resource", "apps:Deployment:two", code=1)
    assert "error: none of the objects of app `part` is among those to be synced" in done.stderr
    assert "expected [!]GROUP:KIND:[NAMESPACE/]NAME" in stage.app("sync", "part", "--resource", "two", code=2).stderr


def test_a_second_operation_is_refused_and_one_that_runs_can_be_called_off(stage: Stage) -> None:
    stage.write(busy__never=NEVER_READY, busy__one=config("one", x="1"))
    stage.push()
    stage.create("busy")
    done = stage.app("sync", "busy", "--async")
    assert done.stdout == "a sync of app `busy` was asked for\n"
    done = stage.app("sync", "busy", code=1)
    assert "error: another operation is already in progress on app `busy`" in done.stderr
    assert "hint: wait for it with `homeostat app wait busy --operation`, or end it with `homeostat app terminate-op busy`" in done.stderr

    done = stage.app("wait", "busy", "--operation", "--timeout", "2", code=1)
    assert "error: timed out after 2s, waiting for app `busy`: a sync is under way" in done.stderr

    assert stage.app("terminate-op", "busy").stdout == "the operation on app `busy` has ended\n"
    state = stage.get("busy")["status"]["operationState"]
    assert (state["phase"], state["message"]) == ("Failed", "Operation terminated")
    assert "error: no operation is in progress on app `busy`" in stage.app("terminate-op", "busy", code=1).stderr


def test_a_sync_that_takes_too_long_goes_on_without_the_one_who_waited(stage: Stage) -> None:
    stage.write(slow__never=NEVER_READY, slow__one=config("one", x="1"))
    stage.push()
    stage.create("slow")
    done = stage.app("sync", "slow", "--timeout", "3s", code=1)
    assert "deployment.apps/never created" in done.stdout
    assert "waiting for healthy state of apps/Deployment/never" in done.stdout
    assert "error: timed out after 3s, the sync goes on: waiting for healthy state of apps/Deployment/never" in done.stderr
    assert stage.get("slow")["status"]["operationState"]["phase"] == "Running"
    stage.app("terminate-op", "slow")


def test_a_sync_that_fails_exits_with_1_and_says_why(stage: Stage) -> None:
    stage.write(fail__bad="apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {ports: [{port: 99999}]}\n")
    stage.push()
    stage.create("fail")
    done = stage.app("sync", "fail", code=1)
    assert "/bad   SyncFailed" in done.stdout
    assert "error: the sync of app `fail` ended as Failed" in done.stderr
    assert "99999" in done.stderr


def test_what_is_asked_for_by_options_stands_in_the_operation(stage: Stage) -> None:
    stage.write(asked__one=config("one", x="1"), asked__two=config("two", x="1"))
    stage.push()
    stage.create("asked", "--sync-option", "ServerSideApply=false", "--sync-option", "Replace=false", "--project", "default")
    stage.app("refresh", "asked")
    stage.app(
        "sync", "asked", "--strategy", "apply", "--force", "--server-side", "--apply-out-of-sync-only", "--resource", "!:ConfigMap:two",
        "--retry-limit", "2", "--retry-backoff-duration", "1s", "--retry-refresh", "--info", "why=test",
    )  # fmt: skip
    operation = stage.get("asked")["status"]["operationState"]["operation"]
    assert operation["sync"]["syncStrategy"] == {"apply": {"force": True}}
    assert sorted(operation["sync"]["syncOptions"]) == [
        "ApplyOutOfSyncOnly=true",
        "CreateNamespace=true",
        "Replace=false",
        "ServerSideApply=true",
    ]
    assert operation["sync"]["resources"] == [{"group": "", "kind": "ConfigMap", "name": "two", "exclude": True}]
    assert operation["retry"] == {"limit": 2, "refresh": True, "backoff": {"duration": "1s", "factor": 2, "maxDuration": "180s"}}
    assert operation["info"] == [{"name": "why", "value": "test"}]
    assert stage.plane.kubectl("-n", stage.namespace("asked"), "get", "configmap", "two", "--ignore-not-found") == ""


HOOK = """apiVersion: v1
kind: ConfigMap
metadata: {name: NAME, annotations: {argocd.argoproj.io/hook: TYPE, argocd.argoproj.io/hook-delete-policy: BeforeHookCreation}}
"""


def test_hooks_and_waves_are_told_as_they_come(stage: Stage) -> None:
    late = config("late", x="1").replace("  name: late\n", "  name: late\n  annotations: {argocd.argoproj.io/sync-wave: '3'}\n")
    stage.write(
        hooked__one=config("one", x="1"),
        hooked__late=late,
        hooked__before=HOOK.replace("NAME", "before").replace("TYPE", "PreSync"),
        hooked__after=HOOK.replace("NAME", "after").replace("TYPE", "PostSync"),
    )
    stage.push()
    stage.create("hooked")
    stage.plane.kubectl("create", "namespace", stage.namespace("hooked"))
    stage.app("refresh", "hooked")
    lines = stage.app("sync", "hooked").stdout.splitlines()
    stages = [line for line in lines if line.startswith("--")]
    assert stages == ["-- PreSync", "-- Sync", "-- Sync, wave 3", "-- PostSync"]
    assert any("/before   PreSync hook Succeeded" in line for line in lines)
    assert lines.index("-- Sync, wave 3") < next(place for place, line in enumerate(lines) if "/late   Synced" in line)


def test_another_revision_is_refused_while_syncs_are_automated(stage: Stage) -> None:
    stage.write(auto__one=config("one", x="1"))
    stage.push()
    stage.create("auto", policy="automated")
    stage.synced("auto")
    done = stage.app("sync", "auto", "--revision", "other", code=1)
    assert "error: app `auto` is synced automatically to main" in done.stderr
    assert "hint: change it for good with `homeostat app set auto --revision other`" in done.stderr


def test_several_apps_are_synced_by_label(stage: Stage) -> None:
    stage.write(team__one=config("one", x="1"))
    stage.push()
    for name in ("team-a", "team-b"):
        stage.create(name, "--label", "team=both", path="team")
    done = stage.app("sync", "-l", "team=both")
    assert done.stdout.count("is synced to") == 2
    assert "no app in namespace" in stage.app("sync", "-l", "team=none", code=1).stderr
    assert "name one or more apps" in stage.app("sync", code=1).stderr


def test_a_refresh_sees_what_was_pushed_and_tells_what_is_wrong(stage: Stage) -> None:
    stage.write(fresh__one=config("one", x="1"))
    stage.push()
    stage.create("fresh")
    done = stage.app("refresh", "fresh")
    assert "Sync:     OutOfSync" in done.stdout
    stage.write(fresh__two="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [")
    stage.push()
    done = stage.app("refresh", "fresh", "--hard")
    assert "Sync:     Unknown" in done.stdout
    assert "warning: ComparisonError" in done.stderr
    assert "fresh/two.yaml" in done.stderr
    done = stage.app("wait", "fresh", "--sync", "--timeout", "1", code=1)
    assert "fresh/two.yaml" in done.stderr


def test_an_app_that_is_to_be_left_alone_is_neither_refreshed_nor_synced(stage: Stage) -> None:
    stage.create("alone", "--annotations", "argocd.argoproj.io/skip-reconcile=true")
    for verb in ("refresh", "sync"):
        done = stage.app(verb, "alone", code=1)
        assert "error: app `alone` is to be left alone" in done.stderr
        assert "annotate application alone argocd.argoproj.io/skip-reconcile-" in done.stderr


@pytest.fixture
def before() -> Object:
    old = {"phase": "Succeeded", "message": "old", "syncResult": {"resources": [{"kind": "ConfigMap", "name": "old", "status": "Synced"}]}}
    return {"metadata": {"name": "web"}, "status": {"operationState": old}}


def test_what_an_earlier_operation_did_is_not_told_again(before: Object) -> None:
    progress = Progress(before)
    asked = json.loads(json.dumps({**before, "operation": {"sync": {}}}))
    assert list(progress.see(asked)) == []
    assert not progress.done
    assert progress.waiting_for == "the controller has not begun with the sync"


def test_each_object_is_told_once_for_each_thing_that_becomes_of_it(before: Object) -> None:
    progress = Progress(before)

    def running(*results: Object, message: str = "", phase: str = "Running") -> Object:
        state = {"phase": phase, "message": message, "syncResult": {"resources": list(results)}}
        return {**before, **({"operation": {"sync": {}}} if phase == "Running" else {}), "status": {"operationState": state}}

    one = {"kind": "ConfigMap", "name": "one", "status": "Synced", "message": "configmap/one created", "syncPhase": "Sync"}
    two = {"group": "apps", "kind": "Deployment", "namespace": "n", "name": "two", "status": "Synced", "syncPhase": "Sync"}
    assert list(progress.see(running(one))) == ["ConfigMap one   Synced   configmap/one created"]
    assert list(progress.see(running(one))) == []
    assert list(progress.see(running({**one, "hookPhase": "Succeeded"}, two, message="waiting"))) == [
        "apps/Deployment n/two   Synced",
        "waiting",
    ]
    failed = {**two, "hookPhase": "Failed", "message": "it broke"}
    assert list(progress.see(running(one, failed, phase="Failed", message="no"))) == ["apps/Deployment n/two   Failed   it broke"]
    assert progress.done
