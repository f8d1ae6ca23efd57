"""`app unset`, `app patch`, `app edit`: changes of an Application; apps of other namespaces; what is confirmed."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from homeostat.cli.apps.confirm import waiting
from homeostat.cli.apps.unset import less
from tests.cli.stage import Stage
from tests.e2e.texts import config

NOTHING: dict[str, Any] = {"images": (), "replicas": (), "parameters": (), "values": (), "variables": ()}


def test_what_is_unset_goes_and_nothing_else() -> None:
    helm = {
        "parameters": [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}],
        "valueFiles": ["x.yaml"],
        "values": "a: 1",
        "skipCrds": True,
    }
    spec = {"source": {"repoURL": "r", "helm": helm}, "project": "p"}
    left = less(spec, {**NOTHING, "parameters": ("a",), "values": ("x.yaml",), "values_literal": True})
    assert left == {"source": {"repoURL": "r", "helm": {"parameters": [{"name": "b", "value": "2"}], "skipCrds": True}}, "project": "p"}
    kustomize = {"images": ["web:1", "old=new:2"], "namePrefix": "x-", "replicas": [{"name": "web", "count": 2}]}
    spec = {"source": {"kustomize": kustomize}}
    assert less(spec, {**NOTHING, "images": ("old", "web"), "nameprefix": True, "replicas": ("web",)}) == {}


def test_an_app_is_unset_patched_and_refused(stage: Stage) -> None:
    stage.create("altered", "--nameprefix", "x-", "--kustomize-image", "web:1")
    assert "altered configured" in stage.app("unset", "altered", "--nameprefix").stdout
    assert stage.get("altered")["spec"]["source"]["kustomize"] == {"images": ["web:1"]}
    assert "altered unchanged" in stage.app("unset", "altered", "--nameprefix").stdout
    assert "say what to take away" in stage.app("unset", "altered", code=2).stderr

    replace = '[{"op": "replace", "path": "/spec/source/path", "value": "other"}]'
    assert "altered patched" in stage.app("patch", "altered", "--patch", replace).stdout
    merge = '{"spec": {"source": {"kustomize": null}}, "metadata": {"labels": {"a": "b"}}}'
    stage.app("patch", "altered", "--type", "merge", "--patch", merge)
    app = stage.get("altered")
    assert (app["spec"]["source"]["path"], "kustomize" in app["spec"]["source"], app["metadata"]["labels"]["a"]) == ("other", False, "b")
    assert "expected a list of operations" in stage.app("patch", "altered", "--patch", "{}", code=1).stderr
    done = stage.app("patch", "altered", "--type", "merge", "--patch", '{"status": {}}', code=1)
    assert "error: --patch: status is not patched by hand" in done.stderr
    done = stage.app("patch", "altered", "--type", "merge", "--patch", '{"spec": {"project": "nowhere"}}', code=1)
    assert "could not be looked at" in done.stderr
    assert stage.get("altered")["spec"]["project"] == "default"


def test_a_spec_is_edited_in_an_editor(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.create("edited")

    def editor(script: str) -> None:
        program = tmp_path / "editor"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("VISUAL", os.fspath(program))

    editor('sed -i "s/path: edited/path: elsewhere/" "$1"')
    assert "edited configured" in stage.app("edit", "edited").stdout
    assert stage.get("edited")["spec"]["source"]["path"] == "elsewhere"
    editor("true")
    assert "edited unchanged" in stage.app("edit", "edited").stdout
    editor('echo "spec: [" > "$1"')
    assert "error: spec:" in stage.app("edit", "edited", code=1).stderr
    editor(': > "$1"')
    assert "edited unchanged" in stage.app("edit", "edited").stdout


def test_an_app_of_another_namespace_is_named_with_it(stage: Stage) -> None:
    namespace = stage.namespace("elsewhere")
    stage.plane.kubectl("create", "namespace", namespace)
    stage.write(elsewhere__one=config("one", x="1"))
    stage.push()
    stage.create("twin", path="elsewhere")
    raw = stage.get("twin")
    raw["metadata"] = {"name": "twin", "namespace": namespace}
    twin = json.dumps({field: raw[field] for field in ("apiVersion", "kind", "metadata", "spec")})
    stage.plane.kubectl("create", "-f", "-", stdin=twin)
    name = f"{namespace}/twin"
    assert stage.app("get", name, "-o", "name").stdout.strip().endswith("twin")
    done = stage.app("sync", name, "--async")
    assert done.stdout == f"a sync of app `{name}` was asked for\n"
    other = json.loads(stage.plane.kubectl("-n", namespace, "get", "app", "twin", "-o", "json"))
    assert other["operation"]["sync"]["syncStrategy"] == {"hook": {}}
    assert "operation" not in stage.get("twin")
    assert f"hint: wait for it with `homeostat app wait {name} --operation`" in stage.app("sync", name, code=1).stderr
    assert f"there is no app `none` in namespace {namespace}" in stage.app("get", f"{namespace}/none", code=1).stderr
    stage.plane.kubectl("-n", namespace, "delete", "app", "twin", "--wait=false")


def test_what_waits_for_a_confirmation_is_shown(stage: Stage) -> None:
    stage.create("confirmed")
    done = stage.app("confirm-deletion", "confirmed")
    assert "warning: nothing of app `confirmed` is known to wait" in done.stderr
    assert "argocd.argoproj.io/deletion-approved" in stage.get("confirmed")["metadata"]["annotations"]


def test_objects_conditions_and_operations_that_wait_are_told() -> None:
    one = {"kind": "ConfigMap", "name": "one", "requiresDeletionConfirmation": True}
    held = {"type": "DeletionHeldWarning", "message": "not deleted: all of it"}
    state = {"phase": "Running", "message": "waiting for pruning confirmation of ConfigMap/two"}
    two = {"kind": "ConfigMap", "name": "two", "requiresDeletionConfirmation": True, "requiresPruning": True}
    app: dict[str, Any] = {"metadata": {"name": "a"}, "status": {"resources": [one, two], "conditions": [held], "operationState": state}}
    assert list(waiting(app)) == [
        "ConfigMap two   to be pruned",
        "not deleted: all of it",
        "waiting for pruning confirmation of ConfigMap/two",
    ]
    gone = {"metadata": {"name": "a", "deletionTimestamp": "now"}, "status": {"resources": [one]}}
    assert list(waiting(gone)) == ["ConfigMap one   to be deleted"]
