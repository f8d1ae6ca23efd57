"""What an Application and the settings say to Kustomize: patches in every form, variables, options of the build. Held against the real program."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests import tools
from tests.evaluator import frames

MakeFolder = Callable[[dict[str, str]], frames.Folder]

DEPLOYMENT = (
    "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels: {app: web}\nspec:\n  selector: {matchLabels: {app: web}}\n"
    "  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers: [{name: web, image: 'web:1'}]\n"
)
PAUSED = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: other\nspec:\n  paused: true\n"
TREE = {
    "app/kustomization.yaml": "resources: [web.yaml, map.yaml, namespace.yaml]\npatches:\n- path: own.yaml\n",
    "app/web.yaml": DEPLOYMENT,
    "app/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n",
    "app/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: home\n",
    "app/own.yaml": DEPLOYMENT.replace("web:1", "web:2"),
    "app/later.yaml": DEPLOYMENT.replace("web:1", "web:3"),
    "secret/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: outside\n",
    "far/kustomization.yaml": "resources: [../secret/map.yaml]\n",
}
PATCHES: list[Any] = [
    pytest.param([{"path": "later.yaml"}], id="a file, after the overlay's own"),
    pytest.param([{"patch": DEPLOYMENT.replace("web:1", "web:4")}], id="merged"),
    pytest.param([{"patch": PAUSED, "target": {"kind": "Deployment"}, "options": {"allowNameChange": True}}], id="with a new name"),
    pytest.param(
        [{"patch": PAUSED.replace("Deployment", "Pause"), "target": {"name": "w.*"}, "options": {"allowKindChange": True}}], id="a new kind"
    ),
    pytest.param(
        [{"patch": '[{"op": "add", "path": "/spec/replicas", "value": 3}]', "target": {"labelSelector": "app=web", "group": "apps"}}],
        id="JSON",
    ),
    pytest.param([{"patch": "- op: remove\n  path: /metadata/labels", "target": {"kind": "Deployment"}}, {"path": "later.yaml"}], id="two"),
    pytest.param([{"patch": "$patch: delete\n" + PAUSED.replace("other", "web")}], id="a deletion"),
]


@pytest.mark.parametrize("patches", PATCHES)
def test_patches_of_an_application_are_those_of_a_kustomization(
    shared: frames.Evaluator, make_folder: MakeFolder, tmp_path: Path, patches: list[dict[str, Any]]
) -> None:
    ours = built(shared, make_folder(TREE), options={"patches": patches})
    written = orjson.dumps({"resources": ["web.yaml", "map.yaml", "namespace.yaml"], "patches": [{"path": "own.yaml"}, *patches]}).decode()
    assert ours == real(shared, tmp_path, {**TREE, "app/kustomization.yaml": written})


def test_variables_are_replaced_in_annotations_only_when_asked_for(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    folder = make_folder(TREE)
    options: dict[str, Any] = {"common_annotations": {"a": "$ARGOCD_APP_NAME-${NONE}$$x"}, "common_labels": {"l": "x-$ARGOCD_APP_NAME"}}
    for asked, annotation in ((False, "$ARGOCD_APP_NAME-${NONE}$$x"), (True, "shop-$x")):
        found = built(shared, folder, options={**options, "common_annotations_envsubst": asked}, env={"ARGOCD_APP_NAME": "shop"})
        assert {one["metadata"]["annotations"]["a"] for one in found} == {annotation}
        assert {one["metadata"]["labels"]["l"] for one in found} == {"x-shop"}


@pytest.mark.parametrize(
    ("path", "flags"),
    [
        pytest.param("far", ["--load-restrictor", "LoadRestrictionsNone"], id="files outside"),
        pytest.param("app", ["--reorder", "legacy"], id="reordered"),
        pytest.param("app", ["--reorder=none"], id="as they are"),
        pytest.param("app", ["--enable-managedby-label"], id="managed by"),
        pytest.param("app", ["--enable-alpha-plugins", "--enable-exec", "--network"], id="plugins allowed, and none there"),
    ],
)
def test_options_of_the_build_do_what_they_do_for_kustomize(
    shared: frames.Evaluator, make_folder: MakeFolder, tmp_path: Path, path: str, flags: list[str]
) -> None:
    assert built(shared, make_folder(TREE), path, build=flags) == real(shared, tmp_path, TREE, path, *flags)


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param("exec: {path: ./run.sh}", id="a program"),
        pytest.param("container: {image: example/run}", id="a container"),
        pytest.param("starlark: {path: run.star}", id="a script"),
    ],
)
@pytest.mark.parametrize("field", ["generators", "transformers", "validators"])
@pytest.mark.parametrize("flags", [[], ["--enable-alpha-plugins", "--enable-exec", "--network"]], ids=["forbidden", "allowed"])
def test_programs_of_a_kustomization_are_not_run_whatever_the_options_say(
    shared: frames.Evaluator, make_folder: MakeFolder, runs: str, field: str, flags: list[str]
) -> None:
    function = f"apiVersion: v1\nkind: Run\nmetadata:\n  name: x\n  annotations:\n    config.kubernetes.io/function: '{runs}'\n"
    folder = make_folder({**TREE, "app/kustomization.yaml": f"resources: [map.yaml]\n{field}: [run.yaml]\n", "app/run.yaml": function})
    with pytest.raises(frames.EvaluationError, match="programs of somebody else's, which are not run") as caught:
        built(shared, folder, build=flags)
    assert caught.value.kind == "unsupported"
    assert caught.value.file == "app/kustomization.yaml"


@pytest.mark.parametrize("flag", ["--load-restrictor=some", "--reorder=up", "--unknown", "extra"])
def test_an_option_that_is_none_is_named(shared: frames.Evaluator, make_folder: MakeFolder, flag: str) -> None:
    with pytest.raises(frames.EvaluationError, match="kustomize build options") as caught:
        built(shared, make_folder(TREE), build=[flag])
    assert flag.lstrip("-").partition("=")[0] in caught.value.message


def built(shared: frames.Evaluator, folder: frames.Folder, path: str = "app", *, build: list[str] | None = None, **how: Any) -> list[Any]:
    answer = shared.run({"evaluator": "kustomize", "path": path, "options": {}, "buildOptions": build or [], **how}, folder)
    return [one["object"] for one in answer["objects"]]


def real(shared: frames.Evaluator, scratch: Path, files: dict[str, str], path: str = "app", *flags: str) -> list[Any]:
    root = scratch / "real"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    text = subprocess.run([tools.kustomize(), "build", root / path, *flags], capture_output=True, text=True, check=True).stdout
    return [one["object"] for one in shared.run({"evaluator": "yaml", "text": text})["objects"]]
