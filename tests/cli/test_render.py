"""``homeostat render`` prints what a folder renders to, with no cluster and no Git."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from homeostat.model import yaml
from tests import evaluators
from tests.commands import homeostat

TEMPLATE = """apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-settings}
data:
  colour: {{ .Values.colour | quote }}
  size: {{ .Values.size | quote }}
  place: {{ .Release.Namespace }}
  version: {{ .Capabilities.KubeVersion.Version }}
  monitoring: {{ .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" | quote }}
"""


@pytest.fixture(scope="module", autouse=True)
def built_evaluator() -> None:
    evaluators.program()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "chart/Chart.yaml": evaluators.CHART,
        "chart/values.yaml": "colour: blue\nsize: small\n",
        "chart/templates/settings.yaml": TEMPLATE,
        "env/prod.yaml": "colour: red\nsize: big\n",
        "base/kustomization.yaml": "resources: [settings.yaml]\n",
        "base/settings.yaml": evaluators.CONFIG_MAP,
        "web/kustomization.yaml": "resources: [../base]\nnamePrefix: web-\n",
        "broken/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x\n",
    }
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(content)
    return tmp_path


def test_plain_files_are_printed_with_where_they_come_from(folder: Path) -> None:
    done = homeostat("render", str(folder / "base"), "--type", "directory")
    assert done.code == 0, done.stderr
    assert done.stdout.startswith("---\n# Source: settings.yaml:1\napiVersion: v1\n")
    assert yaml.load_all(done.stdout) == [yaml.load(evaluators.CONFIG_MAP)]


def test_a_chart_gets_its_values_in_order(folder: Path) -> None:
    done = homeostat(
        "render", str(folder / "chart"), "--root", str(folder), "--name", "shop", "-n", "place", "--values", str(folder / "env/prod.yaml"),
        "--set", "size=1", "--set-string", "colour=2", "--kube-version", "1.30.0", "--api-versions", "monitoring.coreos.com/v1", "-o", "json",
    )  # fmt: skip
    assert done.code == 0, done.stderr
    (item,) = json.loads(done.stdout)["items"]
    assert item["metadata"]["name"] == "shop-settings"
    assert item["data"] == {"colour": "2", "size": "1", "place": "place", "version": "v1.30.0", "monitoring": "true"}


def test_a_base_is_found_below_the_root_or_in_the_git_working_copy(folder: Path) -> None:
    outside = homeostat("render", str(folder / "web"))
    assert outside.code == 1
    assert "leaves the repository" in outside.stderr
    assert "hint: give a `--root`" in outside.stderr
    assert homeostat("render", str(folder / "web"), "--root", str(folder), "-o", "name").stdout == "configmap/web-settings\n"
    (folder / ".git").mkdir()
    assert homeostat("render", str(folder / "web"), "-o", "name").stdout == "configmap/web-settings\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["broken"], "error: a.yaml:3: "),
        (["chart", "--values", "nothing.yaml"], "error: --values nothing.yaml: there is no such file"),
        (["chart", "--set", "nothing"], "error: --set nothing: expected NAME=VALUE"),
        (["chart", "--values", "../env/prod.yaml"], "the file is not below"),
        (["chart", "--root", "env"], "is not below"),
    ],
)
def test_an_error_is_told_on_standard_error(folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str) -> None:
    monkeypatch.chdir(folder)
    done = homeostat("render", *arguments)
    assert done.code == 1
    assert done.stdout == ""
    assert says in done.stderr
