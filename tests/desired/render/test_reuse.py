"""A render that did not read what has changed is not run again; one that did is. Directories listed and files missing count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from homeostat.desired.errors import RenderFailedError, RenderStoppedError
from homeostat.desired.render import cache
from homeostat.desired.render.renderer import RenderContext, Rendered, Renderer
from homeostat.desired.sources.errors import CacheError
from homeostat.model.app import (
    DirectoryOptions,
    HelmFileParameter,
    HelmOptions,
    HelmParameter,
    JsonnetVar,
    KustomizeOptions,
    KustomizePatch,
    Source,
)
from homeostat.model.tree import Tree
from tests import evaluators
from tests.evaluators import CHART, CONFIG_MAP, Link, MemoryTree

Contents = dict[str, str | bytes]
TEMPLATE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {colour: {{ .Values.colour | quote }}}\n"

KUSTOMIZE: Contents = {
    "web/kustomization.yaml": "resources: [../base]\ncomponents: [../part]\npatches: [{path: patch.yaml}]\nconfigMapGenerator: [{name: g, files: [text.txt]}]\n",
    "web/patch.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {size: big}\n",
    "web/text.txt": "hello",
    "web/unread.yaml": "a: 1",
    "base/kustomization.yaml": "resources: [settings.yaml]\n",
    "base/settings.yaml": CONFIG_MAP,
    "part/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {part: x}\n",
    "other/a.yaml": CONFIG_MAP,
}
HELM: Contents = {
    "web/Chart.yaml": CHART,
    "web/values.yaml": "colour: blue\n",
    "web/templates/a.yaml": TEMPLATE,
    "web/charts/sub/Chart.yaml": CHART.replace("shop", "sub"),
    "web/charts/sub/templates/a.yaml": TEMPLATE.replace("{name: a}", "{name: b}"),
    "web/charts/sub/values.yaml": "colour: red\n",
    "env/prod.yaml": "colour: green\n",
    "env/test.yaml": "colour: grey\n",
    "env/file.txt": "text",
}
DIRECTORY: Contents = {
    "web/a.yaml": CONFIG_MAP,
    "web/sub/b.yaml": CONFIG_MAP,
    "web/c.jsonnet": "import '../lib/x.libsonnet'",
    "lib/x.libsonnet": '{apiVersion: "v1", kind: "ConfigMap", metadata: {name: "x"}}',
    "lib/y.libsonnet": "{}",
}

_HELM = HelmOptions(
    value_files=("../env/prod.yaml", "../env/local.yaml"),
    ignore_missing_value_files=True,
    file_parameters=(HelmFileParameter("f", "../env/file.txt"),),
)
_WEB = Source(repo_url="file:///repo", path="web")
SOURCES = {
    "kustomize": (_WEB, KUSTOMIZE),
    "helm": (msgspec.structs.replace(_WEB, helm=_HELM), HELM),
    "directory": (_WEB, DIRECTORY),
    "recursive": (msgspec.structs.replace(_WEB, directory=DirectoryOptions(recurse=True, exclude="*.md")), DIRECTORY),
}

Changes = dict[str, str | None]

READ: list[tuple[str, Changes]] = [
    ("kustomize", {"web/kustomization.yaml": "resources: [../base]\n"}),
    ("kustomize", {"base/settings.yaml": CONFIG_MAP.replace("blue", "red")}),
    ("kustomize", {"part/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"}),
    ("kustomize", {"web/patch.yaml": None}),
    ("kustomize", {"web/text.txt": "bye"}),
    ("kustomize", {"web/kustomization.yml": "resources: []\n"}),
    ("kustomize", {"web/.argocd-source.yaml": "kustomize: {namePrefix: x-}\n"}),
    ("kustomize", {"web/.argocd-source-shop.yaml": "kustomize: {namePrefix: x-}\n"}),
    ("kustomize", {"base/kustomization.yaml": None, "base/settings.yaml": None, "base": Link("part")}),
    ("helm", {"web/values.yaml": "colour: pink\n"}),
    ("helm", {"web/templates/a.yaml": TEMPLATE + "# more\n"}),
    ("helm", {"web/templates/new.yaml": CONFIG_MAP}),
    ("helm", {"web/templates/a.yaml": None}),
    ("helm", {"web/charts/sub/values.yaml": "colour: pink\n"}),
    ("helm", {"env/prod.yaml": "colour: pink\n"}),
    ("helm", {"env/local.yaml": "colour: pink\n"}),
    ("helm", {"env/file.txt": "other"}),
    ("helm", {"web/.helmignore": "templates/\n"}),
    ("directory", {"web/a.yaml": CONFIG_MAP.replace("blue", "red")}),
    ("directory", {"web/new.yaml": CONFIG_MAP}),
    ("directory", {"web/a.yaml": None}),
    ("directory", {"lib/x.libsonnet": '{apiVersion: "v1", kind: "ConfigMap", metadata: {name: "y"}}'}),
    ("directory", {"web/Chart.yaml": CHART}),
    ("recursive", {"web/sub/b.yaml": CONFIG_MAP.replace("blue", "red")}),
    ("recursive", {"web/sub/deeper/c.yaml": CONFIG_MAP.replace("settings", "c")}),
]
NOT_READ: list[tuple[str, Changes]] = [
    ("kustomize", {"web/unread.yaml": "a: 2"}),
    ("kustomize", {"web/new.txt": "new"}),
    ("kustomize", {"base/new.yaml": CONFIG_MAP}),
    ("kustomize", {"other/a.yaml": None, "new/b.yaml": CONFIG_MAP}),
    ("helm", {"env/test.yaml": "colour: pink\n"}),
    ("helm", {"other/a.yaml": CONFIG_MAP}),
    ("directory", {"web/sub/b.yaml": CONFIG_MAP.replace("blue", "red")}),
    ("directory", {"web/sub/new.yaml": CONFIG_MAP}),
    ("directory", {"lib/y.libsonnet": "{a: 1}"}),
    ("recursive", {"lib/y.libsonnet": "{a: 1}"}),
]


def _ids(cases: list[tuple[str, Changes]]) -> list[str]:
    return [f"{kind}: {', '.join(changes)}" for kind, changes in cases]


@pytest.fixture
async def renderer() -> AsyncIterator[Renderer]:
    async with evaluators.pool() as pool:
        yield Renderer(pool=pool)


async def _render(
    renderer: Renderer, source: Source, tree: Tree, *, revision: str = "1", hard: bool = False, name: str = "shop"
) -> Rendered:
    context = RenderContext(
        app_name=name, namespace="shop", revision=revision, kube_version="1.36.3", api_versions=("v1",), subject=f"app {name}"
    )
    return await renderer.render(source=source, tree=tree, context=context, hard=hard)


@pytest.mark.parametrize(("kind", "changes"), READ, ids=_ids(READ))
async def test_a_render_that_read_what_has_changed_runs_again(renderer: Renderer, kind: str, changes: Changes) -> None:
    source, files = SOURCES[kind]
    tree = MemoryTree(files)
    first = await _render(renderer, source, tree)
    assert first.fresh
    later = tree.but(changes)
    assert await _is_run(renderer, source, later)
    assert not await _is_run(renderer, source, later)
    back = await _render(renderer, source, tree)
    assert back.fresh
    assert back.digest == first.digest


@pytest.mark.parametrize(("kind", "changes"), NOT_READ, ids=_ids(NOT_READ))
async def test_a_render_that_did_not_read_what_has_changed_is_kept(renderer: Renderer, kind: str, changes: Changes) -> None:
    source, files = SOURCES[kind]
    tree = MemoryTree(files)
    first = await _render(renderer, source, tree)
    later = await _render(renderer, source, tree.but(changes), revision="2")
    assert not later.fresh
    assert later.digest == first.digest
    assert later.manifests == first.manifests


async def _is_run(renderer: Renderer, source: Source, tree: Tree) -> bool:
    """Whether a render was run, be it to fail."""
    runs = _runs(renderer)
    try:
        rendered = await _render(renderer, source, tree)
    except RenderFailedError:
        return _runs(renderer) > runs
    return rendered.fresh


async def test_the_same_again_is_kept_and_hard_renders_again(renderer: Renderer) -> None:
    source, files = SOURCES["helm"]
    tree = MemoryTree(files)
    assert (await _render(renderer, source, tree)).fresh
    assert not (await _render(renderer, source, tree)).fresh
    assert (await _render(renderer, source, tree, hard=True)).fresh


async def test_other_options_render_again_and_both_are_kept(renderer: Renderer) -> None:
    source, files = SOURCES["helm"]
    other = msgspec.structs.replace(source, helm=msgspec.structs.replace(_HELM, values="colour: pink\n"))
    tree = MemoryTree(files)
    first = await _render(renderer, source, tree)
    second = await _render(renderer, other, tree)
    assert first.digest != second.digest
    assert not (await _render(renderer, source, tree)).fresh
    assert not (await _render(renderer, other, tree)).fresh


async def test_only_a_source_that_speaks_of_the_revision_depends_on_it(renderer: Renderer) -> None:
    options = KustomizeOptions(common_annotations_envsubst=True, common_annotations={"revision": "${ARGOCD_APP_REVISION_SHORT}"})
    source = msgspec.structs.replace(_WEB, kustomize=options)
    tree = MemoryTree(KUSTOMIZE)
    first = await _render(renderer, source, tree, revision="0123456789abcdef")
    assert first.manifests[0].object["metadata"]["annotations"]["revision"] == "0123456"
    assert not (await _render(renderer, source, tree, revision="0123456789abcdef")).fresh
    assert (await _render(renderer, source, tree, revision="fedcba9876543210")).fresh


async def test_an_override_may_speak_of_the_revision_too(renderer: Renderer) -> None:
    tree = MemoryTree({**HELM, "web/.argocd-source-shop.yaml": "helm: {parameters: [{name: colour, value: $ARGOCD_APP_REVISION}]}\n"})
    first = await _render(renderer, _WEB, tree, revision="abc")
    assert {manifest.object["data"]["colour"] for manifest in first.manifests} >= {"abc"}
    assert (await _render(renderer, _WEB, tree, revision="def")).fresh


async def test_a_path_that_is_not_there_is_told_until_it_appears(renderer: Renderer) -> None:
    tree = MemoryTree({"other/a.yaml": CONFIG_MAP})
    with pytest.raises(RenderFailedError, match=r"^web: app path does not exist$"):
        await _render(renderer, _WEB, tree)
    later = tree.but({"web/a.yaml": CONFIG_MAP})
    assert (await _render(renderer, _WEB, later)).fresh


async def test_a_failure_is_kept_while_its_files_stay(renderer: Renderer) -> None:
    tree = MemoryTree({"web/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x\n", "b/c.txt": ""})
    with pytest.raises(RenderFailedError) as first:
        await _render(renderer, _WEB, tree)
    assert str(first.value).startswith("web/a.yaml:")
    assert first.value.source_type == "Directory"
    runs = _runs(renderer)
    with pytest.raises(RenderFailedError):
        await _render(renderer, _WEB, tree.but({"b/c.txt": "changed"}))
    assert _runs(renderer) == runs
    assert (await _render(renderer, _WEB, tree.but({"web/a.yaml": CONFIG_MAP}))).fresh


async def test_a_stopped_render_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_STOPPED_SECONDS", 0.0)
    files = {**HELM, "web/templates/a.yaml": '{{ range until 30000 }}{{ range until 30000 }}{{ $_ := printf "x" }}{{ end }}{{ end }}'}
    async with evaluators.pool(seconds=0.3) as pool:
        renderer = Renderer(pool=pool)
        for _ in range(2):
            runs = _runs(renderer)
            with pytest.raises(RenderStoppedError, match=r"^helm of app shop was stopped: it took more than its time limit of 0.3 seconds"):
                await _render(renderer, _WEB, MemoryTree(files))
            assert _runs(renderer) > runs
        monkeypatch.setattr(cache, "_STOPPED_SECONDS", 60.0)
        with pytest.raises(RenderStoppedError):
            await _render(renderer, _WEB, MemoryTree(files), hard=True)
        runs = _runs(renderer)
        with pytest.raises(RenderStoppedError):
            await _render(renderer, _WEB, MemoryTree(files))
        assert _runs(renderer) == runs


async def test_several_who_ask_at_once_share_one_run(renderer: Renderer) -> None:
    source, files = SOURCES["kustomize"]
    tree = MemoryTree(files)
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(_render(renderer, source, tree)) for _ in range(5)]
    assert [task.result().fresh for task in asked].count(True) == 1
    assert len({task.result().digest for task in asked}) == 1


async def test_what_is_kept_of_an_app_is_bounded_and_can_be_forgotten(renderer: Renderer) -> None:
    tree = MemoryTree(DIRECTORY)
    sources = [msgspec.structs.replace(_WEB, target_revision=str(number)) for number in range(4)]
    for source in sources:
        await _render(renderer, source, tree)
    assert not (await _render(renderer, sources[3], tree)).fresh
    assert (await _render(renderer, sources[0], tree)).fresh
    renderer.forget("app shop")
    assert (await _render(renderer, sources[0], tree)).fresh


async def test_a_damaged_store_is_not_taken_for_a_render(renderer: Renderer) -> None:
    class Damaged(MemoryTree):
        def _bytes(self, real: str) -> bytes:
            raise CacheError(f"{real} cannot be read")

    with pytest.raises(CacheError):
        await _render(renderer, _WEB, Damaged(DIRECTORY))
    assert (await _render(renderer, _WEB, MemoryTree(DIRECTORY))).fresh


async def test_the_build_environment_is_filled_in_where_argo_cd_does(renderer: Renderer) -> None:
    helm = HelmOptions(
        parameters=(HelmParameter("colour", "$ARGOCD_APP_NAME-${ARGOCD_APP_NAMESPACE}$$x"),),
        value_files=("../env/${ARGOCD_APP_PROJECT_NAME}.yaml",),
    )
    files = {**HELM, "env/default.yaml": "sub: {colour: black}\n"}
    rendered = await _render(renderer, msgspec.structs.replace(_WEB, helm=helm), MemoryTree(files))
    assert sorted(manifest.object["data"]["colour"] for manifest in rendered.manifests) == ["black", "shop-shop$x"]
    directory = DirectoryOptions(tlas=(JsonnetVar("name", "$ARGOCD_APP_NAME"),))
    function: Contents = {"web/a.jsonnet": 'function(name) {apiVersion: "v1", kind: "ConfigMap", metadata: {name: name}}'}
    rendered = await _render(renderer, msgspec.structs.replace(_WEB, directory=directory), MemoryTree(function))
    assert rendered.manifests[0].object["metadata"]["name"] == "shop"


@pytest.mark.parametrize("exclude", ["", "{x,y}.yaml"])
async def test_jsonnet_files_are_left_out_where_jsonnet_is_switched_off(renderer: Renderer, exclude: str) -> None:
    files: Contents = {
        "web/a.yaml": CONFIG_MAP,
        "web/x.yaml": CONFIG_MAP.replace("settings", "x"),
        "web/sub/b.jsonnet": 'error "not evaluated"',
    }
    source = msgspec.structs.replace(_WEB, directory=DirectoryOptions(recurse=True, exclude=exclude))
    context = RenderContext(app_name="shop", disabled=("Directory",))
    rendered = await renderer.render(source=source, tree=MemoryTree(files), context=context)
    names = [manifest.object["metadata"]["name"] for manifest in rendered.manifests]
    assert names == (["settings"] if exclude else ["settings", "x"])
    with pytest.raises(RenderFailedError, match="not evaluated"):
        await renderer.render(source=source, tree=MemoryTree(files), context=RenderContext(app_name="shop"))


async def test_patches_of_the_app_are_traced_too(renderer: Renderer) -> None:
    source = msgspec.structs.replace(_WEB, kustomize=KustomizeOptions(patches=(KustomizePatch(path="more.yaml"),)))
    tree = MemoryTree({**KUSTOMIZE, "web/more.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {more: x}\n"})
    first = await _render(renderer, source, tree)
    assert any(manifest.object["data"].get("more") == "x" for manifest in first.manifests)
    assert (
        await _render(renderer, source, tree.but({"web/more.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"}))
    ).fresh


async def test_lists_are_taken_apart(renderer: Renderer) -> None:
    inner = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}"
    text = f"apiVersion: v1\nkind: List\nitems: [{inner}, {{apiVersion: v1, kind: ConfigMapList, items: [{inner}]}}]\n---\napiVersion: v1\nkind: List\nitems: null\n"
    rendered = await _render(renderer, _WEB, MemoryTree({"web/a.yaml": text}))
    assert [manifest.object["metadata"]["name"] for manifest in rendered.manifests] == ["a", "a"]
    assert {str(manifest.origin) for manifest in rendered.manifests} == {"web/a.yaml:1"}


def _runs(renderer: Renderer) -> int:
    """How many requests the evaluators were given so far."""
    return int(repr(renderer._pool._numbers).removeprefix("count(").removesuffix(")"))
