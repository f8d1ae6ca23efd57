"""``homeostat diff --revision A..B`` over a repository with history: which apps it touches, what is shown, and what it costs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from homeostat.cli.changes import LIMIT, markdown
from homeostat.lint.changes import AppChange, Changes, ObjectChange, What
from homeostat.model.app import AppKey
from homeostat.model.objects import Key
from tests import evaluators
from tests.commands import homeostat

URL = "https://git.example.com/team/config.git"


def application(name: str, path: str, url: str = URL, more: str = "") -> str:
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nspec:\n  project: default\n"
        f"  source: {{repoURL: '{url}', path: {path}{more}}}\n  destination: {{server: 'https://kubernetes.default.svc', namespace: {name}}}\n"
    )


BASE = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: one}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"
)
FIRST = {
    "root.yaml": application("root", "apps"),
    "apps/dev.yaml": application("dev", "overlays/dev"),
    "apps/prod.yaml": application("prod", "overlays/prod"),
    "apps/shop.yaml": application("shop", "shop"),
    "base/kustomization.yaml": "resources: [all.yaml]\n",
    "base/all.yaml": BASE + "stringData: {password: planted-one}\n",
    "overlays/dev/kustomization.yaml": "resources: [../../base]\nnamePrefix: dev-\n",
    "overlays/prod/kustomization.yaml": "resources: [../../base]\nnamePrefix: prod-\n",
    "shop/Chart.yaml": evaluators.CHART,
    "shop/values.yaml": "replicas: 1\n",
    "shop/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {size: {{ .Values.replicas | quote }}}\n",
}


class Repository:
    """A repository on disk, one commit at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "origin", URL)

    def git(self, *arguments: str) -> str:
        names = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", "-C", str(self.folder), *names, *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str | None]) -> str:
        for path, text in files.items():
            file = self.folder / path
            if text is None:
                file.unlink()
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "a change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture(scope="module", autouse=True)
def built_evaluator() -> None:
    evaluators.program()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path)
    made.commit(FIRST)
    return made


def differences(repository: Repository, *arguments: str, code: int = 1) -> dict[str, dict[str, dict[str, str]]]:
    """By app and object, what becomes of it and its diff."""
    done = homeostat("diff", str(repository.folder), "--no-fetch", "-o", "json", *arguments)
    assert done.code == code, done.stderr
    return {
        app["name"]: {f"{one['kind']}/{one['name']}": {"change": one["change"], "diff": one["diff"]} for one in app["objects"]}
        for app in json.loads(done.stdout)["apps"]
    }


def test_only_the_apps_that_read_what_changed_are_rendered_twice(repository: Repository) -> None:
    repository.commit({"shop/values.yaml": "replicas: 2\n", "README.md": "nobody reads this\n"})
    done = homeostat("diff", str(repository.folder), "--revision", "HEAD~1..HEAD", "-o", "json")
    assert done.code == 1, done.stderr
    found = json.loads(done.stdout)
    assert [app["name"] for app in found["apps"]] == ["shop"]
    assert found["lookedAt"] == 4
    assert found["rendered"] == 5, "each app once, and the one that the change touches once more"
    (one,) = found["apps"][0]["objects"]
    assert (one["kind"], one["namespace"], one["name"], one["change"]) == ("ConfigMap", "shop", "shop", "changed")
    assert "-  size: '1'\n+  size: '2'" in one["diff"]


def test_a_base_touches_all_its_overlays_and_secrets_are_masked(repository: Repository) -> None:
    repository.commit({"base/all.yaml": BASE.replace("one", "two") + "stringData: {password: planted-two}\n"})
    found = differences(repository, "--revision", "HEAD~1")
    assert {app: sorted(objects) for app, objects in found.items()} == {
        name: [f"ConfigMap/{name}-settings", f"Secret/{name}-s"] for name in ("dev", "prod")
    }
    assert "planted" not in repr(found)
    assert "password: ++" in found["dev"]["Secret/dev-s"]["diff"]


def test_apps_that_come_and_go_are_seen_with_what_they_bring(repository: Repository) -> None:
    repository.commit({"apps/dev.yaml": None, "apps/more.yaml": application("more", "base")})
    found = differences(repository, "--revision", "HEAD~1..HEAD")
    assert {name: {one["change"] for one in objects.values()} for name, objects in found.items()} == {
        "dev": {"removed"},
        "more": {"added"},
        "root": {"added", "removed"},
    }


def test_nothing_that_differs_is_exit_code_0_and_trouble_2(repository: Repository) -> None:
    repository.commit({"base/all.yaml": f"# a comment\n{FIRST['base/all.yaml']}"})
    assert differences(repository, "--revision", "HEAD~1..HEAD", code=0) == {}
    assert homeostat("diff", str(repository.folder), "--revision", "nothing").code == 2
    repository.commit({"overlays/dev/kustomization.yaml": "resources: [gone.yaml]\n"})
    done = homeostat("diff", str(repository.folder), "--revision", "HEAD~1..HEAD")
    assert done.code == 2
    assert "does not render: " in done.stdout
    assert "gone.yaml" in done.stderr
    repository.commit({"README.md": "the fault is an old one\n"})
    assert homeostat("diff", str(repository.folder), "--revision", "HEAD~1..HEAD").code == 0


