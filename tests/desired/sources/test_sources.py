"""One face for all kinds of sources, end to end: resolved, opened, rendered, and held against the real Helm."""

from __future__ import annotations

import asyncio
import io
import shutil
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession

from homeostat.box.gitserver import GitServer
from homeostat.desired.render.renderer import RenderContext, Renderer
from homeostat.desired.sources.blobs import digest_of
from homeostat.desired.sources.chart_credentials import chart_repository, chart_repository_names
from homeostat.desired.sources.charts import ChartSources
from homeostat.desired.sources.dependencies import Dependencies
from homeostat.desired.sources.errors import RefusedError, RevisionMissingError
from homeostat.desired.sources.git import GitSources, Repo
from homeostat.desired.sources.overlays import Overlays
from homeostat.desired.sources.sources import Sources
from homeostat.desired.sources.value_files import ValueFiles
from homeostat.desired.sources.web import Web
from homeostat.evaluate.pool import Pool
from homeostat.evaluate.requests import YamlRequest
from homeostat.model.app import HelmOptions, Source
from tests.desired.sources.shops import PASSWORD, USER, HelmServer, Registry, helm, packed, registry
from tests.desired.sources.worktree import Worktree


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archives")
    gated = {
        "values.schema.json": '{"properties": {"greeting": {"type": "string", "maxLength": 10}}}',
        "templates/versions.yaml": (
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: versions\ndata:\n  kube: {{ .Capabilities.KubeVersion.Version }}\n"
            '  crontabs: {{ .Capabilities.APIVersions.Has "stable.example.com/v1" | quote }}\n'
        ),
    }
    for version in ("1.0.0", "1.1.0"):
        packed(folder, "shop", version, gated, more='kubeVersion: ">=1.30.0"\n')
    return folder


@pytest.fixture
async def shop(tmp_path: Path, archives: Path) -> AsyncIterator[HelmServer]:
    folder = tmp_path / "shop"
    await asyncio.to_thread(shutil.copytree, archives, folder)
    async with HelmServer(folder, private=True) as server:
        await asyncio.to_thread(server.publish)
        yield server


class Face:
    """The sources, with the Secrets that are told to it."""

    def __init__(self, git: GitSources, charts: ChartSources, pool: Pool, web: Web) -> None:
        self.secrets: list[dict[str, Any]] = []
        self.pool = pool
        self.sources = Sources(
            git=git,
            charts=charts,
            dependencies=Dependencies(charts, pool=pool),
            overlays=Overlays(git=git, charts=charts, web=web),
            value_files=ValueFiles(web),
            repository=lambda url, project: Repo(url),  # noqa: ARG005
            chart_repository=lambda url, project, everywhere: chart_repository(
                url, self.secrets, {}, project=project, everywhere=everywhere
            ),
            names=lambda project: chart_repository_names(self.secrets, project=project),
        )

    def configure(self, **fields: str) -> None:
        metadata = {"name": f"s{len(self.secrets)}", "labels": {"argocd.argoproj.io/secret-type": "repository"}}
        self.secrets.append({"metadata": metadata, "stringData": {"type": "helm", "username": USER, "password": PASSWORD, **fields}})

    async def render(self, source: Source, **context: Any) -> tuple[str, list[dict[str, Any]]]:
        pinned = await self.sources.resolve(source, "default")
        tree = await self.sources.tree(source, "default", pinned.revision)
        about = RenderContext(app_name="rel", namespace="shop", **{"kube_version": "1.36.3", **context})
        found = await Renderer(pool=self.pool).render(source=source, tree=tree, context=about)
        return pinned.revision, [manifest.object for manifest in found.manifests]

    async def template(self, chart: Path, *flags: str) -> list[dict[str, Any]]:
        text = await asyncio.to_thread(helm, "template", "rel", chart, "--namespace", "shop", *flags)
        answer = await self.pool.evaluate(YamlRequest(text=text), subject="helm")
        return [one["object"] for one in answer.value["objects"]]


