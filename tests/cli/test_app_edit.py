"""`app create` and `app set` on a cluster, and names for a shell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from homeostat.cli.apps import completion
from homeostat.cli.apps.common import Place
from tests.cli.stage import Stage
from tests.commands import homeostat


def test_creating_what_is_there_needs_upsert_unless_it_is_the_same(stage: Stage) -> None:
    stage.create("twice")
    options = (
        "twice",
        "--repo",
        stage.repository.url,
        "--path",
        "twice",
        "--revision",
        "main",
        "--dest-namespace",
        stage.namespace("twice"),
    )
    same = (*options, "--sync-option", "CreateNamespace=true")
    assert stage.app("create", *same).stdout == "application.argoproj.io/twice unchanged\n"
    done = stage.app("create", *same, "--helm-set", "a=b", code=1)
    assert "error: there is an app `twice` already, with another spec" in done.stderr
    assert stage.app("create", *same, "--helm-set", "a=b", "--upsert").stdout == "application.argoproj.io/twice configured\n"
    assert stage.get("twice")["spec"]["source"]["helm"] == {"parameters": [{"name": "a", "value": "b"}]}


def test_what_could_not_be_looked_at_is_refused_unless_it_is_meant(stage: Stage) -> None:
    options = ("remote", "--repo", "https://git.example/x.git", "--path", "/x", "--dest-server", "https://elsewhere.example")
    done = stage.app("create", *options, code=1)
    assert "spec.source.path: expected a path relative to the root of the repository" in done.stderr
    assert "spec.destination: other clusters than in-cluster are not supported yet" in done.stderr
    assert "hint: `--no-validate` writes it nevertheless" in done.stderr
    assert stage.app("create", *options, "--validate=false").stdout == "application.argoproj.io/remote created\n"
    assert "project other which does not exist" in stage.app("set", "remote", "--project", "other", code=1).stderr


def test_an_app_comes_from_a_file_and_options_go_before_it(stage: Stage, tmp_path: Path) -> None:
    app = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "filed", "labels": {"a": "b"}, "resourceVersion": "1"},
        "spec": {
            "project": "default",
            "source": {"repoURL": stage.repository.url, "path": "one", "targetRevision": "main"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "default"},
        },
        "status": {"sync": {"status": "Synced"}},
    }
    file = tmp_path / "app.json"
    file.write_text(json.dumps(app))
    stage.app("create", "-f", str(file), "--path", "two", "--label", "c=d")
    made = stage.get("filed")
    assert made["spec"]["source"]["path"] == "two"
    assert made["metadata"]["labels"] == {"a": "b", "c": "d"}
    file.write_text("kind: ConfigMap\n")
    assert f"error: {file}: expected one Application" in stage.app("create", "-f", str(file), code=1).stderr
    assert "error: name the app, or give a file that does" in stage.app("create", "--repo", "x", code=2).stderr


def test_set_changes_what_is_named_and_nothing_else(stage: Stage) -> None:
    stage.create("changed", "--helm-set", "a=1")
    before = stage.get("changed")["spec"]
    done = stage.app("set", "changed", "--helm-set", "b=2", "--sync-policy", "automated", "--auto-prune", "--self-heal")
    assert done.stdout == "application.argoproj.io/changed configured\n"
    after = stage.get("changed")["spec"]
    assert after["source"].pop("helm") == {"parameters": [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]}
    assert after["syncPolicy"].pop("automated") == {"prune": True, "selfHeal": True}
    del before["source"]["helm"]
    assert after == before
    assert stage.app("set", "changed", "--auto-prune").stdout == "application.argoproj.io/changed unchanged\n"
    stage.app("set", "changed", "--sync-policy", "none")
    assert "automated" not in stage.get("changed")["spec"]["syncPolicy"]
    assert "error: say what to change" in stage.app("set", "changed", code=2).stderr


def test_names_of_apps_complete_from_the_cluster(stage: Stage) -> None:
    stage.create("complete-me")
    place = Place(str(stage.plane.kubeconfig), None, stage.control)
    assert "complete-me" in completion.names(place)
    words = f"homeostat app get --kubeconfig {stage.plane.kubeconfig} --namespace {stage.control} compl"
    environment = {"_HOMEOSTAT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    assert homeostat(env=environment).stdout.split() == ["plain,complete-me"]


@pytest.mark.parametrize("kubeconfig", ["/nowhere/kubeconfig", "closed"])
def test_completion_without_a_cluster_is_silent(kubeconfig: str, tmp_path: Path) -> None:
    if kubeconfig == "closed":
        cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}
        context = {"name": "c", "context": {"cluster": "c"}}
        kubeconfig = str(tmp_path / "kubeconfig")
        Path(kubeconfig).write_text(json.dumps({"clusters": [cluster], "contexts": [context], "current-context": "c"}))
    assert completion.names(Place(kubeconfig, None, "argocd")) == []


@pytest.mark.parametrize(
    ("command", "heavy"),
    [
        pytest.param("app --help", ("asyncio", "msgspec", "yaml", "rich"), id="help"),
        pytest.param("app sync --help", ("aiohttp", "structlog", "pygit2", "homeostat.wiring"), id="help of a verb"),
        pytest.param(
            "app list --kubeconfig /nowhere", ("aiohttp", "structlog", "pygit2", "homeostat.wiring", "homeostat.argo.read"), id="list"
        ),
    ],
)
def test_a_verb_loads_only_what_it_needs(command: str, heavy: tuple[str, ...]) -> None:
    code = (
        "import sys; from homeostat.cli.main import run\n"
        f"run({command.split()!r})\n"
        f"loaded = [name for name in {heavy!r} if name in sys.modules]\n"
        "assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
