"""``homeostat render`` prints what a folder renders to, with no cluster and no Git."""

from __future__ import annotations

import json
import subprocess
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


APPLICATION = """apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop, namespace: argocd}
spec:
  project: default
  source:
    repoURL: https://git.example.com/team/config.git
    path: chart
    helm: {valueFiles: [../env/prod.yaml], parameters: [{name: size, value: huge}]}
  destination: {server: https://kubernetes.default.svc, namespace: place}
"""


def test_an_application_in_a_file_is_rendered_with_its_own_options_from_the_files_around_it(folder: Path) -> None:
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / "app.yaml").write_text(APPLICATION)
    done = homeostat("render", str(folder / "app.yaml"), "--kube-version", "1.30.0", "-o", "json")
    assert done.code == 0, done.stderr
    (item,) = json.loads(done.stdout)["items"]
    assert item["data"] == {"colour": "red", "size": "huge", "place": "place", "version": "v1.30.0", "monitoring": "false"}


def test_an_application_is_rendered_at_a_revision(folder: Path) -> None:
    def git(*arguments: str) -> None:
        names = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(folder), *names, *arguments], check=True, capture_output=True)

    git("init", "-q")
    (folder / "app.yaml").write_text(APPLICATION)
    git("add", "-A")
    git("commit", "-q", "-m", "one")
    (folder / "env" / "prod.yaml").write_text("colour: green\n")
    here = homeostat("render", str(folder / "app.yaml"), "-o", "json")
    assert json.loads(here.stdout)["items"][0]["data"]["colour"] == "green"
    then = homeostat("render", str(folder / "app.yaml"), "--revision", "HEAD", "-o", "json")
    assert json.loads(then.stdout)["items"][0]["data"]["colour"] == "red"


def test_a_source_that_lies_elsewhere_is_fetched(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    def git(*arguments: str) -> None:
        names = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(folder), *names, *arguments], check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-q", "-m", "one")
    app = tmp_path_factory.mktemp("elsewhere") / "app.yaml"
    app.write_text(
        APPLICATION.replace("https://git.example.com/team/config.git", folder.as_uri()).replace(
            "path: chart", "path: chart\n    targetRevision: main"
        )
    )
    subprocess.run(["git", "init", "-q", str(app.parent)], check=True)
    subprocess.run(["git", "-C", str(app.parent), "remote", "add", "origin", "https://git.example.com/team/apps.git"], check=True)
    refused = homeostat("render", str(app))
    assert refused.code == 1
    assert "file:" in refused.stderr
    done = homeostat("render", str(app), "--file-root", str(folder), "-o", "json")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout)["items"][0]["data"]["colour"] == "red"


def test_each_object_gets_a_file_that_stays_in_the_folder(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    odd = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ../../Out, namespace: ../up}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: out, namespace: up}\n"
    (folder / "base" / "settings.yaml").write_text(odd)
    (folder / "base" / "kustomization.yaml").unlink()
    target = tmp_path_factory.mktemp("output") / "new"
    done = homeostat("render", str(folder / "base"), "--output-dir", str(target))
    assert done.code == 0, done.stderr
    assert sorted(path.relative_to(target).as_posix() for path in target.rglob("*.yaml")) == [
        "up/configmap-out-2.yaml",
        "up/configmap-out.yaml",
    ]
    assert [yaml.load(Path(line).read_text())["metadata"]["name"] for line in done.stdout.splitlines()] == ["../../Out", "out"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["app.yaml", "--name", "other"], "expected one Application 'other', found none"),
        (["env/prod.yaml"], "expected one Application, found none"),
        (["app.yaml", "--set", "a=b"], "--set says nothing about a file"),
        (["chart", "--revision", "HEAD"], "--revision says nothing about a folder"),
        (["./nothing.yaml"], "there is no such file or folder"),
        (["some-app", "--kube-version", "1.30"], "--kube-version says nothing about an app of a cluster"),
        (["far.yaml", "--no-fetch"], "https://charts.example.com x is not here"),
    ],
)
def test_what_cannot_be_rendered_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str) -> None:
    monkeypatch.chdir(folder)
    subprocess.run(["git", "init", "-q"], check=True)
    (folder / "app.yaml").write_text(APPLICATION)
    (folder / "far.yaml").write_text(
        APPLICATION.replace("git.example.com/team/config.git", "charts.example.com").replace("path: chart", "path: x")
    )
    done = homeostat("render", *arguments)
    assert done.code in {1, 2}
    assert done.stdout == ""
    assert says in done.stderr


def test_a_folder_is_rendered_by_a_plugin(folder: Path) -> None:
    plugins = folder.parent / "plugins"
    plugins.mkdir()
    plugin = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ConfigManagementPlugin",
        "metadata": {"name": "upper"},
        "spec": {
            "generate": {"command": ["sed", "s/settings/made/"], "args": ["settings.yaml"]},
            "discover": {"fileName": "settings.yaml"},
        },
    }
    (plugins / "upper.yaml").write_text(yaml.dump(plugin))
    arguments = ("render", str(folder / "base"), "--root", str(folder), "-o", "name")
    assert homeostat(*arguments, "--plugins", str(plugins)).stdout == "configmap/made\n"
    assert homeostat(*arguments, env={"HOMEOSTAT_PLUGINS": str(plugins)}).stdout == "configmap/made\n"
    assert homeostat(*arguments).stdout == "configmap/settings\n"
    (plugins / "broken.yaml").write_text("kind: Pod")
    broken = homeostat(*arguments, "--plugins", str(plugins))
    assert broken.code != 0
    assert "broken.yaml: " in broken.stderr
