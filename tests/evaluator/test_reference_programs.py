"""Object by object and in the same order, the evaluator answers what ``kustomize build`` and ``helm template`` print."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests import tools
from tests.evaluator import frames

CORPUS = Path(__file__).parents[1] / "corpus"
OVERLAYS = sorted(path.name for path in (CORPUS / "overlays").iterdir() if path.is_dir() and not path.name.startswith("_"))
CHARTS = sorted(path.name for path in (CORPUS / "charts").iterdir() if path.is_dir())

KUBE_VERSION = "1.36.3"

Objects = list[dict[str, Any]]


def read(shared: frames.Evaluator, text: str) -> Objects:
    """The objects of a stream, as Kubernetes reads YAML."""
    return objects(shared.run({"evaluator": "yaml", "text": text}))


def objects(answer: Any) -> Objects:
    return [one["object"] for one in answer["objects"]]


def output(*command: object) -> str:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True).stdout


def entry(name: str) -> str:
    """The directory to build: ``target`` where an overlay has its bases beside it."""
    return f"{name}/target" if (CORPUS / "overlays" / name / "target").is_dir() else name


def kustomize(shared: frames.Evaluator, folder: frames.Folder, path: str, **options: Any) -> Objects:
    return objects(shared.run({"evaluator": "kustomize", "path": path, "options": options}, folder))


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(OVERLAYS) >= 40
    assert len(CHARTS) >= 20


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_renders_as_kustomize_builds_it(shared: frames.Evaluator, name: str) -> None:
    folder = frames.Folder(CORPUS / "overlays")
    ours = kustomize(shared, folder, entry(name))
    assert ours
    assert ours == read(shared, output(tools.kustomize(), "build", CORPUS / "overlays" / entry(name)))


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_renders_as_helm_templates_it(shared: frames.Evaluator, tmp_path: Path, name: str) -> None:
    chart = CORPUS / "charts" / name
    options = orjson.loads((chart / "options.json").read_bytes()) if (chart / "options.json").exists() else {}
    request = {"evaluator": "helm", "path": name, "releaseName": "rel", "namespace": "ns", "kubeVersion": KUBE_VERSION, "options": options}
    answer = shared.run(request, frames.Folder(CORPUS / "charts"))
    assert answer["objects"]
    assert objects(answer) == read(shared, output(tools.helm(), "template", "rel", chart, *helm_flags(chart, options, tmp_path)))


def helm_flags(chart: Path, options: dict[str, Any], scratch: Path) -> list[object]:
    """The flags that Argo CD gives to ``helm template`` for ``source.helm``."""
    flags: list[object] = ["--namespace", "ns", "--kube-version", options.get("kube_version", KUBE_VERSION)]
    flags += [part for name in options.get("value_files", ()) for part in ("--values", chart / name)]
    inline = orjson.dumps(options["values_object"]).decode() if "values_object" in options else options.get("values")
    if inline is not None:
        (scratch / "inline.yaml").write_text(inline)
        flags += ["--values", scratch / "inline.yaml"]
    for parameter in options.get("parameters", ()):
        value = parameter["value"] if parameter["value"].startswith("{") else parameter["value"].replace(",", "\\,")
        flags += ["--set-string" if parameter.get("force_string") else "--set", f"{parameter['name']}={value}"]
    flags += [part for one in options.get("file_parameters", ()) for part in ("--set-file", f"{one['name']}={chart / one['path']}")]
    flags += [part for version in options.get("api_versions", ()) for part in ("--api-versions", version)]
    flags += [] if options.get("skip_crds") else ["--include-crds"]
    flags += ["--skip-tests"] if options.get("skip_tests") else []
    flags += ["--skip-schema-validation"] if options.get("skip_schema_validation") else []
    return flags


EDITS = [
    pytest.param(
        {"name_prefix": "-odd-", "name_suffix": "-x"}, [["set", "nameprefix", "--", "-odd-"], ["set", "namesuffix", "--", "-x"]], id="names"
    ),
    pytest.param(
        {"images": ["registry.example/web=other/web:3", "registry.example/sidecar:9", "unknown@sha256:" + "0" * 64]},
        [["set", "image", "registry.example/web=other/web:3", "registry.example/sidecar:9", "unknown@sha256:" + "0" * 64]],
        id="images",
    ),
    pytest.param({"replicas": [{"name": "web", "count": 9}]}, [["set", "replicas", "web=9"]], id="replicas"),
    pytest.param({"replicas": [{"name": "web", "count": "3"}]}, [["set", "replicas", "web=3"]], id="replicas-text"),
    pytest.param({"common_labels": {"a": "b", "c": "d:e"}}, [["add", "label", "a:b", "c:d:e"]], id="labels"),
    pytest.param(
        {"common_labels": {"a": "b"}, "label_without_selector": True, "label_include_templates": True},
        [["add", "label", "--without-selector", "--include-templates", "a:b"]],
        id="labels-in-templates",
    ),
    pytest.param(
        {
            "common_labels": {"team": "new"},
            "force_common_labels": True,
            "common_annotations": {"x": "$y"},
            "force_common_annotations": True,
        },
        [["add", "label", "--force", "team:new"], ["add", "annotation", "--force", "x:$y"]],
        id="forced",
    ),
    pytest.param({"namespace": "elsewhere"}, [["set", "namespace", "--", "elsewhere"]], id="namespace"),
    pytest.param({"components": ["../19-components/monitoring"]}, [["add", "component", "../19-components/monitoring"]], id="components"),
    pytest.param(
        {"components": ["../not/there", "../19-components/tls"], "ignore_missing_components": True},
        [["add", "component", "../19-components/tls"]],
        id="components-missing",
    ),
    pytest.param(
        {"patches": [{"target": {"kind": "Service"}, "patch": '[{"op": "add", "path": "/spec/type", "value": "NodePort"}]', "path": ""}]},
        [["add", "patch", "--kind", "Service", "--patch", '[{"op": "add", "path": "/spec/type", "value": "NodePort"}]']],
        id="patches",
    ),
]


@pytest.mark.parametrize("name", ["01-plain", "04-labels-annotations", "06-images", "14-patches-deprecated-forms", "16-bases-deprecated"])
@pytest.mark.parametrize(("options", "edits"), EDITS)
def test_options_of_an_app_do_what_kustomize_edit_does(
    shared: frames.Evaluator, tmp_path: Path, name: str, options: dict[str, Any], edits: list[list[str]]
) -> None:
    shutil.copytree(CORPUS / "overlays", tmp_path / "overlays")
    folder = tmp_path / "overlays" / name
    try:
        for edit in edits:
            subprocess.run([tools.kustomize(), "edit", *edit], cwd=folder, capture_output=True, text=True, check=True)
        theirs = output(tools.kustomize(), "build", folder)
    except subprocess.CalledProcessError as failed:
        with pytest.raises(frames.EvaluationError) as ours:
            kustomize(shared, frames.Folder(CORPUS / "overlays"), name, **options)
        last = failed.stderr.strip().removeprefix("Error: ").splitlines()[-1]
        assert last.replace(str(tmp_path / "overlays") + "/", "") in ours.value.message
        return
    assert kustomize(shared, frames.Folder(CORPUS / "overlays"), name, **options) == read(shared, theirs)