@pytest.fixture
def face(sources: GitSources, charts: ChartSources, pool: Pool, transfers: Web) -> Face:
    return Face(sources, charts, pool, transfers)


async def test_a_chart_of_a_private_repository_is_rendered_as_helm_templates_it(face: Face, shop: HelmServer, archives: Path) -> None:
    face.configure(url=shop.url, name="shop")
    options = HelmOptions(values="greeting: hi\n", kube_version="1.33.1", api_versions=("stable.example.com/v1",))
    revision, objects = await face.render(Source(shop.url, chart="shop", target_revision="^1", helm=options))
    assert revision == "1.1.0"
    flags = ("--set", "greeting=hi", "--kube-version", "1.33.1", "--api-versions", "stable.example.com/v1")
    assert objects == await face.template(archives / "shop-1.1.0.tgz", *flags)


async def test_the_options_of_helm_hold_for_charts_of_repositories(face: Face, shop: HelmServer) -> None:
    face.configure(url=shop.url)
    too_long = HelmOptions(values="greeting: longer than it may be\n")
    with pytest.raises(Exception, match="maxLength"):
        await face.render(Source(shop.url, chart="shop", helm=too_long))
    unchecked = HelmOptions(values=too_long.values, skip_schema_validation=True)
    assert "longer than it may be" in str((await face.render(Source(shop.url, chart="shop", helm=unchecked)))[1])
    with pytest.raises(Exception, match=r"incompatible with Kubernetes v1\.29\.0"):
        await face.render(Source(shop.url, chart="shop", helm=HelmOptions(kube_version="1.29.0")))


async def test_a_chart_of_a_registry_is_rendered_as_helm_templates_it(tmp_path: Path, face: Face, archives: Path) -> None:
    async with registry(tmp_path / "registry", private=True) as running:
        await asyncio.to_thread(running.push, archives / "shop-1.0.0.tgz")
        face.configure(url=f"{running.address}/charts", enableOCI="true", insecureOCIForceHttp="true")
        revision, objects = await face.render(Source(f"{running.address}/charts", chart="shop", target_revision="1.x"))
        assert revision == "1.0.0"
        assert objects == await face.template(archives / "shop-1.0.0.tgz", "--kube-version", "1.36.3")
        source = Source(f"oci://{running.address}/charts/shop", path=".", target_revision="1.0.0")
        revision, same = await face.render(source)
        assert revision.startswith("sha256:")
        assert same == objects
        assert not await face.sources.poll(source, "default")


async def test_a_chart_in_git_finds_its_dependencies_by_the_secrets_of_its_project(
    face: Face, shop: HelmServer, server: GitServer, work: Worktree
) -> None:
    chart = "apiVersion: v2\nname: umbrella\nversion: 0.1.0\ndependencies:\n- name: shop\n  version: ^1\n  repository: '@shop'\n"
    overlay = "resources: [map.yaml]\n"
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    await work.commit(
        {"umbrella/Chart.yaml": chart, "overlay/Chart.yaml": chart, "overlay/kustomization.yaml": overlay, "overlay/map.yaml": config}
    )
    source = Source(server.url("web"), path="umbrella", target_revision="main")
    with pytest.raises(Exception, match='no Helm repository named "shop"'):
        await face.render(source)
    face.configure(url=shop.url, name="shop")
    revision, objects = await face.render(source)
    assert len(revision) == 40
    assert {obj["metadata"]["name"] for obj in objects} == {"rel-shop", "versions"}
    assert len((await face.render(Source(server.url("web"), path="overlay", target_revision="main")))[1]) == 1


