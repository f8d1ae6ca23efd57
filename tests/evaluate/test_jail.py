"""What is not in the tree does not exist: no link and no ``..`` leads a renderer out of the repository."""

from __future__ import annotations

import pytest

from homeostat.evaluate.errors import EvaluationError, UnsupportedError
from homeostat.evaluate.requests import DirectoryRequest, HelmRequest, KustomizeRequest, LuaRequest, Request
from homeostat.model.app import DirectoryOptions, HelmFileParameter, HelmOptions, KustomizeOptions, KustomizePatch
from tests import evaluators
from tests.evaluators import CONFIG_MAP, Link, MemoryTree

Files = dict[str, str | bytes]
CHART: Files = {"a/Chart.yaml": evaluators.CHART, "a/templates/all.yaml": CONFIG_MAP}


def _helm(options: HelmOptions = HelmOptions()) -> Request:  # noqa: B008 - it is frozen
    return HelmRequest(path="a", options=options, release_name="r", namespace="n", kube_version="1.36.3")


ESCAPES: dict[str, tuple[Request, Files]] = {
    "directory: a link to a file": (DirectoryRequest(path="a"), {"a/x.yaml": Link("/etc/passwd")}),
    "directory: a relative link": (DirectoryRequest(path="a"), {"a/x.yaml": Link("../../outside.yaml")}),
    "directory: a link in circles": (DirectoryRequest(path="a"), {"a/x.yaml": Link("y.yaml"), "a/y.yaml": Link("x.yaml")}),
    "directory: through a second link": (DirectoryRequest(path="a"), {"a/x.yaml": Link("../b/x.yaml"), "b/x.yaml": Link("../../x.yaml")}),
    "directory: the path itself": (DirectoryRequest(path="../a"), {"a/x.yaml": CONFIG_MAP}),
    "directory: the path is a link": (DirectoryRequest(path="a"), {"a": Link("/etc")}),
    "jsonnet: import": (DirectoryRequest(path="a"), {"a/x.jsonnet": "import '../../outside.libsonnet'"}),
    "jsonnet: importstr of a link": (DirectoryRequest(path="a"), {"a/x.jsonnet": "importstr 'l'", "a/l": Link("/etc/passwd")}),
    "jsonnet: importstr of an absolute path": (DirectoryRequest(path="a"), {"a/x.jsonnet": "importstr '/etc/passwd'"}),
    "jsonnet: library": (DirectoryRequest(path="a", options=DirectoryOptions(libs=("../..",))), {"a/x.jsonnet": "import 'passwd'"}),
    "kustomize: a resource": (KustomizeRequest(path="a"), {"a/kustomization.yaml": "resources: [../../outside]"}),
    "kustomize: a link": (KustomizeRequest(path="a"), {"a/kustomization.yaml": "resources: [l]", "a/l": Link("../../outside")}),
    "kustomize: an absolute path": (KustomizeRequest(path="a"), {"a/kustomization.yaml": "resources: [/etc/passwd]"}),
    "kustomize: a generator": (
        KustomizeRequest(path="a"),
        {"a/kustomization.yaml": "configMapGenerator: [{name: x, files: [l]}]", "a/l": Link("/etc/passwd")},
    ),
    "kustomize: a patch of the app": (
        KustomizeRequest(path="a", options=KustomizeOptions(patches=(KustomizePatch(path="../../patch.yaml"),))),
        {"a/kustomization.yaml": "resources: [x.yaml]", "a/x.yaml": CONFIG_MAP},
    ),
    "kustomize: a remote base": (KustomizeRequest(path="a"), {"a/kustomization.yaml": "resources: ['https://example.com/o/r//p?ref=v1']"}),
    "helm: a values file": (_helm(HelmOptions(value_files=("../../outside.yaml",))), CHART),
    "helm: a link as values file": (_helm(HelmOptions(value_files=("l.yaml",))), {**CHART, "a/l.yaml": Link("/etc/passwd")}),
    "helm: an address as values file": (_helm(HelmOptions(value_files=("https://example.com/values.yaml",))), CHART),
    "helm: a file parameter": (_helm(HelmOptions(file_parameters=(HelmFileParameter("x", "../../../etc/passwd"),))), CHART),
    "helm: a link as template": (_helm(), {**CHART, "a/templates/l.yaml": Link("/etc/passwd")}),
    "helm: a link as subchart": (_helm(), {**CHART, "a/charts/sub": Link("../../../outside")}),
}


