"""What is not in the repository does not exist for a render: no disk, no network, no environment, no program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.evaluator import frames
from tests.evaluator.conftest import MakeFolder

CHART = "apiVersion: v2\nname: chart\nversion: 0.1.0\n"
CM = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"


def refused(shared: frames.Evaluator, folder: frames.Folder, evaluator: str, path: str = "app", **options: Any) -> frames.EvaluationError:
    request = {"evaluator": evaluator, "path": path, "options": options, "releaseName": "r", "namespace": "n", "kubeVersion": "1.36.3"}
    with pytest.raises(frames.EvaluationError) as caught:
        shared.run(request, folder)
    return caught.value


def outside(tmp_path: Path) -> Path:
    secret = tmp_path / "secret.yaml"
    secret.write_text(CM.replace("x", "secret"))
    return secret


@pytest.mark.parametrize(
    ("evaluator", "files", "link"),
    [
        pytest.param("directory", {}, "app/link.yaml", id="directory"),
        pytest.param("directory", {"app/a.jsonnet": "import 'link.jsonnet'"}, "app/link.jsonnet", id="jsonnet"),
        pytest.param("kustomize", {"app/kustomization.yaml": "resources: [link.yaml]\n"}, "app/link.yaml", id="kustomize-resource"),
        pytest.param(
            "kustomize", {"app/kustomization.yaml": "configMapGenerator: [{name: a, files: [link]}]\n"}, "app/link", id="kustomize-file"
        ),
        pytest.param("helm", {"app/Chart.yaml": CHART}, "app/templates/link.yaml", id="helm-template"),
        pytest.param("helm", {"app/Chart.yaml": CHART, "app/templates/a.yaml": '{{ .Files.Get "link" }}'}, "app/link", id="helm-file"),
    ],
)
def test_a_link_that_leaves_the_repository_is_refused(
    shared: frames.Evaluator, make_folder: MakeFolder, tmp_path: Path, evaluator: str, files: dict[str, str], link: str
) -> None:
    folder = make_folder({"app/empty.txt": "", **files})
    (folder.root / link).parent.mkdir(exist_ok=True)
    (folder.root / link).symlink_to(outside(tmp_path))
    caught = refused(shared, folder, evaluator)
    assert caught.kind == "input"
    assert "leaves the repository" in caught.message
    assert link.rpartition("/")[2] in caught.message


@pytest.mark.parametrize(
    ("evaluator", "files", "options"),
    [
        pytest.param("directory", {"app/a.jsonnet": "importstr '../../secret.yaml'"}, {}, id="jsonnet"),
        pytest.param("directory", {"app/a.jsonnet": "importstr '/../../etc/passwd'"}, {}, id="jsonnet-root"),
        pytest.param("directory", {"app/a.jsonnet": "{}"}, {"libs": ["../lib"]}, id="jsonnet-lib"),
        pytest.param("kustomize", {"app/kustomization.yaml": "resources: [../../outside]\n"}, {}, id="kustomize"),
        pytest.param("kustomize", {"app/kustomization.yaml": "resources: [../../../../../../etc]\n"}, {}, id="kustomize-far"),
        pytest.param("helm", {"app/Chart.yaml": CHART}, {"value_files": ["../../secret.yaml"]}, id="helm-values"),
        pytest.param("helm", {"app/Chart.yaml": CHART}, {"file_parameters": [{"name": "a", "path": "/../secret.yaml"}]}, id="helm-file"),
    ],
)
def test_a_path_that_leaves_the_repository_is_refused(
    shared: frames.Evaluator, make_folder: MakeFolder, tmp_path: Path, evaluator: str, files: dict[str, str], options: dict[str, Any]
) -> None:
    outside(tmp_path)
    folder = make_folder(files)
    caught = refused(shared, folder, evaluator, **options)
    assert caught.kind == "input"
    assert "leaves the repository" in caught.message or "outside repository" in caught.message
    assert not any(
        ".." in path for asked in folder.asked for path in (*asked.get("stat", ()), *asked.get("read", ()), *asked.get("list", ()))
    )


def test_load_restrictions_of_kustomize_are_its_own(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    folder = make_folder({"app/kustomization.yaml": "resources: [../other/cm.yaml]\n", "other/cm.yaml": CM})
    assert "is not in or below" in refused(shared, folder, "kustomize").message
    request = {"evaluator": "kustomize", "path": "app", "options": {}, "buildOptions": ["--load-restrictor", "LoadRestrictionsNone"]}
    assert len(shared.run(request, folder)["objects"]) == 1


def test_links_inside_of_the_repository_are_followed(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    folder = make_folder(
        {"real/cm.yaml": CM, "real/kustomization.yaml": "resources: [cm.yaml]\n", "chart/Chart.yaml": CHART, "templates/a.yaml": CM}
    )
    (folder.root / "app").symlink_to("real")
    (folder.root / "chart/templates").symlink_to("../templates")
    for request in (
        {"evaluator": "directory", "path": "app", "options": {"include": "cm.yaml"}},
        {"evaluator": "kustomize", "path": "app", "options": {}},
        {"evaluator": "helm", "path": "chart", "options": {}, "releaseName": "r", "namespace": "n", "kubeVersion": "1.36.3"},
    ):
        assert len(shared.run(request, folder)["objects"]) == 1


def test_links_in_circles_end_in_an_error(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    folder = make_folder({"app/Chart.yaml": CHART})
    (folder.root / "app/again").symlink_to(".")
    assert "circles" in refused(shared, folder, "helm").message


@pytest.mark.parametrize(
    ("files", "at"),
    [
        pytest.param(
            {"app/kustomization.yaml": 'resources: ["https://github.com/o/r//p?ref=v1"]\n'}, "https://github.com/o/r//p?ref=v1", id="git"
        ),
        pytest.param({"app/kustomization.yaml": 'resources: ["git@example.com:o/r.git"]\n'}, "git@example.com:o/r.git", id="ssh"),
        pytest.param({"app/kustomization.yaml": 'resources: ["https://127.0.0.1:1/x.yaml"]\n'}, "https://127.0.0.1:1/x.yaml", id="file"),
        pytest.param(
            {"app/kustomization.yaml": 'components: ["https://example.com/o/r//c"]\n'}, "https://example.com/o/r//c", id="component"
        ),
        pytest.param(
            {"app/kustomization.yaml": 'patches: [{path: "https://127.0.0.1:1/p.yaml"}]\n'}, "https://127.0.0.1:1/p.yaml", id="patch"
        ),
    ],
)
def test_what_kustomize_would_fetch_is_refused_by_name(
    shared: frames.Evaluator, make_folder: MakeFolder, files: dict[str, str], at: str
) -> None:
    caught = refused(shared, make_folder(files), "kustomize")
    assert (caught.kind, caught.file) == ("unsupported", "app/kustomization.yaml")
    assert at in caught.message


def test_the_kustomization_that_names_a_remote_base_is_the_one_that_is_blamed(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    folder = make_folder(
        {"app/kustomization.yaml": "resources: [../base]\n", "base/kustomization.yaml": 'resources: ["https://github.com/o/r"]\n'}
    )
    assert refused(shared, folder, "kustomize").file == "base/kustomization.yaml"


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(
            {"app/kustomization.yaml": 'helmCharts: [{name: a, version: "1", repo: "https://charts.example.com"}]\n'}, id="charts"
        ),
        pytest.param(
            {"app/kustomization.yaml": "transformers: [t.yaml]\n", "app/t.yaml": "apiVersion: a/v1\nkind: Own\nmetadata: {name: t}\n"},
            id="plugin",
        ),
        pytest.param(
            {
                "app/kustomization.yaml": "generators: [t.yaml]\n",
                "app/t.yaml": "apiVersion: a/v1\nkind: Own\nmetadata: {name: t, annotations: {config.kubernetes.io/function: 'exec: {path: /bin/true}'}}\n",
            },
            id="function",
        ),
    ],
)
def test_programs_that_kustomize_would_run_are_refused(shared: frames.Evaluator, make_folder: MakeFolder, files: dict[str, str]) -> None:
    caught = refused(shared, make_folder(files), "kustomize")
    assert (caught.kind, caught.file) == ("unsupported", "app/kustomization.yaml")


@pytest.mark.parametrize("reference", ["file:///etc/passwd", "https://127.0.0.1:1/schema.json", "other.json"])
def test_a_schema_that_refers_to_elsewhere_is_refused(shared: frames.Evaluator, make_folder: MakeFolder, reference: str) -> None:
    folder = make_folder({"app/Chart.yaml": CHART, "app/values.schema.json": f'{{"$ref": "{reference}"}}'})
    caught = refused(shared, folder, "helm")
    assert (caught.kind, caught.file) == ("unsupported", "app/values.schema.json")


def test_dependencies_that_would_be_fetched_are_refused_by_name(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    folder = make_folder({"app/Chart.yaml": CHART + 'dependencies: [{name: redis, version: "1", repository: "https://example.com"}]\n'})
    caught = refused(shared, folder, "helm")
    assert (caught.kind, caught.file) == ("unsupported", "app/Chart.yaml")
    assert "redis" in caught.message


@pytest.mark.parametrize(
    ("name", "kind"),
    [("https://example.com/values.yaml", "unsupported"), ("$values/prod.yaml", "input"), ("secrets://x.yaml", "unsupported")],
)
def test_value_files_from_elsewhere_are_refused(shared: frames.Evaluator, make_folder: MakeFolder, name: str, kind: str) -> None:
    caught = refused(shared, make_folder({"app/Chart.yaml": CHART}), "helm", value_files=[name])
    assert caught.kind == kind
    assert name in caught.message


def test_one_render_does_not_see_the_schema_of_another(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    merge = (
        '{"definitions": {"v1.K": {"properties": {"spec": {"properties": {"list": {"type": "array", "items": {"type": "object"},'
        '"x-kubernetes-patch-merge-key": "name", "x-kubernetes-patch-strategy": "merge"}}}},'
        '"x-kubernetes-group-version-kind": [{"group": "e.com", "kind": "K", "version": "v1"}]}}}'
    )
    kustomization = (
        "resources: [k.yaml]\npatches: [{patch: '{apiVersion: e.com/v1, kind: K, metadata: {name: k}, spec: {list: [{name: b}]}}'}]\n"
    )
    thing = "apiVersion: e.com/v1\nkind: K\nmetadata: {name: k}\nspec: {list: [{name: a}]}\n"
    folder = make_folder(
        {
            "with/kustomization.yaml": kustomization + "openapi: {path: schema.json}\n",
            "with/schema.json": merge,
            "with/k.yaml": thing,
            "without/kustomization.yaml": kustomization,
            "without/k.yaml": thing,
        }
    )
    lengths = []
    for path in ("without", "with", "without"):
        answer = shared.run({"evaluator": "kustomize", "path": path, "options": {}}, folder)
        lengths.append(len(answer["objects"][0]["object"]["spec"]["list"]))
    assert lengths == [1, 2, 1]