async def push(running: Registry, name: str, files: dict[str, str], tags: tuple[str, ...], layers: int = 1) -> None:
    """An artefact of plain files, as ``oras push`` and ``flux push`` make them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    base = f"http://{running.address}/v2/{name}/"
    async with ClientSession() as session:
        parts = []
        for data, kind in ((b"{}", "application/vnd.oci.empty.v1+json"), (out.getvalue(), "application/vnd.oci.image.layer.v1.tar+gzip")):
            async with session.post(f"{base}blobs/uploads/") as begun:
                place = begun.headers["Location"]
            async with session.put(place, params={"digest": digest_of(data)}, data=data) as put:
                assert put.status == 201
            parts.append({"mediaType": kind, "digest": digest_of(data), "size": len(data)})
        kind = "application/vnd.oci.image.manifest.v1+json"
        body = orjson.dumps({"schemaVersion": 2, "mediaType": kind, "config": parts[0], "layers": parts[1:] * layers})
        for tag in tags:
            async with session.put(f"{base}manifests/{tag}", data=body, headers={"Content-Type": kind}) as put:
                assert put.status == 201, await put.text()


async def test_an_artefact_of_plain_files_is_a_source(tmp_path: Path, face: Face) -> None:
    def files(colour: str) -> dict[str, str]:
        return {"apps/web/map.yaml": f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web}}\ndata: {{colour: {colour}}}\n"}

    async with registry(tmp_path / "registry") as running:
        await push(running, "team/apps", files("red"), ("1.0.0", "main"))
        await push(running, "team/apps", files("blue"), ("1.4.0", "latest"))
        face.configure(url=f"oci://{running.address}/team/apps", type="oci", insecureOCIForceHttp="true")
        url = f"oci://{running.address}/team/apps"

        async def colour(wanted: str) -> str:
            revision, objects = await face.render(Source(url, path="apps/web", target_revision=wanted))
            assert revision.startswith("sha256:")
            return str(objects[0]["data"]["colour"])

        assert [await colour(wanted) for wanted in ("main", "latest", "^1", "1.0.0", "", "~1.0")] == [
            "red",
            "blue",
            "blue",
            "red",
            "blue",
            "red",
        ]
        red = await face.sources.resolve(Source(url, target_revision="main"), "default")
        assert await colour(red.revision) == "red"
        with pytest.raises(RevisionMissingError, match="has no tag '\\^9'"):
            await colour("^9")
        await push(running, "team/apps", files("red"), ("two",), layers=2)
        with pytest.raises(RefusedError, match="no single archive of files"):
            await colour("two")


async def test_sources_of_one_repository_have_one_key(face: Face) -> None:
    def key(url: str, chart: str = "") -> str:
        return face.sources.key(Source(url, chart=chart), "default")

    assert key("https://charts.example", "a") == key("https://charts.example/", "b")
    assert key("oci://r.example/charts", "a") == key("r.example/charts", "a") == key("oci://r.example/charts/a/")
    assert key("https://git.example/a.git") == key("https://git.example/a")


async def test_a_base_that_moves_is_news_of_every_repository_whose_overlays_name_it(
    face: Face, server: GitServer, work: Worktree, tmp_path: Path
) -> None:
    for name in ("base", "other"):
        await server.create(name)
    far = await Worktree(tmp_path / "far", server.url("base")).create()
    await far.commit({"kustomization.yaml": "resources: [map.yaml]\n", "map.yaml": CONFIG_MAP.format("blue")})
    overlay = {"app/kustomization.yaml": f"resources: ['{server.url('base')}//?ref=main']\n"}
    await work.commit(overlay)
    other = await Worktree(tmp_path / "other", server.url("other")).create()
    await other.commit(overlay)
    apps = [Source(server.url(name), path="app") for name in ("web", "other")]
    for app in apps:
        assert (await face.render(app))[1][0]["data"] == {"colour": "blue"}
    heard: list[str] = []
    face.sources.subscribe(heard.append)
    assert not await face.sources.poll(apps[0], "default")
    assert heard == []
    await far.commit({"map.yaml": CONFIG_MAP.format("red")})
    await face.sources.poll(apps[0], "default")
    assert {face.sources.key(app, "default") for app in apps} <= set(heard)
    for app in apps:
        assert (await face.render(app))[1][0]["data"] == {"colour": "red"}, "what was heard of is what is rendered"


CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\ndata:\n  colour: {}\n"
