"""Renders by plugins: who renders, what of, and when again."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator

import orjson
import pytest

from homeostat.desired.errors import RenderFailedError
from homeostat.desired.plugins.plugins import Plugins
from homeostat.desired.render.renderer import Renderer
from homeostat.model.app import DirectoryOptions, Source
from tests import evaluators
from tests.desired.plugins.helpers import CONFIG_MAP, context, definition, python, render, sh, source
from tests.evaluators import MemoryTree

_MAKE = f"printf '%s' '{CONFIG_MAP}'"
_CHART = {"app/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n", "app/plug.env": ""}


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")


async def test_a_plugin_that_is_named_renders() -> None:
    script = "import os, json; print(json.dumps({'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': os.environ['ARGOCD_APP_NAME']}, 'data': dict(os.environ)}))"
    asked = source(name="p-1.0", env=[{"name": "COLOUR", "value": "$ARGOCD_APP_NAMESPACE"}], parameters=[{"name": "size", "string": "3"}])
    rendered = await render([definition(version="1.0", generate=python(script))], asked, {"app/a": ""})
    assert rendered.source_type == "Plugin"
    [manifest] = rendered.manifests
    data = manifest.object["data"]
    assert manifest.object["metadata"]["name"] == "shop"
    assert {name: data.get(name) for name in _TOLD} == _TOLD
    assert manifest.origin.file == "(output of plugin p-1.0)"


_TOLD = {
    "ARGOCD_APP_NAMESPACE": "prod",
    "ARGOCD_APP_PROJECT_NAME": "default",
    "ARGOCD_APP_REVISION": "0123456789abcdef",
    "ARGOCD_APP_REVISION_SHORT": "0123456",
    "ARGOCD_APP_REVISION_SHORT_8": "01234567",
    "ARGOCD_APP_SOURCE_PATH": "app",
    "ARGOCD_APP_SOURCE_REPO_URL": "https://git.example/r",
    "ARGOCD_APP_SOURCE_TARGET_REVISION": "main",
    "KUBE_VERSION": "1.36.3",
    "KUBE_API_VERSIONS": "v1,apps/v1",
    "ARGOCD_ENV_COLOUR": "prod",
    "PARAM_SIZE": "3",
    "ARGOCD_APP_PARAMETERS": '[{"name":"size","string":"3"}]',
}


@pytest.mark.parametrize(
    "discover",
    [
        pytest.param({"fileName": "./plug.*"}, id="a file's name"),
        pytest.param({"find": {"glob": "**/plug.env"}}, id="a glob"),
        pytest.param({"find": sh("test $ARGOCD_APP_NAME = shop && ls plug.env")}, id="a command that says something"),
    ],
)
async def test_a_plugin_that_says_yes_comes_before_charts(discover: dict[str, object]) -> None:
    rendered = await render([definition(_MAKE, discover=discover)], Source(repo_url="r", path="app"), _CHART)
    assert rendered.source_type == "Plugin"
    assert [manifest.object["metadata"]["name"] for manifest in rendered.manifests] == ["made"]


@pytest.mark.parametrize(
    "discover",
    [
        pytest.param({"fileName": "other.env"}, id="no such file"),
        pytest.param({"find": {"glob": "*/plug.env"}}, id="no such path"),
        pytest.param({"find": sh("true")}, id="a command that says nothing"),
        pytest.param({"find": sh("echo yes; false")}, id="a command that fails"),
        pytest.param({}, id="no discovery"),
    ],
)
async def test_a_plugin_that_says_no_leaves_the_folder_to_others(discover: dict[str, object]) -> None:
    plugin = definition(_MAKE, discover=discover)
    assert (await render([plugin], Source(repo_url="r", path="app"), _CHART)).source_type == "Helm"
    with pytest.raises(RenderFailedError, match="could not find plugin supporting the given repository"):
        await render([plugin], source(), _CHART)
    if discover:
        with pytest.raises(
            RenderFailedError, match="with name 'p' supporting the given repository: the plugin says that app is not for it"
        ):
            await render([plugin], source(name="p"), _CHART)


async def test_plugins_are_asked_in_the_order_of_their_names() -> None:
    plugins = [definition(f"{_MAKE} | sed s/made/{name}/", name=name, discover={"fileName": "plug.env"}) for name in ("b", "c", "a")]
    rendered = await render(plugins, source(), _CHART)
    assert [manifest.object["metadata"]["name"] for manifest in rendered.manifests] == ["a"]


async def test_a_type_that_is_asked_for_is_not_discovered() -> None:
    plain = Source(repo_url="r", path="app", directory=DirectoryOptions(recurse=True))
    assert (await render([definition(_MAKE, discover={"fileName": "*"})], plain, {"app/a.yaml": CONFIG_MAP})).source_type == "Directory"


async def test_an_unknown_plugin_is_told_with_those_that_are_there() -> None:
    with pytest.raises(RenderFailedError, match="couldn't find cmp-server plugin with name 'x'") as caught:
        await render([definition(name="a"), definition(name="b", version="2")], source(name="x"), _CHART)
    assert caught.value.hint == "there is a, b-2"
    assert caught.value.source_type == "Plugin"
    with pytest.raises(RenderFailedError) as caught:
        await render([], source(name="x"), _CHART)
    assert "--plugins" in caught.value.hint


async def test_lists_and_several_documents_are_read_as_kubernetes_reads_them() -> None:
    items = [{"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}} for kind in ("Secret", "Service")]
    listed = orjson.dumps({"apiVersion": "v1", "kind": "List", "items": items}).decode()
    script = f"printf '%s' '{listed}'; printf '\\n---\\n---\\n'; {_MAKE}"
    rendered = await render([definition(script)], source(name="p"), _CHART)
    assert [manifest.object["kind"] for manifest in rendered.manifests] == ["Secret", "Service", "ConfigMap"]


async def test_output_that_is_no_yaml_is_an_error_with_the_plugins_name() -> None:
    with pytest.raises(RenderFailedError, match=r"output of plugin p"):
        await render([definition("echo 'a: [unclosed'")], source(name="p"), _CHART)


async def test_options_beside_the_files_name_a_plugin_too() -> None:
    files = {**_CHART, "app/.argocd-source.yaml": "plugin:\n  name: p\n  env:\n  - {name: A, value: b}\n"}
    plugin = definition(f"test $ARGOCD_ENV_A = b && {_MAKE}")
    assert (await render([plugin], Source(repo_url="r", path="app"), files)).source_type == "Plugin"


@pytest.fixture
async def renderer() -> AsyncIterator[Renderer]:
    plugins = Plugins([
        definition(_MAKE, name="whole", discover={"fileName": "plug.env"}),
        definition(_MAKE, name="folder", annotations={"homeostat/shown": "folder"}),
    ])  # fmt: skip
    async with evaluators.pool() as pool:
        yield Renderer(pool=pool, plugins=plugins)


@pytest.mark.parametrize(
    ("name", "paths", "changed", "again"),
    [
        pytest.param("whole", (), "other/file", True, id="all of the repository counts"),
        pytest.param("whole", (".",), "other/file", False, id="the annotation says what counts"),
        pytest.param("whole", (".",), "app/new/file", True, id="what appears there counts"),
        pytest.param("whole", ("/other/*.x",), "other/file", True, id="a pattern counts for its folder"),
        pytest.param("folder", (), "other/file", False, id="what it is not shown does not count"),
        pytest.param("folder", (), "app/plug.env", True, id="what it is shown does"),
    ],
)
async def test_a_render_is_kept_while_what_it_was_shown_stays(
    renderer: Renderer, name: str, paths: tuple[str, ...], changed: str, again: bool
) -> None:
    tree, asked = MemoryTree({**_CHART, "other/file": "x"}), source(name=name)
    assert (await renderer.render(source=asked, tree=tree, context=context(paths=paths))).fresh
    assert not (await renderer.render(source=asked, tree=tree, context=context(paths=paths))).fresh
    later = tree.but({changed: "changed"})
    assert (await renderer.render(source=asked, tree=later, context=context(revision="2", paths=paths))).fresh is again


async def test_a_folder_that_nobody_claims_is_not_rendered_again_for_other_files(renderer: Renderer) -> None:
    tree, asked = MemoryTree({"app/a.yaml": CONFIG_MAP, "other": "x"}), Source(repo_url="r", path="app")
    assert (await renderer.render(source=asked, tree=tree, context=context())).source_type == "Directory"
    later = tree.but({"other": "y"})
    assert not (await renderer.render(source=asked, tree=later, context=context(revision="2"))).fresh
    claimed = later.but({"app/plug.env": ""})
    assert (await renderer.render(source=asked, tree=claimed, context=context(revision="3"))).source_type == "Plugin"
