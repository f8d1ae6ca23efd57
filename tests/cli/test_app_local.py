"""What a local folder renders to, in the place of an app's source: `app diff`, `app manifests` and `app sync` with --local; previews; labels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.stage import Stage
from tests.e2e.texts import config


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one ConfigMap that differs from what the app `local` has in Git, and one that Git does not have."""
    made = tmp_path / "work" / "local"
    made.mkdir(parents=True)
    (made / "one.yaml").write_text(config("one", x="2"))
    (made / "new.yaml").write_text(config("new", x="1"))
    return made


@pytest.fixture(scope="module")
def local(stage: Stage) -> str:
    stage.write(local__one=config("one", x="1"))
    stage.push()
    stage.create("local")
    stage.app("sync", "local")
    return "local"


def data(stage: Stage, name: str) -> dict[str, str]:
    found: dict[str, str] = stage.object("configmap", "local", name)["data"]
    return found


def test_a_local_folder_is_rendered_compared_and_synced_without_a_commit(stage: Stage, local: str, folder: Path) -> None:
    names = stage.app("manifests", local, "--local", str(folder), "-o", "name").stdout.split()
    assert names == ["configmap/new", "configmap/one"]
    text = stage.app("diff", local, "--local", str(folder), code=1).stdout
    assert "-  x: '1'\n+  x: '2'\n" in text
    assert "/new (create) =====" in text

    dry = stage.app("sync", local, "--local", str(folder), "--dry-run")
    assert "would be synced" in dry.stdout
    assert data(stage, "one") == {"x": "1"}

    done = stage.app("sync", local, "--local", str(folder))
    assert "/new   Synced" in done.stdout
    assert data(stage, "one") == {"x": "2"}
    assert stage.get(local)["status"]["operationState"]["operation"]["sync"]["manifests"]


def test_a_local_folder_is_refused_where_it_would_be_taken_back(stage: Stage, local: str, folder: Path) -> None:
    stage.write(localauto__one=config("one", x="1"))
    stage.push()
    stage.create("localauto", policy="automated")
    stage.synced("localauto")
    done = stage.app("sync", "localauto", "--local", str(folder), code=1)
    assert "error: app `localauto` is synced automatically" in done.stderr
    assert "hint: `--dry-run` shows what would be done" in done.stderr
    assert "--local: expected one app" in stage.app("sync", local, "localauto", "--local", str(folder), code=2).stderr
    done = stage.app("sync", local, "--local", str(folder), "--revision", "main", code=2)
    assert "--local and --revision: expected one of them" in done.stderr


def test_nothing_outside_of_the_root_is_read(stage: Stage, local: str, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    done = stage.app("diff", local, "--local", str(folder), "--local-repo-root", str(other), code=2)
    assert "hint: give a `--local-repo-root` that holds it" in done.stderr


def test_a_local_folder_is_rendered_by_a_plugin(
    stage: Stage, local: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "made.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: ConfigManagementPlugin\nmetadata: {name: made}\n"
        "spec: {discover: {fileName: one.yaml}, generate: {command: [sed, s/one/made/, one.yaml]}}\n"
    )
    monkeypatch.setenv("HOMEOSTAT_PLUGINS", str(plugins))
    assert stage.app("manifests", local, "--local", str(folder), "-o", "name").stdout == "configmap/made\n"
    assert "/made (create) =====" in stage.app("diff", local, "--local", str(folder), code=1).stdout


def test_values_of_local_secrets_are_warned_of(stage: Stage, local: str, folder: Path) -> None:
    (folder / "secret.yaml").write_text("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter22}\n")
    done = stage.app("sync", local, "--local", str(folder), "--dry-run")
    assert "warning: there are Secrets among the local objects" in done.stderr
    assert "hunter22" not in done.stdout + done.stderr


def test_a_preview_is_shown_and_asked_about(stage: Stage) -> None:
    stage.write(preview__one=config("one", x="1"))
    stage.push()
    stage.create("preview", "--label", "kind=preview")
    done = stage.app("sync", "preview", "--preview-changes", code=1)
    assert "/one (create) =====" in done.stdout
    assert "error: nobody can be asked whether to sync app `preview`" in done.stderr
    assert "operation" not in stage.get("preview")
    done = stage.app("sync", "preview", "--preview-changes", "--assumeYes")
    assert "app `preview` is synced to" in done.stdout


def test_objects_are_chosen_by_their_labels(stage: Stage) -> None:
    labelled = config("web", x="1").replace("  name: web\n", "  name: web\n  labels: {tier: web, team: shop}\n")
    stage.write(labels__web=labelled, labels__one=config("one", x="1"))
    stage.push()
    stage.create("labels")
    done = stage.app("sync", "labels", "--label", "tier=web,team!=other", "--label", "!none")
    asked = stage.get("labels")["status"]["operationState"]["operation"]["sync"]["resources"]
    assert [one["name"] for one in asked] == ["web"]
    assert "/one" not in done.stdout
    done = stage.app("sync", "labels", "--label", "tier=db", code=1)
    assert "error: no object of app `labels` has the labels tier=db" in done.stderr
    assert json.dumps(stage.get("labels")["status"]["operationState"]["operation"]["sync"]).count('"name"') == 1
