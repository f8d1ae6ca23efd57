"""``homeostat lint`` over a folder: forms of output, exit codes, what its options and its file of settings do."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from homeostat.model import yaml
from tests import evaluators
from tests.commands import homeostat

BAD = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n  annotations: {argocd.argoproj.io/sync-wave: soon}\ndata:\n  a: 1\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, image: nginx}]}\n"


@pytest.fixture(scope="module", autouse=True)
def built_evaluator() -> None:
    evaluators.program()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "bad.yaml").write_text(BAD)
    (tmp_path / "pod.yaml").write_text(POD)
    return tmp_path


def test_findings_are_a_table_and_errors_an_exit_code(folder: Path) -> None:
    done = homeostat("lint", str(folder))
    assert done.code == 1
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["PLACE", "SEVERITY", "RULE", "OBJECT", "MESSAGE"]
    assert [line[:3] for line in lines[1:]] == [
        ["pod.yaml:4", "info", "image-tag"],
        ["sub/bad.yaml:5", "error", "wave"],
        ["sub/bad.yaml:7", "error", "schema"],
    ]
    assert "2 objects of 2 files" in done.stderr
    assert "2 errors, 1 remark" in done.stderr


def test_what_is_mild_is_no_failure_unless_one_asks(folder: Path) -> None:
    assert homeostat("lint", str(folder / "pod.yaml")).code == 0
    assert homeostat("lint", str(folder / "pod.yaml"), "--fail-on", "info").code == 1
    assert homeostat("lint", str(folder / "pod.yaml"), "--skip", "image-tag", "--fail-on", "info").code == 0


def test_rules_are_chosen_by_name(folder: Path) -> None:
    found = json.loads(homeostat("lint", str(folder), "--rule", "wave", "-o", "json").stdout)["findings"]
    assert [one["rule"] for one in found] == ["wave"]
    unknown = homeostat("lint", str(folder), "--skip", "waves")
    assert unknown.code == 1
    assert "there is no rule `waves`" in unknown.stderr
    assert "image-tag" in homeostat("lint", "--rules").stdout


def test_json_and_yaml_say_the_same(folder: Path) -> None:
    as_json = json.loads(homeostat("lint", str(folder), "-o", "json").stdout)
    assert as_json == yaml.load(homeostat("lint", str(folder), "-o", "yaml").stdout)
    assert as_json["kubernetes"] == "1.36"
    assert {"file", "line", "rule", "severity", "message", "object", "field", "hint"} == as_json["findings"][0].keys()


def test_sarif_and_junit_are_what_they_say(folder: Path) -> None:
    log = json.loads(homeostat("lint", str(folder), "-o", "sarif").stdout)
    assert [result["ruleId"] for result in log["runs"][0]["results"]] == ["image-tag", "wave", "schema"]
    root = ET.fromstring(homeostat("lint", str(folder), "-o", "junit").stdout)
    assert (root.get("failures"), root.get("skipped")) == ("2", "1")


def test_a_version_without_schemas_is_refused(folder: Path) -> None:
    assert homeostat("lint", str(folder / "pod.yaml"), "--kube-version", "v1.36.3").code == 0
    done = homeostat("lint", str(folder), "--kube-version", "1.12")
    assert done.code == 1
    assert "there are no schemas of Kubernetes 1.12 here" in done.stderr
    assert "those of 1.36 ship" in done.stderr


def test_settings_of_the_repository_are_heard(folder: Path) -> None:
    (folder / ".homeostat-lint.yaml").write_text("skip: [image-tag]\nexclude: [sub]\n")
    assert json.loads(homeostat("lint", str(folder), "-o", "json").stdout)["findings"] == []
    (folder / ".homeostat-lint.yaml").write_text("skp: [image-tag]\n")
    done = homeostat("lint", str(folder))
    assert done.code == 1
    assert ".homeostat-lint.yaml: Object contains unknown field `skp`" in done.stderr


def test_more_schemas_are_taken_from_a_folder(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    schemas = tmp_path_factory.mktemp("schemas")
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things"},
            "versions": [
                {"name": "v1", "served": True, "schema": {"openAPIV3Schema": {"type": "object", "properties": {"a": {"type": "string"}}}}}
            ],
        },
    }
    (schemas / "crd.yaml").write_text(yaml.dump(crd))
    (folder / "thing.yaml").write_text("apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: x}\na: 1\n")
    assert "unknown-kind" in homeostat("lint", str(folder / "thing.yaml")).stdout
    done = homeostat("lint", str(folder / "thing.yaml"), "--schemas", str(schemas))
    assert "a: expected a string, found the number 1" in done.stdout
    (schemas / "crd.yaml").write_text("a: [")
    assert "not a schema" in homeostat("lint", str(folder / "thing.yaml"), "--schemas", str(schemas)).stderr


def test_an_openapi_document_brings_kinds(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    schemas = tmp_path_factory.mktemp("schemas")
    gvk = {"group": "late.example.com", "version": "v1", "kind": "Aggregated"}
    document = {
        "paths": {"/apis/late.example.com/v1/namespaces/{namespace}/aggregated": {"post": {"x-kubernetes-group-version-kind": gvk}}},
        "components": {
            "schemas": {
                "example.Aggregated": {
                    "type": "object",
                    "x-kubernetes-group-version-kind": [gvk],
                    "properties": {name: {"type": "string"} for name in ("apiVersion", "kind", "level")} | {"metadata": {"type": "object"}},
                }
            }
        },
    }
    (schemas / "late.json").write_text(json.dumps(document))
    (folder / "late.yaml").write_text("apiVersion: late.example.com/v1\nkind: Aggregated\nmetadata: {name: x}\nlevel: 3\n")
    done = homeostat("lint", str(folder / "late.yaml"), "--schemas", str(schemas), "-o", "json")
    assert [one["field"] for one in json.loads(done.stdout)["findings"]] == ["level"]


def test_what_plugins_make_is_looked_at(tmp_path: Path) -> None:
    plugins, repository = tmp_path / "plugins", tmp_path / "repository"
    (repository / "app").mkdir(parents=True)
    plugins.mkdir()
    (plugins / "paint.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: ConfigManagementPlugin\nmetadata: {name: paint}\n"
        "spec: {generate: {command: [sed, s/BRUSH/ConfigMap/, paint.txt]}}\n"
    )
    (repository / "app" / "paint.txt").write_text("apiVersion: v1\nkind: BRUSH\nmetadata: {name: painted}\ndata: {a: 1}\n")
    (repository / "app.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: paint, namespace: argocd}\nspec:\n  project: default\n"
        "  source: {repoURL: 'https://git.example/a', path: app, plugin: {name: paint}}\n"
        "  destination: {server: 'https://kubernetes.default.svc', namespace: default}\n"
    )
    arguments = ("lint", str(repository), "--repo-url", "https://git.example/a", "-o", "json")
    for given in (
        homeostat(*arguments, "--plugins", str(plugins)),
        homeostat(*arguments, env={"HOMEOSTAT_PLUGINS": str(plugins)}),
    ):
        assert [(one["rule"], one["object"]) for one in json.loads(given.stdout)["findings"]] == [("schema", "ConfigMap painted")]
    found = json.loads(homeostat(*arguments).stdout)["findings"]
    assert [one["rule"] for one in found] == ["render"]
    assert "paint" in found[0]["message"]