@pytest.mark.parametrize(("request_", "files"), ESCAPES.values(), ids=ESCAPES.keys())
async def test_a_way_out_of_the_repository_is_refused(request_: Request, files: Files) -> None:
    async with evaluators.pool() as pool:
        with pytest.raises((EvaluationError, UnsupportedError)) as caught:
            await pool.evaluate(request_, tree=MemoryTree(files))
    assert "root:" not in str(caught.value)


async def test_helm_files_shows_nothing_from_outside() -> None:
    files: Files = {
        **CHART,
        "a/l.txt": Link("/etc/passwd"),
        "a/templates/all.yaml": CONFIG_MAP + '  got: {{ .Files.Get "../../../etc/passwd" | quote }}\n',
    }
    async with evaluators.pool() as pool:
        with pytest.raises(EvaluationError, match=r"leaves the repository"):
            await pool.evaluate(_helm(), tree=MemoryTree(files))
        del files["a/l.txt"]
        answer = await pool.evaluate(_helm(), tree=MemoryTree(files))
    assert "root:" not in str(answer.value)


async def test_no_environment_and_no_disk_for_lua() -> None:
    script = 'return {getenv = tostring(os.getenv and os.getenv("HOME")), io = tostring(io and io.open("/etc/passwd")), execute = tostring(os.execute)}'
    async with evaluators.pool() as pool:
        answer = await pool.evaluate(LuaRequest(script=script, obj={}, open_libs=False))
    assert answer.value == {"getenv": "nil", "io": "nil", "execute": "nil"}


async def test_links_and_paths_inside_the_repository_work() -> None:
    files: Files = {
        "apps/web/kustomization.yaml": "resources: [../../shared/base, l.yaml]\n",
        "apps/web/l.yaml": Link("more/other.yaml"),
        "shared/base": Link("v1"),
        "shared/v1/kustomization.yaml": "resources: [a.yaml]\n",
        "shared/v1/a.yaml": CONFIG_MAP,
        "apps/web/more/other.yaml": CONFIG_MAP.replace("settings", "other"),
    }
    async with evaluators.pool() as pool:
        answer = await pool.evaluate(KustomizeRequest(path="apps/web"), tree=MemoryTree(files))
    assert sorted(item["object"]["metadata"]["name"] for item in answer.value["objects"]) == ["other", "settings"]
    assert {"shared/base", "shared/v1/a.yaml", "apps/web/l.yaml", "apps/web/more/other.yaml"} <= answer.trace


ENVIRONMENTS: dict[str, tuple[Request, Files]] = {
    "helm: env": (_helm(), {**CHART, "a/templates/all.yaml": CONFIG_MAP + "  home: '{{ env \"HOME\" }}'\n"}),
    "helm: expandenv": (_helm(), {**CHART, "a/templates/all.yaml": CONFIG_MAP + "  home: '{{ expandenv \"$HOME\" }}'\n"}),
    "helm: tpl": (_helm(), {**CHART, "a/templates/all.yaml": CONFIG_MAP + "  home: '{{ tpl \"{{ env `HOME` }}\" . }}'\n"}),
    "jsonnet: extVar": (DirectoryRequest(path="a"), {"a/x.jsonnet": "std.extVar('HOME')"}),
    "jsonnet: native": (DirectoryRequest(path="a"), {"a/x.jsonnet": "std.native('env')('HOME')"}),
}


@pytest.mark.parametrize(("request_", "files"), ENVIRONMENTS.values(), ids=ENVIRONMENTS.keys())
async def test_who_asks_for_the_environment_is_refused_by_name(request_: Request, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/of-the-controller")
    async with evaluators.pool() as pool:
        with pytest.raises(EvaluationError) as caught:
            await pool.evaluate(request_, tree=MemoryTree(files))
    assert caught.value.origin.file in {"a/templates/all.yaml", "a/x.jsonnet"}
    assert "of-the-controller" not in str(caught.value)


async def test_a_generator_of_kustomize_that_copies_the_environment_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/of-the-controller")
    files: Files = {"a/kustomization.yaml": "configMapGenerator: [{name: x, envs: [x.env]}]", "a/x.env": "HOME\nOTHER=1\n"}
    async with evaluators.pool() as pool:
        answer = await pool.evaluate(KustomizeRequest(path="a"), tree=MemoryTree(files))
    assert answer.value["objects"][0]["object"]["data"] == {"HOME": "", "OTHER": "1"}
