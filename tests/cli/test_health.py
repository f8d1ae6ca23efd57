"""`homeostat health`: manifests in, health out, no cluster."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from homeostat.cli.main import run
from tests import evaluators

MANIFESTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {paused: true}
---
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}
- {apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data}, status: {phase: Lost}}
---
apiVersion: batch/v1
kind: JobList
items:
- {metadata: {name: done}, status: {conditions: [{type: Complete, status: "True", message: "it is\\n done"}]}}
---
apiVersion: example.com/v1
kind: Thing
metadata: {name: x}
status: {conditions: [{type: Ready, status: "False", message: not yet}]}
"""

CLAIM = "built-in rule for PersistentVolumeClaim"

SETTINGS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm}
data:
  resource.customizations.health.apps_Deployment: |
    return {status = "Degraded", message = "by script " .. obj.metadata.name}
"""


@pytest.fixture
def manifests(tmp_path: Path) -> str:
    path = tmp_path / "all.yaml"
    path.write_text(MANIFESTS)
    return str(path)


def test_a_table(manifests: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["health", manifests]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["KIND", "NAMESPACE", "NAME", "HEALTH", "RULE", "MESSAGE"],
        ["Deployment", "shop", "web", "Suspended", "built-in", "rule", "for", "apps/Deployment", "Deployment", "is", "paused"],
        ["ConfigMap", "settings", "-", "-"],
        ["PersistentVolumeClaim", "data", "Degraded", "built-in", "rule", "for", "PersistentVolumeClaim"],
        ["Job", "done", "Healthy", "built-in", "rule", "for", "batch/Job", "it", "is", "done"],
        ["Thing", "x", "Progressing", "kstatus", "conventions", "not", "yet"],
    ]


def test_json_as_an_application_lists_its_resources(manifests: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["health", manifests, "-o", "json"]) == 0
    assert orjson.loads(capsys.readouterr().out)[:3] == [
        {
            "group": "apps",
            "version": "v1",
            "kind": "Deployment",
            "namespace": "shop",
            "name": "web",
            "health": {"status": "Suspended", "message": "Deployment is paused"},
            "rule": "built-in rule for apps/Deployment",
        },
        {"version": "v1", "kind": "ConfigMap", "name": "settings"},
        {"version": "v1", "kind": "PersistentVolumeClaim", "name": "data", "health": {"status": "Degraded"}, "rule": CLAIM},
    ]


def test_the_exit_code_tells_of_bad_health_when_it_is_asked_to(manifests: str, tmp_path: Path) -> None:
    assert run(["health", manifests, "--exit-code"]) == 1
    good = tmp_path / "good.yaml"
    good.write_text(MANIFESTS.replace("Lost", "Bound").replace('"False"', '"True"'))
    assert run(["health", str(good), "--exit-code"]) == 0


def test_scripts_from_settings(manifests: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluators.program()
    settings = tmp_path / "argocd-cm.yaml"
    settings.write_text(SETTINGS)
    assert run(["health", manifests, "--settings", str(settings), "-o", "json"]) == 0
    first = orjson.loads(capsys.readouterr().out)[0]
    assert first["health"] == {"status": "Degraded", "message": "by script web"}
    assert first["rule"] == "Lua for apps/Deployment"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "all.yaml"),
        ("just text", "document 1: expected a Kubernetes object"),
        ("apiVersion: v1\nkind: List\nitems: [1]", "items[0]"),
        ("apiVersion: v1\nkind: List\nitems: [{a: 1}]", "no apiVersion and kind"),
        ("apiVersion: v1\nkind: Pod\nmetadata: x", "metadata: expected a mapping"),
    ],
)
def test_what_is_no_manifest_is_named(tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "all.yaml"
    path.write_text(text)
    assert run(["health", str(path)]) == 1
    assert said in capsys.readouterr().err


def test_settings_without_the_config_map(manifests: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["health", manifests, "--settings", manifests]) == 0, "its only ConfigMap is taken"
    assert run(["health", manifests, "--settings", __file__]) == 1
    assert "error:" in capsys.readouterr().err