def test_three_dots_leave_out_what_came_to_the_other_branch_meanwhile(repository: Repository) -> None:
    repository.git("checkout", "-q", "-b", "mine")
    repository.commit({"shop/values.yaml": "replicas: 2\n"})
    repository.git("checkout", "-q", "main")
    repository.commit({"base/all.yaml": FIRST["base/all.yaml"].replace("one", "two")})
    assert differences(repository, "--revision", "main...mine").keys() == {"shop"}
    assert differences(repository, "--revision", "main..mine").keys() == {"dev", "prod", "shop"}


def test_applications_that_lie_elsewhere_are_handed_in(repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> None:
    given = tmp_path_factory.mktemp("apps") / "app.yaml"
    given.write_text(application("given", "shop", more=", helm: {parameters: [{name: replicas, value: '7'}]}"))
    repository.commit({"shop/values.yaml": "replicas: 2\n"})
    assert differences(repository, "--revision", "HEAD~1..HEAD", "-f", str(given)).keys() == {"shop"}, "its value is not from the file"
    repository.commit({"shop/templates/a.yaml": FIRST["shop/templates/a.yaml"].replace("size:", "height:")})
    assert differences(repository, "--revision", "HEAD~1..HEAD", "-f", str(given)).keys() == {"given", "shop"}


def test_a_source_that_lies_elsewhere_is_named_where_an_app_asks_for_another(repository: Repository) -> None:
    far = "https://charts.invalid/x.git"
    repository.commit({"apps/far.yaml": application("far", "x", far, ", targetRevision: '1'")})
    repository.commit({"apps/far.yaml": application("far", "x", far, ", targetRevision: '2'")})
    done = homeostat("diff", str(repository.folder), "--no-fetch", "--revision", "HEAD~1..HEAD")
    assert done.code == 1
    assert f"not looked at, for it lies elsewhere: {far} x 2" in done.stdout


def test_the_apps_of_nothing_but_the_working_copy_are_not_touched(repository: Repository) -> None:
    before = repository.git("status", "--porcelain")
    repository.commit({"shop/values.yaml": "replicas: 2\n"})
    differences(repository, "--revision", "HEAD~1..HEAD")
    assert repository.git("status", "--porcelain") == before


def _changes(diff: str, count: int = 1) -> Changes:
    objects = tuple(ObjectChange(Key("", "ConfigMap", "shop", f"c{number}"), What.CHANGED, diff) for number in range(count))
    return Changes((AppChange(AppKey("Application", "argocd", "a|<b>@team"), What.CHANGED, objects),), 1, 2)


def test_a_comment_is_markdown_that_hides_each_diff_until_asked() -> None:
    text = markdown(_changes("--- a\n+++ b\n-x: ```\n+x: y"), "main..mine")
    assert "| app | added | changed | removed | |" in text
    assert "| argocd/a\\|&lt;b&gt;@\N{ZERO WIDTH SPACE}team | 0 | 1 | 0 |  |" in text
    assert "<details><summary>" in text
    assert "\n````diff\n" in text, "the fence is longer than any in the diff"


def test_a_comment_is_never_longer_than_a_code_host_takes() -> None:
    text = markdown(_changes("+" + "x" * 9_000, 20), "main..mine")
    assert len(text) <= LIMIT
    assert "**13 of 20 differences were cut:**" in text
    assert text.count("<details>") == text.count("</details>") == 7


def test_what_plugins_make_is_compared(repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> None:
    plugins = tmp_path_factory.mktemp("plugins")
    (plugins / "paint.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: ConfigManagementPlugin\nmetadata: {name: paint}\n"
        "spec: {generate: {command: [sed, s/BRUSH/ConfigMap/, paint.txt]}}\n"
    )
    text = "apiVersion: v1\nkind: BRUSH\nmetadata: {name: painted}\ndata: {colour: red}\n"
    app = application("paint", "paint", more=", plugin: {name: paint}")
    repository.commit({"apps/paint.yaml": app, "paint/paint.txt": text})
    repository.commit({"paint/paint.txt": text.replace("red", "blue")})
    arguments = ("diff", str(repository.folder), "--revision", "HEAD~1..HEAD", "--no-fetch")
    for given in (
        homeostat(*arguments, "--plugins", str(plugins)),
        homeostat(*arguments, env={"HOMEOSTAT_PLUGINS": str(plugins)}),
    ):
        assert given.code == 1, given.stderr
        assert "-  colour: red\n+  colour: blue\n" in given.stdout
