"""Files are told ahead so that a render asks little, and a render that ran before asks nothing."""

from __future__ import annotations

import pytest

from homeostat.evaluate.files import MAX_ENTRIES, MAX_FOLDER, Files, Prefetch
from homeostat.evaluate.requests import DirectoryRequest, HelmRequest, KustomizeRequest, Request
from homeostat.model.app import DirectoryOptions, HelmOptions
from tests import evaluators
from tests.evaluators import Link, MemoryTree

Contents = dict[str, str | bytes]

OVERLAY: Contents = {
    "base/kustomization.yaml": "resources: [settings.yaml]\n",
    "base/settings.yaml": evaluators.CONFIG_MAP,
    "web/kustomization.yaml": "resources: [../base]\nnamePrefix: web-\nconfigMapGenerator:\n- name: files\n  files: [icon.bin, more/text.txt]\n",
    "web/icon.bin": b"\xff\xfe\x00",
    "web/more/text.txt": "hello\n",
}
CHART: Contents = {
    "chart/Chart.yaml": evaluators.CHART,
    "chart/values.yaml": "colour: blue\n",
    "chart/prod.yaml": "colour: red\n",
    "chart/templates/_helpers.tpl": '{{ define "name" }}settings{{ end }}',
    "chart/templates/all.yaml": 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ include "name" . }}}\ndata: {colour: {{ .Values.colour }}}\n',
    "chart/charts/sub/Chart.yaml": evaluators.CHART.replace("shop", "sub"),
    "chart/charts/sub/templates/all.yaml": evaluators.CONFIG_MAP,
}
FOLDER: Contents = {"plain/a.yaml": evaluators.CONFIG_MAP, "plain/sub/b.yaml": evaluators.CONFIG_MAP, "plain/README.md": "#"}

RENDERS: dict[str, tuple[Request, Contents]] = {
    "kustomize": (KustomizeRequest(path="web"), OVERLAY),
    "helm": (
        HelmRequest(path="chart", options=HelmOptions(value_files=("prod.yaml",)), release_name="r", namespace="n", kube_version="1.36.3"),
        CHART,
    ),
    "directory": (DirectoryRequest(path="plain", options=DirectoryOptions(recurse=True)), FOLDER),
    "through links": (
        KustomizeRequest(path="apps/web"),
        {**{f"real/{path}": content for path, content in OVERLAY.items()}, "apps": Link("real")},
    ),
}


@pytest.mark.parametrize(("request_", "files"), RENDERS.values(), ids=RENDERS.keys())
async def test_a_repeated_render_needs_no_round_trip(request_: Request, files: Contents) -> None:
    tree = MemoryTree(files)
    async with evaluators.pool() as pool:
        cold = await pool.evaluate(request_, tree=tree)
        again = await pool.evaluate(request_, tree=tree, prefetch=Prefetch(trace=cold.trace))
    assert cold.asks > 0
    assert again.asks == 0
    assert again.value == cold.value
    assert again.trace == cold.trace


@pytest.mark.parametrize(("request_", "files"), RENDERS.values(), ids=RENDERS.keys())
async def test_what_was_told_ahead_changes_no_answer(request_: Request, files: Contents) -> None:
    tree = MemoryTree(files)
    async with evaluators.pool() as pool:
        cold = await pool.evaluate(request_, tree=tree)
        folder = await pool.evaluate(request_, tree=tree, prefetch=Prefetch(folder=getattr(request_, "path")))  # noqa: B009
    assert folder.value == cold.value
    assert folder.trace == cold.trace
    assert folder.asks <= cold.asks


async def test_a_first_render_of_a_small_folder_needs_no_round_trip() -> None:
    request, files = RENDERS["helm"]
    async with evaluators.pool() as pool:
        assert (await pool.evaluate(request, tree=MemoryTree(files), prefetch=Prefetch(folder="chart"))).asks == 0


async def test_a_base_elsewhere_costs_one_round_trip() -> None:
    files = {**OVERLAY, "web/kustomization.yaml": "resources: [../base]\n"}
    async with evaluators.pool() as pool:
        assert (await pool.evaluate(KustomizeRequest(path="web"), tree=MemoryTree(files), prefetch=Prefetch(folder="web"))).asks == 1


def test_a_large_folder_is_not_told_as_a_whole() -> None:
    many: Contents = {f"a/{number}.yaml": "a: 1" for number in range(MAX_ENTRIES + 1)}
    assert "read" not in Files(MemoryTree(many)).told(Prefetch(folder="a"))
    long: Contents = {f"a/{number}.yaml": "a" * (MAX_FOLDER // 4) for number in range(10)}
    assert len(Files(MemoryTree(long)).told(Prefetch(folder="a"))["read"]) == 4


def test_a_small_folder_is_told_with_what_its_links_lead_to() -> None:
    files: Contents = {
        "a/x.yaml": "x",
        "a/y.yaml": Link("../b/y.yaml"),
        "a/out.yaml": Link("../../etc/passwd"),
        "b/y.yaml": "y",
        "a/p.png": b"\xff",
    }
    told = Files(MemoryTree(files)).told(Prefetch(folder="a"))
    assert told["read"] == {"a/x.yaml": "x", "a/y.yaml": "y"}
    assert told["stat"]["a/y.yaml"] == {"kind": "file", "real": "b/y.yaml"}
    assert "leaves the repository" in told["stat"]["a/out.yaml"]["error"]
    assert told["stat"]["a"] == "dir"


def test_what_is_no_text_is_told_in_base64() -> None:
    told = Files(MemoryTree({"a.bin": b"\xff\x00"})).answer({"read": ["a.bin", "gone"]})
    assert told == {"read": {"gone": None}, "read64": {"a.bin": "/wA="}}


def test_a_question_about_a_folder_is_answered_with_its_small_files() -> None:
    told = Files(MemoryTree(OVERLAY)).answer({"stat": ["base"]})
    assert told["list"]["base"] == [("kustomization.yaml", "file"), ("settings.yaml", "file")]
    assert set(told["read"]) == {"base/kustomization.yaml", "base/settings.yaml"}


def test_a_trace_names_the_real_places_behind_links() -> None:
    files = Files(MemoryTree({"real/a.yaml": "a", "link": Link("real")}))
    assert files.trace(["link/a.yaml", "link/"]) >= {"link", "link/", "link/a.yaml", "real", "real/", "real/a.yaml"}
