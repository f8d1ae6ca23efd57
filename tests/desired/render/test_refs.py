"""Charts find their value files in other sources, which are no part of the chart; and only what is read of them counts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from homeostat.desired.errors import RenderError
from homeostat.desired.render.renderer import RenderContext, Rendered, Renderer
from homeostat.desired.sources.mounted import mounted
from homeostat.evaluate.requests import ref_mount
from homeostat.model.app import HelmFileParameter, HelmOptions, HelmParameter, Source
from homeostat.model.tree import Tree
from tests import evaluators
from tests.evaluators import CHART, CONFIG_MAP, Link, MemoryTree

TEMPLATE = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    "data: {colour: {{ .Values.colour | quote }}, size: {{ .Values.size | quote }}, files: '{{ range $path, $_ := .Files.Glob \"**\" }}{{ $path }} {{ end }}'}\n"
)
ROOT_CHART = MemoryTree({"Chart.yaml": CHART, "values.yaml": "colour: blue\nsize: s\n", "templates/a.yaml": TEMPLATE, "notes.md": "x"})
VALUES = MemoryTree(
    {
        "env/a.yaml": "colour: red\n",
        "env/b.yaml": "size: m\n",
        "env/size.txt": "xl",
        "unread.yaml": "colour: no\n",
        "out.yaml": Link("../../x"),
    }
)


@pytest.fixture
async def renderer() -> AsyncIterator[Renderer]:
    async with evaluators.pool() as pool:
        yield Renderer(pool=pool)


async def render(renderer: Renderer, helm: HelmOptions, *, chart: Tree = ROOT_CHART, path: str = "", **refs: Tree) -> Rendered:
    source = Source(repo_url="https://git.example/chart", path=path, helm=helm)
    tree = mounted(chart, {ref_mount(name): ref for name, ref in refs.items()})
    return await renderer.render(source=source, tree=tree, context=RenderContext(app_name="shop", refs=tuple(refs), sources=2))


def data(rendered: Rendered) -> Any:
    (manifest,) = rendered.manifests
    return manifest.object["data"]


async def test_value_files_patterns_and_file_parameters_are_found_in_another_source(renderer: Renderer) -> None:
    plain = await render(renderer, HelmOptions(value_files=("$values/env/a.yaml",)), values=VALUES)
    assert data(plain) == {"colour": "red", "size": "s", "files": "notes.md "}, "what is mounted is no file of the chart"
    pattern = await render(renderer, HelmOptions(value_files=("$values/env/*.yaml",)), values=VALUES)
    assert (data(pattern)["colour"], data(pattern)["size"]) == ("red", "m")
    file = HelmOptions(file_parameters=(HelmFileParameter("size", "$values/env/size.txt"),))
    assert data(await render(renderer, file, values=VALUES))["size"] == "xl"
    missing = HelmOptions(value_files=("$values/none.yaml", "$values/none/*.yaml"), ignore_missing_value_files=True)
    assert data(await render(renderer, missing, values=VALUES))["colour"] == "blue"


async def test_only_what_was_read_of_another_source_counts(renderer: Renderer) -> None:
    helm = HelmOptions(value_files=("$values/env/*.yaml",))
    assert (await render(renderer, helm, values=VALUES)).fresh
    later = VALUES.but({"unread.yaml": "colour: never\n"})
    assert not (await render(renderer, helm, values=later)).fresh
    changed = await render(renderer, helm, values=later.but({"env/a.yaml": "colour: pink\n"}))
    assert changed.fresh
    assert data(changed)["colour"] == "pink"
    assert (await render(renderer, helm, values=later.but({"env/c.yaml": "size: xxl\n"}))).fresh, "the pattern matches it"


async def test_an_override_beside_the_chart_may_name_another_source(renderer: Renderer) -> None:
    chart = ROOT_CHART.but({".argocd-source.yaml": "helm: {valueFiles: [$values/env/a.yaml]}\n"})
    assert data(await render(renderer, HelmOptions(), chart=chart, values=VALUES))["colour"] == "red"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("$other/env/a.yaml", r'helm.valueFiles: "\$other/env/a.yaml": no source of the app has the ref "other"'),
        ("$values/../../etc/passwd", r"leaves the source that \$values stands for"),
        ("$values/out.yaml", "leaves the repository"),
        ("$values", "no such file"),
        ("$values/env/none.yaml", r"value file \$values/env/none.yaml: no such file"),
        ("$values/x/*.yaml", "matches no file"),
    ],
)
async def test_what_leads_nowhere_is_told_by_the_name_of_the_ref(renderer: Renderer, name: str, says: str) -> None:
    with pytest.raises(RenderError, match=says) as caught:
        await render(renderer, HelmOptions(value_files=(name,)), values=VALUES)
    assert ".homeostat" not in str(caught.value)


async def test_a_folder_at_the_root_does_not_take_what_is_mounted_for_its_own(renderer: Renderer) -> None:
    tree = mounted(MemoryTree({"a.yaml": CONFIG_MAP}), {ref_mount("values"): MemoryTree({"b.yaml": CONFIG_MAP})})
    source = Source(repo_url="https://git.example/plain", path=".")
    found = await renderer.render(source=source, tree=tree, context=RenderContext(app_name="shop", refs=("values",)))
    assert [manifest.origin.file for manifest in found.manifests] == ["a.yaml"]


async def test_an_app_of_another_namespace_is_known_by_both_names_and_its_release_by_one(renderer: Renderer) -> None:
    template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}'}\ndata: {name: '{{ .Values.name }}', own: '{{ .Values.own }}'}\n"
    files = {"Chart.yaml": CHART, "templates/a.yaml": template, ".argocd-source-team_shop.yaml": "helm: {valuesObject: {own: 'yes'}}\n"}
    files[".argocd-source-shop.yaml"] = "helm: {valuesObject: {own: 'no'}}\n"
    source = Source(repo_url="https://git.example/x", helm=HelmOptions(parameters=(HelmParameter("name", "$ARGOCD_APP_NAME"),)))
    context = RenderContext(app_name="shop", app_id="team_shop")
    (manifest,) = (await renderer.render(source=source, tree=MemoryTree(files), context=context)).manifests
    assert manifest.object["metadata"]["name"] == "shop"
    assert manifest.object["data"] == {"name": "team_shop", "own": "yes"}
