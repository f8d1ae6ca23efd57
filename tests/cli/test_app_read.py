"""What `homeostat app` shows: lists, one app, its objects, its differences; and what it says when there is nothing."""

from __future__ import annotations

import json
from typing import Any

import click
import pytest

from homeostat.model import yaml
from tests.cli.stage import Stage
from tests.e2e.texts import config

WEB = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "registry.example/web:1"}]}
"""


@pytest.fixture(scope="module")
def shop(stage: Stage) -> str:
    """An app that is synced and healthy, with pods."""
    stage.write(shop__web=WEB, shop__one=config("one", x="1"))
    stage.push()
    stage.create("shop", "--label", "team=shop", "--project", "default")
    stage.app("sync", "shop")
    stage.app("wait", "shop", "--timeout", "60")
    return "shop"


def test_a_list_is_narrowed_by_label_project_and_repository(stage: Stage, shop: str) -> None:
    def names(*options: str) -> list[str]:
        return [name.removeprefix(f"{stage.control}/") for name in stage.app("list", "-o", "name", *options).stdout.split()]

    assert shop in names()
    assert names("-l", "team=shop") == [shop]
    assert shop in names("-p", "default", "-p", "other")
    assert names("-p", "other") == []
    assert shop in names("-r", stage.repository.url.removesuffix(".git"))
    assert names("-r", "https://git.example/other.git") == []
    assert shop in names("-c", "https://kubernetes.default.svc/")
    done = stage.app("list", "-l", "team=none")
    assert done.stdout.startswith("NAME ")
    assert done.stderr == f"no apps found in namespace {stage.control}\n"


def test_the_forms_of_a_list_hold_the_same_apps(stage: Stage, shop: str) -> None:
    listed = json.loads(stage.app("list", "-l", "team=shop", "-o", "json").stdout)
    assert listed == yaml.load(stage.app("list", "-l", "team=shop", "-o", "yaml").stdout)
    assert [app["metadata"]["name"] for app in listed] == [shop]
    assert "managedFields" not in listed[0]["metadata"]
    header, row = stage.app("list", "-l", "team=shop", "-o", "wide").stdout.splitlines()
    assert header.split()[:5] == ["NAME", "PROJECT", "SYNC", "HEALTH", "REVISION"]
    assert row.split()[:4] == [shop, "default", "Synced", "Healthy"]
    assert stage.repository.url in row


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_table_fits_the_terminal_and_a_pipe_gets_every_letter(stage: Stage, columns: int) -> None:
    for line in stage.app("list", "-o", "wide", terminal=columns).stdout.splitlines():
        assert len(click.unstyle(line)) <= max(columns, 13 * 8 + 12 * 3)
    for line in stage.app("list", terminal=max(columns, 90)).stdout.splitlines():
        assert len(click.unstyle(line)) <= max(columns, 90)
    assert stage.repository.url in stage.app("list", "-o", "wide").stdout


@pytest.mark.usefixtures("shop")
def test_colours_are_for_terminals_of_people_who_want_them(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[32mSynced" in stage.app("list", terminal=200).stdout
    assert "\x1b" not in stage.app("list").stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in stage.app("list", terminal=200).stdout


def test_one_app_is_shown_with_the_health_of_each_object(stage: Stage, shop: str) -> None:
    text = stage.app("get", shop).stdout
    assert "Sync:        Synced (at " in text
    assert "Health:      Healthy" in text
    deployment = next(line for line in text.splitlines() if "Deployment" in line)
    assert deployment.split()[:6] == ["apps", "Deployment", stage.namespace("shop"), "web", "Synced", "Healthy"]
    assert "Operation:   Sync" in stage.app("get", shop, "--show-operation").stdout
    assert "the source has no options" in stage.app("get", shop, "--show-params").stdout
    assert json.loads(stage.app("get", f"{stage.control}/{shop}", "-o", "json").stdout)["metadata"]["name"] == shop


def test_the_tree_holds_what_the_objects_brought_about(stage: Stage, shop: str) -> None:
    (deployment,) = [one for one in json.loads(stage.app("resources", shop, "--tree", "-o", "json").stdout) if one["kind"] == "Deployment"]
    (replica_set,) = deployment["children"]
    assert [pod["kind"] for pod in replica_set["children"]] == ["Pod", "Pod"]
    lines = stage.app("resources", shop, "--tree").stdout.splitlines()
    assert [line.split("/")[0].strip() for line in lines[1:]] == ["ConfigMap", "apps", "└─ apps", "├─ Pod", "└─ Pod"]
    names = stage.app("resources", shop, "--tree", "-o", "name").stdout
    assert names.startswith("configmap/one\ndeployment.apps/web\nreplicaset.apps/web-")


def test_manifests_are_what_git_declares_or_what_is_live(stage: Stage, shop: str) -> None:
    git = {one["kind"]: one for one in yaml.load_all(stage.app("manifests", shop).stdout) if one}
    assert git["Deployment"]["metadata"]["namespace"] == stage.namespace("shop")
    assert "status" not in git["Deployment"]
    live = {one["kind"]: one for one in json.loads(stage.app("manifests", shop, "--source", "live", "-o", "json").stdout)["items"]}
    assert live["Deployment"]["status"]["readyReplicas"] == 2
    assert "managedFields" not in live["Deployment"]["metadata"]
    assert stage.app("manifests", shop, "-o", "name").stdout.split() == ["configmap/one", "deployment.apps/web"]


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    "verb", ["get", "diff", "sync", "wait", "history", "resources", "manifests", "rollback", "refresh", "logs", "terminate-op"]
)
def test_an_app_that_is_not_there_is_said_with_names_like_it(stage: Stage, verb: str) -> None:
    done = stage.app(verb, "shpo", code=2 if verb == "diff" else 1)
    assert f"error: there is no app `shpo` in namespace {stage.control}\n" in done.stderr
    assert "hint: did you mean `shop`" in done.stderr


def test_a_cluster_without_the_definitions_and_another_namespace_are_said(stage: Stage, shop: str) -> None:
    done = stage.app("get", f"elsewhere/{shop}", code=1)
    assert f"error: there is no app `{shop}` in namespace elsewhere" in done.stderr
    done = stage.run(["app", "get", "x", "--kubeconfig", str(stage.plane.kubeconfig), "-n", "nowhere"])
    assert "there are no apps in namespace nowhere; `-n` names another control namespace" in done.stderr


def test_logs_of_simulated_pods_are_said_to_be_missing_and_containers_can_be_named(stage: Stage, shop: str) -> None:
    done = stage.app("logs", shop, "--tail", "5", code=1)
    assert "error: no log could be read: pod " in done.stderr
    assert "hint: simulated pods" in done.stderr
    assert "error: no pod of the app has a container `db`" in stage.app("logs", shop, "-c", "db", code=1).stderr
    assert "has no pods below the objects that were named" in stage.app("logs", shop, "--kind", "StatefulSet", code=1).stderr


def fields_of(stage: Stage, name: str, code: int = 1) -> dict[str, Any]:
    changes = json.loads(stage.app("diff", name, "-o", "json", code=code).stdout)
    return {f"{one['kind']}/{one['name']}": (one["change"], [field["path"] for field in one["fields"]]) for one in changes}


def test_a_diff_shows_what_a_sync_would_create_change_and_prune(stage: Stage) -> None:
    stage.write(differ__web=WEB, differ__gone=config("gone", x="1"), differ__same=config("same", x="1"))
    stage.push()
    stage.create("differ")
    stage.app("sync", "differ")
    assert stage.app("diff", "differ").stdout == ""

    stage.repository.remove("differ/gone.yaml")
    stage.write(differ__web=WEB.replace("replicas: 2", "replicas: 3"), differ__new=config("new", x="1"))
    revision = stage.push()
    assert fields_of(stage, "differ") == {
        "ConfigMap/gone": ("prune", []),
        "ConfigMap/new": ("create", []),
        "Deployment/web": ("change", [".spec.replicas"]),
    }
    text = stage.app("diff", "differ", code=1).stdout
    assert "-  replicas: 2\n+  replicas: 3\n" in text
    assert text.count("===== ") == 3
    changed = text.partition("(change)")[2].partition("=====\n")[2].partition("\n\n")[0]
    assert [line for line in changed.splitlines()[2:] if line[0] in "+-"] == ["-  replicas: 2", "+  replicas: 3"], (
        "no noise of the server's"
    )
    assert stage.app("diff", "differ", "--exit-code=false").stdout == text
    assert stage.app("diff", "differ", "--revision", f"{revision}~1", code=2).stderr
    assert stage.app("diff", "differ", "-o", "name", code=1).stdout.split() == ["configmap/gone", "configmap/new", "deployment.apps/web"]


def test_a_diff_leaves_out_what_is_ignored(stage: Stage) -> None:
    stage.write(ignored__web=WEB, ignored__one=config("one", size="1", shape="1"))
    stage.push()
    stage.create("ignored")
    stage.app("sync", "ignored")
    namespace = stage.namespace("ignored")
    stage.plane.kubectl("-n", namespace, "scale", "deployment", "web", "--replicas=4")
    stage.plane.kubectl("-n", namespace, "patch", "configmap", "one", "--type=merge", '-p={"data":{"size":"2"}}', "--field-manager=theirs")
    stage.plane.kubectl("-n", namespace, "patch", "configmap", "one", "--type=merge", '-p={"data":{"shape":"2"}}', "--field-manager=other")
    rules = [
        {"group": "apps", "kind": "Deployment", "jqPathExpressions": [".spec.replicas"]},
        {"kind": "ConfigMap", "managedFieldsManagers": ["theirs"]},
    ]
    patch = json.dumps({"spec": {"ignoreDifferences": rules}})
    stage.plane.kubectl("-n", stage.control, "patch", "app", "ignored", "--type=merge", "-p", patch)
    text = stage.app("diff", "ignored", code=1).stdout
    assert "Deployment" not in text
    assert "+  shape: '1'" in text
    assert " size: " not in text
    patch = json.dumps({"spec": {"ignoreDifferences": [*rules, {"kind": "ConfigMap", "jsonPointers": ["/data/shape"]}]}})
    stage.plane.kubectl("-n", stage.control, "patch", "app", "ignored", "--type=merge", "-p", patch)
    assert stage.app("diff", "ignored").stdout == ""


def test_a_diff_that_cannot_be_told_exits_with_2(stage: Stage) -> None:
    stage.write(
        trouble__one=config("one", x="1"),
        trouble__bad="apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {ports: [{port: 80}]}\n",
    )
    stage.push()
    stage.create("trouble")
    stage.app("sync", "trouble")
    stage.write(trouble__bad="apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {ports: [{port: 99999}]}\n")
    stage.push()
    done = stage.app("diff", "trouble", code=2)
    assert "error: Service " in done.stderr
    assert "99999" in done.stderr
    stage.app("set", "trouble", "--path", "nowhere")
    assert "error: Failed to load target state: " in stage.app("diff", "trouble", code=2).stderr
    assert stage.app("diff", "trouble", "--no-such-option", code=2).stderr.startswith("error: ")
