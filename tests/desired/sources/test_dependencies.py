"""Charts that depend on others: what is rendered is what ``helm dependency build`` and ``helm template`` of the real Helm print."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from homeostat.desired.errors import RenderFailedError
from homeostat.desired.render.renderer import RenderContext, Renderer
from homeostat.desired.sources.archive import ArchiveTree
from homeostat.desired.sources.charts import ChartRepository, ChartSources
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.dependencies import Dependencies
from homeostat.desired.sources.errors import DependencyError, LyingError, UnauthorisedError, UnreachableError
from homeostat.desired.sources.mounted import MountedTree
from homeostat.evaluate.pool import Pool
from homeostat.evaluate.requests import YamlRequest
from homeostat.model.app import HelmOptions, Source
from homeostat.model.tree import Tree
from tests.desired.sources.shops import PASSWORD, USER, HelmServer, helm, packed, registry, write_chart

SIGNED = Credentials(username=USER, password=PASSWORD, plain_http=True)
Open = Callable[[str], ChartRepository]
FLAGS = ("--namespace", "shop", "--kube-version", "1.36.3")


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archives")
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        packed(folder, "redis", version, {"values.yaml": "greeting: hello\nexports:\n  port: 6379\n"})
    crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: bins.example.com\n"
    packed(
        folder,
        "mail",
        "3.0.0",
        {"crds/bins.yaml": crd, "notes/readme.md": "read me", "templates/note.yaml": NOTE, "templates/test.yaml": TEST},
    )
    return folder


NOTE = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: note\ndata:\n  text: {{ .Files.Get "notes/readme.md" | quote }}\n'
TEST = 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: test\n  annotations:\n    "helm.sh/hook": test\n'


@pytest.fixture
async def server(tmp_path: Path, archives: Path) -> AsyncIterator[HelmServer]:
    folder = tmp_path / "served"
    await asyncio.to_thread(shutil.copytree, archives, folder)
    async with HelmServer(folder, private=True) as server:
        await asyncio.to_thread(server.publish)
        yield server


@pytest.fixture
def dependencies(charts: ChartSources, pool: Pool) -> Dependencies:
    return Dependencies(charts, pool=pool)


def signed(url: str) -> ChartRepository:
    return ChartRepository(url, SIGNED)


class Umbrella:
    """A chart in ``folder/umbrella``, as it lies in Git, and what the real Helm makes of it."""

    def __init__(self, folder: Path, server: HelmServer) -> None:
        self.root = folder / "git"
        self._copy = folder / "built"
        self._home = folder / "home"
        self._server = server
        self.path = "umbrella"

    def write(self, depends: str, files: Mapping[str, str] | None = None) -> None:
        write_chart(self.root, "umbrella", "0.1.0", files, more=f"dependencies:\n{depends}")

    def lock(self) -> None:
        """Writes the lock that the real Helm writes, and nothing else."""
        self._prepare()
        helm("dependency", "update", self._copy / "umbrella", home=self._home)
        name = "Chart.lock" if (self._copy / "umbrella" / "Chart.lock").exists() else "requirements.lock"
        shutil.copy(self._copy / "umbrella" / name, self.root / "umbrella" / name)

    def template(self, *flags: object, build: tuple[object, ...] = ()) -> str:
        self._prepare()
        helm("dependency", "build", self._copy / "umbrella", *build, home=self._home)
        return helm("template", "rel", self._copy / "umbrella", *FLAGS, *flags, home=self._home)

    def _prepare(self) -> None:
        shutil.rmtree(self._copy, ignore_errors=True)
        shutil.copytree(self.root, self._copy)
        helm("repo", "add", "internal", self._server.url, "--username", USER, "--password", PASSWORD, "--force-update", home=self._home)

    async def mounted(self, dependencies: Dependencies, names: Mapping[str, str] | None = None, repository: Open = signed) -> Tree:
        files = {str(file.relative_to(self.root)): file.read_bytes() for file in self.root.rglob("*") if file.is_file()}
        return await dependencies.mounted(ArchiveTree(files), self.path, repository=repository, names=lambda: names or {})


@pytest.fixture
def umbrella(tmp_path: Path, server: HelmServer) -> Umbrella:
    return Umbrella(tmp_path, server)


async def rendered(pool: Pool, tree: Tree, path: str = "umbrella", options: HelmOptions | None = None) -> list[dict[str, Any]]:
    source = Source("https://git.example/x", path=path, helm=options)
    context = RenderContext(app_name="rel", namespace="shop", kube_version="1.36.3")
    found = await Renderer(pool=pool).render(source=source, tree=tree, context=context)
    return [manifest.object for manifest in found.manifests]


async def read(pool: Pool, text: str) -> list[dict[str, Any]]:
    answer = await pool.evaluate(YamlRequest(text=text), subject="helm")
    return [one["object"] for one in answer.value["objects"]]


def depend(name: str, version: str, repository: str, more: str = "") -> str:
    return f'- name: {name}\n  version: "{version}"\n  repository: "{repository}"\n{more}'


SHAPES: dict[str, tuple[list[tuple[str, str, str]], dict[str, str], HelmOptions]] = {
    "plain": ([("redis", "1.0.0", "")], {}, HelmOptions()),
    "a range": ([("redis", "^1", "")], {}, HelmOptions()),
    "several": ([("redis", ">=1.0.0", ""), ("mail", "3.x", "")], {}, HelmOptions()),
    "an alias": ([("redis", "1.0.0", "  alias: cache\n"), ("redis", "2.0.0", "  alias: queue\n")], {}, HelmOptions()),
    "values of an alias": ([("redis", "1.0.0", "  alias: cache\n")], {"values.yaml": "greeting: a\ncache:\n  greeting: b\n"}, HelmOptions()),
    "a condition that holds": ([("redis", "1.0.0", "  condition: redis.enabled\n")], {"values.yaml": "greeting: a\nredis:\n  enabled: true\n"}, HelmOptions()),
    "a condition that does not hold": ([("redis", "1.0.0", "  condition: redis.enabled\n")], {"values.yaml": "greeting: a\nredis:\n  enabled: false\n"}, HelmOptions()),
    "tags": ([("redis", "1.0.0", "  tags: [back]\n"), ("mail", "3.0.0", "  tags: [front]\n")], {"values.yaml": "greeting: a\ntags:\n  back: false\n"}, HelmOptions()),
    "imported values": ([("redis", "1.0.0", "  import-values:\n  - child: exports\n    parent: got\n")], {"templates/got.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: got\ndata:\n  port: {{ .Values.got.port | quote }}\n"}, HelmOptions()),
    "files that the parent ignores": ([("mail", "3.0.0", "")], {".helmignore": "*.md\nnotes/\n"}, HelmOptions()),
    "no CRDs and no tests": ([("mail", "3.0.0", "")], {}, HelmOptions(skip_crds=True, skip_tests=True)),
    "values from the app": ([("redis", "1.0.0", "")], {}, HelmOptions(values="redis:\n  greeting: from the app\n")),
}  # fmt: skip


@pytest.mark.parametrize("locked", [True, False], ids=["locked", "no lock"])
@pytest.mark.parametrize("shape", SHAPES)
async def test_a_chart_with_dependencies_renders_as_helm_builds_and_templates_it(
    tmp_path: Path, server: HelmServer, umbrella: Umbrella, dependencies: Dependencies, pool: Pool, shape: str, *, locked: bool
) -> None:
    depends, files, options = SHAPES[shape]
    umbrella.write("".join(depend(name, version, server.url, more) for name, version, more in depends), files)
    if locked:
        await asyncio.to_thread(umbrella.lock)
    flags: list[object] = ["--skip-tests"] if options.skip_tests else ["--include-crds"]
    if options.values:
        (tmp_path / "inline.yaml").write_text(options.values)
        flags += ["--values", tmp_path / "inline.yaml"]
    wanted = await asyncio.to_thread(umbrella.template, *flags)
    found = await rendered(pool, await umbrella.mounted(dependencies), options=options)
    assert found
    assert found == await read(pool, wanted)


async def test_the_lock_holds_while_newer_versions_come_and_its_absence_follows_them(
    server: HelmServer, umbrella: Umbrella, dependencies: Dependencies, pool: Pool, archives: Path
) -> None:
    await asyncio.to_thread((server.folder / "redis-1.1.0.tgz").unlink)
    await asyncio.to_thread(server.publish)
    umbrella.write(depend("redis", "^1", server.url))
    await asyncio.to_thread(umbrella.lock)
    await asyncio.to_thread(shutil.copy, archives / "redis-1.1.0.tgz", server.folder)
    await asyncio.to_thread(server.publish)
    assert "1.0.0" in str(await rendered(pool, await umbrella.mounted(dependencies)))
    await asyncio.to_thread((umbrella.root / "umbrella" / "Chart.lock").unlink)
    assert "1.1.0" in str(await rendered(pool, await umbrella.mounted(dependencies)))


async def test_a_lock_that_is_out_of_sync_is_an_error_in_the_words_of_helm(
    server: HelmServer, umbrella: Umbrella, dependencies: Dependencies
) -> None:
    umbrella.write(depend("redis", "^1", server.url))
    await asyncio.to_thread(umbrella.lock)
    umbrella.write(depend("redis", ">=1.0.0 <2", server.url))
    with pytest.raises(AssertionError, match=r"the lock file \(Chart.lock\) is out of sync"):
        await asyncio.to_thread(umbrella.template)
    with pytest.raises(DependencyError, match=r"umbrella/Chart.yaml: the lock file \(Chart.lock\) is out of sync"):
        await umbrella.mounted(dependencies)


@pytest.mark.parametrize("spelling", ["@internal", "alias:internal"])
async def test_a_repository_may_be_called_by_its_name(
    server: HelmServer, umbrella: Umbrella, dependencies: Dependencies, pool: Pool, spelling: str
) -> None:
    umbrella.write(depend("redis", "^1", spelling))
    await asyncio.to_thread(umbrella.lock)
    tree = await umbrella.mounted(dependencies, {"internal": server.url})
    assert await rendered(pool, tree) == await read(pool, await asyncio.to_thread(umbrella.template))
    with pytest.raises(DependencyError, match='no Helm repository named "internal"'):
        await umbrella.mounted(dependencies)


async def test_dependencies_come_from_registries_too(
    tmp_path: Path, umbrella: Umbrella, dependencies: Dependencies, pool: Pool, archives: Path
) -> None:
    async with registry(tmp_path / "registry", private=True) as shop:
        await asyncio.to_thread(shop.push, archives / "redis-1.1.0.tgz")
        umbrella.write(depend("redis", "~1.1.0", f"oci://{shop.address}/charts"))
        tree = await umbrella.mounted(dependencies)
        build = ("--plain-http", "--registry-config", tmp_path / "registry" / "client.json")
        assert await rendered(pool, tree) == await read(pool, await asyncio.to_thread(lambda: umbrella.template(build=build)))


async def test_a_chart_of_the_same_repository_needs_no_server(
    umbrella: Umbrella, server: HelmServer, dependencies: Dependencies, pool: Pool
) -> None:
    write_chart(umbrella.root / "lib", "common", "1.5.0", {".helmignore": "secret/\n", "secret/x": "x"})
    umbrella.write(depend("common", "^1", "file://../lib/common"))
    tree = await umbrella.mounted(dependencies)
    assert await rendered(pool, tree) == await read(pool, await asyncio.to_thread(umbrella.template))
    assert server.count("/redis-1.0.0.tgz") == 0
    umbrella.write(depend("common", "^2", "file://../lib/common"))
    with pytest.raises(RenderFailedError, match="can't get a valid version for dependency common"):
        await rendered(pool, await umbrella.mounted(dependencies))
    umbrella.write(depend("common", "^1", "file://../../../etc"))
    with pytest.raises(RenderFailedError, match="leaves the repository"):
        await rendered(pool, await umbrella.mounted(dependencies))
    umbrella.write(depend("common", "^1", "file:///etc"))
    with pytest.raises(RenderFailedError, match="not in the repository"):
        await rendered(pool, await umbrella.mounted(dependencies))


async def test_what_a_chart_brings_along_is_not_fetched(
    umbrella: Umbrella, server: HelmServer, dependencies: Dependencies, pool: Pool, archives: Path
) -> None:
    umbrella.write(depend("redis", "1.0.0", server.url) + "- name: mail\n  version: 3.0.0\n  repository: ''\n")
    (umbrella.root / "umbrella" / "charts").mkdir()
    for name in ("redis-1.0.0.tgz", "mail-3.0.0.tgz"):
        await asyncio.to_thread(shutil.copy, archives / name, umbrella.root / "umbrella" / "charts")
    tree = await umbrella.mounted(dependencies)
    assert isinstance(tree, ArchiveTree)
    assert len(await rendered(pool, tree)) == 6
    assert server.seen == [] or server.count("/redis-1.0.0.tgz") == 0
    await asyncio.to_thread((umbrella.root / "umbrella" / "charts" / "mail-3.0.0.tgz").unlink)
    with pytest.raises(RenderFailedError, match=r"found in Chart\.yaml, but missing in charts/ directory: mail"):
        await rendered(pool, await umbrella.mounted(dependencies))


async def test_a_chart_of_the_old_format_has_its_dependencies_in_a_file_of_their_own(
    umbrella: Umbrella, server: HelmServer, dependencies: Dependencies, pool: Pool
) -> None:
    chart = write_chart(umbrella.root, "umbrella", "0.1.0", {"requirements.yaml": "dependencies:\n" + depend("redis", "^1", server.url)})
    (chart / "Chart.yaml").write_text("apiVersion: v1\nname: umbrella\nversion: 0.1.0\n")
    await asyncio.to_thread(umbrella.lock)
    tree = await umbrella.mounted(dependencies)
    assert await rendered(pool, tree) == await read(pool, await asyncio.to_thread(umbrella.template))
    (chart / "requirements.yaml").write_text("dependencies:\n" + depend("redis", "^2", server.url))
    with pytest.raises(DependencyError, match=r"the lock file \(requirements.lock\) is out of sync"):
        await umbrella.mounted(dependencies)


async def test_an_error_names_the_chart_and_the_dependency(server: HelmServer, umbrella: Umbrella, dependencies: Dependencies) -> None:
    umbrella.write(depend("redis", "^9", server.url))
    with pytest.raises(DependencyError, match=r"umbrella/Chart.yaml: dependency redis: .* '\^9'"):
        await umbrella.mounted(dependencies)
    umbrella.write(depend("redis", "^1", server.url))
    with pytest.raises(UnauthorisedError, match=r"umbrella/Chart\.yaml: dependency redis"):
        await umbrella.mounted(dependencies, repository=ChartRepository)
    umbrella.write(depend("redis", "^1", "http://127.0.0.1:1"))
    with pytest.raises(UnreachableError, match=r"umbrella/Chart\.yaml: dependency redis"):
        await umbrella.mounted(dependencies)
    umbrella.write(depend("redis", "1.0.0", server.url))
    await asyncio.to_thread(shutil.copy, server.folder / "redis-2.0.0.tgz", server.folder / "redis-1.0.0.tgz")
    with pytest.raises(LyingError, match=r"umbrella/Chart\.yaml: dependency redis"):
        await umbrella.mounted(dependencies)


async def test_a_chart_without_missing_dependencies_costs_nothing_and_a_broken_one_is_the_renders_business(
    umbrella: Umbrella, server: HelmServer, dependencies: Dependencies
) -> None:
    write_chart(umbrella.root, "umbrella", "0.1.0")
    assert isinstance(await umbrella.mounted(dependencies), ArchiveTree)
    (umbrella.root / "umbrella" / "Chart.yaml").write_text("dependencies: {{{\n")
    assert isinstance(await umbrella.mounted(dependencies), ArchiveTree)
    umbrella.path = "elsewhere"
    assert isinstance(await umbrella.mounted(dependencies), ArchiveTree)
    assert server.seen == []


async def test_apps_share_a_dependency_and_a_commit_that_does_not_touch_it_keeps_the_render(
    umbrella: Umbrella, server: HelmServer, dependencies: Dependencies, pool: Pool
) -> None:
    umbrella.write(depend("redis", "1.0.0", server.url))
    trees = await asyncio.gather(*(umbrella.mounted(dependencies) for _ in range(10)))
    assert server.count("/redis-1.0.0.tgz") == 1
    assert len({tree.id for tree in trees}) == 1
    renderer = Renderer(pool=pool)
    source = Source("https://git.example/x", path="umbrella")
    context = RenderContext(app_name="rel", namespace="shop", kube_version="1.36.3")
    await renderer.render(source=source, tree=trees[0], context=context)
    mounts = trees[0].mounts if isinstance(trees[0], MountedTree) else {}
    assert any(key.startswith(next(iter(mounts))) for key in renderer.trace(source=source, context=context))
    assert renderer.holds(source=source, tree=await umbrella.mounted(dependencies), context=context)
    umbrella.write(depend("redis", "1.1.0", server.url))
    assert re.fullmatch(r"\.homeostat/charts/[0-9a-f]{24}", next(iter(mounts)))
    assert not renderer.holds(source=source, tree=await umbrella.mounted(dependencies), context=context)
