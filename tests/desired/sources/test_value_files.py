"""Value files and file parameters that are URLs: fetched from a real server, rendered, asked for again, refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from homeostat.box.gitserver import GitServer
from homeostat.desired.errors import RenderError, RenderNotSupportedError
from homeostat.desired.render.renderer import RenderContext, Rendered, Renderer
from homeostat.desired.sources.chart_credentials import chart_repository
from homeostat.desired.sources.charts import ChartSources
from homeostat.desired.sources.dependencies import Dependencies
from homeostat.desired.sources.errors import FetchFailedError, RefusedError, SourceError, UnauthorisedError
from homeostat.desired.sources.git import GitSources, Repo
from homeostat.desired.sources.overlays import Overlays
from homeostat.desired.sources.sources import Sources
from homeostat.desired.sources.value_files import ValueFiles
from homeostat.desired.sources.web import Web
from homeostat.evaluate.pool import Pool
from homeostat.model.app import HelmFileParameter, HelmOptions, Source
from tests.desired.sources.shops import BASIC, PASSWORD, USER, HelmServer
from tests.desired.sources.worktree import Worktree
from tests.evaluators import CHART

TEMPLATE = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    "data: {colour: {{ .Values.colour | quote }}, size: {{ .Values.size | quote }}, motd: {{ .Values.motd | quote }}}\n"
)
FILES = {"shop/Chart.yaml": CHART, "shop/values.yaml": "colour: blue\nsize: s\nmotd: ''\n", "shop/own.yaml": "colour: grey\n"}


class Apps:
    """One chart in a repository, and what its apps say about values."""

    def __init__(self, git: GitSources, charts: ChartSources, pool: Pool, transfers: Web, url: str) -> None:
        self.schemes: tuple[str, ...] = ("https", "http")
        self.secrets: list[dict[str, Any]] = []
        self.moved: list[str] = []
        self.url = url
        self.renderer = Renderer(pool=pool)
        self.sources = Sources(
            git=git,
            charts=charts,
            dependencies=Dependencies(charts, pool=pool),
            overlays=Overlays(git=git, charts=charts, web=transfers),
            value_files=ValueFiles(transfers, schemes=lambda: self.schemes),
            repository=lambda url, project: Repo(url),  # noqa: ARG005
            chart_repository=lambda url, project, everywhere: chart_repository(
                url, self.secrets, {}, project=project, everywhere=everywhere
            ),
            names=lambda project: {},  # noqa: ARG005
        )
        self.sources.subscribe(self.moved.append)

    def source(self, *files: str, **options: Any) -> Source:
        return Source(self.url, path="shop", target_revision="main", helm=HelmOptions(value_files=files, **options))

    async def rendered(self, source: Source, *, fresh: bool = False) -> Rendered:
        pinned = await self.sources.resolve(source, "default")
        tree = await self.sources.tree(source, "default", pinned.revision, fresh=fresh)
        return await self.renderer.render(source=source, tree=tree, context=RenderContext(app_name="rel", kube_version="1.36.3"))

    async def data(self, *files: str, fresh: bool = False, **options: Any) -> dict[str, str]:
        (manifest,) = (await self.rendered(self.source(*files, **options), fresh=fresh)).manifests
        data: dict[str, str] = manifest.object["data"]
        return data


@pytest.fixture
async def apps(server: GitServer, work: Worktree, sources: GitSources, charts: ChartSources, pool: Pool, transfers: Web) -> Apps:
    await work.commit({**FILES, "shop/templates/a.yaml": TEMPLATE})
    return Apps(sources, charts, pool, transfers, server.url("web"))


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[HelmServer]:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "red.yaml").write_text("colour: red\nsize: m\n")
    (folder / "motd.txt").write_text("a: [b\n")
    async with HelmServer(folder) as server:
        yield server


async def test_values_and_file_parameters_are_fetched_and_keep_their_order(apps: Apps, files: HelmServer) -> None:
    motd = (HelmFileParameter("motd", f"{files.url}/motd.txt"),)
    assert await apps.data(f"{files.url}/red.yaml?of=shop", "own.yaml", file_parameters=motd) == {
        "colour": "grey",
        "size": "m",
        "motd": "a: [b\n",
    }
    assert (await apps.data("own.yaml", f"{files.url}/red.yaml?of=shop"))["colour"] == "red"
    assert files.count("/red.yaml") == 1, "it is kept for all apps"


async def test_a_file_is_asked_for_again_with_the_app_and_only_a_change_of_it_is_a_new_render(apps: Apps, files: HelmServer) -> None:
    source = apps.source(f"{files.url}/red.yaml")
    first = await apps.rendered(source)
    assert not (await apps.rendered(source, fresh=True)).fresh
    (files.folder / "red.yaml").write_text("colour: pink\n")
    assert (await apps.rendered(source)).digest == first.digest, "nobody has asked again"
    second = await apps.rendered(source, fresh=True)
    assert second.fresh
    assert second.manifests[0].object["data"]["colour"] == "pink"


async def test_a_poll_tells_of_a_file_that_has_changed_or_gone(apps: Apps, files: HelmServer) -> None:
    source = apps.source(f"{files.url}/red.yaml", ignore_missing_value_files=True)
    key = apps.sources.key(source, "default")

    async def polled() -> bool:
        apps.moved.clear()
        moved = await apps.sources.poll(source, "default")
        assert (key in apps.moved) >= moved
        return moved

    async def colour() -> str:
        return str((await apps.rendered(source)).manifests[0].object["data"]["colour"])

    assert await colour() == "red"
    await polled()
    assert not await polled()
    (files.folder / "red.yaml").write_text("colour: pink\n")
    await apps.rendered(source, fresh=True)  # one app hears of it first, and the others have to be told all the same
    assert await polled()
    assert await colour() == "pink"
    (files.folder / "red.yaml").unlink()
    assert await polled()
    assert await colour() == "blue"
    assert not await polled()


async def test_a_server_that_is_down_is_told_and_what_it_said_last_goes_on_to_count(apps: Apps, files: HelmServer) -> None:
    source = apps.source(f"{files.url}/red.yaml")
    before = await apps.rendered(source)
    files.override["/red.yaml"] = web.Response(status=500)
    apps.moved.clear()
    with pytest.raises(FetchFailedError, match=r"/red\.yaml: The value file cannot be read: .* answers 500"):
        await apps.sources.poll(source, "default")
    assert apps.sources.key(source, "default") in apps.moved
    assert (await apps.rendered(source)).digest == before.digest
    with pytest.raises(FetchFailedError):
        await apps.rendered(source, fresh=True)
    del files.override["/red.yaml"]
    await apps.sources.poll(source, "default")
    files.override["/red.yaml"] = web.Response(status=403)
    await apps.sources.poll(source, "default")
    with pytest.raises(UnauthorisedError, match=r"^helm\.valueFiles: http://.*/red\.yaml: "):
        await apps.rendered(source)
    await apps.sources.poll(source, "default")
    assert files.seen[-1][1] == 403, "asked for by the app, and not by the poll"


async def test_a_missing_file_is_an_error_unless_the_app_says_otherwise(apps: Apps, files: HelmServer) -> None:
    url = f"{files.url}/none.yaml"
    with pytest.raises(RenderError) as caught:
        await apps.data(f"{url}?token=hunter2")
    assert f"value file {url}: no such file" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert (await apps.data(url, ignore_missing_value_files=True))["colour"] == "blue"
    with pytest.raises(RenderError, match=r"file http://127\.0\.0\.1:\d+/none\.yaml: no such file"):
        await apps.data(file_parameters=(HelmFileParameter("motd", url),), ignore_missing_value_files=True)
    files.override["/none.yaml"] = web.Response(status=500)
    with pytest.raises(FetchFailedError, match="answers 500") as failed:
        await apps.data(f"{url}?token=hunter3", ignore_missing_value_files=True)
    assert "hunter3" not in failed.value.message


async def test_what_is_no_yaml_is_an_error_that_names_the_address(apps: Apps, files: HelmServer) -> None:
    with pytest.raises(RenderError, match=r"failed to parse http://127\.0\.0\.1:\d+/motd\.txt: ") as caught:
        await apps.data(f"{files.url}/motd.txt")
    assert ".homeostat" not in str(caught.value)


async def test_credentials_are_those_of_the_address_and_none_of_repositories(apps: Apps, files: HelmServer) -> None:
    labels = {"argocd.argoproj.io/secret-type": "repository"}
    fields = {"type": "helm", "url": files.url, "username": USER, "password": PASSWORD}
    apps.secrets.append({"metadata": {"name": "s", "labels": labels}, "stringData": fields})
    files.private = True
    with pytest.raises(UnauthorisedError, match="refused the sign-in"):
        await apps.data(f"{files.url}/red.yaml")
    assert files.seen[-1][2] == ""
    signed = files.url.replace("://", f"://{USER}:{PASSWORD}@")
    assert (await apps.data(f"{signed}/red.yaml"))["colour"] == "red"
    assert files.seen[-1][2] == BASIC
    with pytest.raises(RenderError) as caught:
        await apps.data(f"{signed}/none.yaml")
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("schemes", "name", "says"),
    [
        pytest.param(("https", "http"), "secrets://values.yaml", "the scheme 'secrets' is not allowed", id="secrets"),
        pytest.param(("https", "http"), "secrets+age-import:///k?values.yaml", "'secrets+age-import' is not allowed", id="helm-secrets"),
        pytest.param(("https", "http"), "file:///etc/passwd", "the scheme 'file' is not allowed", id="a file of this machine"),
        pytest.param(("secrets",), "secrets://values.yaml", "values are not fetched by 'secrets'", id="allowed and unknown"),
        pytest.param(("https",), "http://values.example/a.yaml", "the scheme 'http' is not allowed", id="http switched off"),
        pytest.param((), "https://values.example/a.yaml", "the scheme 'https' is not allowed", id="all switched off"),
        pytest.param(("http",), "http://169.254.169.254/latest", "clouds hand out credentials", id="the metadata service"),
    ],
)
async def test_other_schemes_and_places_are_refused(apps: Apps, schemes: tuple[str, ...], name: str, says: str) -> None:
    apps.schemes = schemes
    for options, field in (
        ({"value_files": (name,)}, "valueFiles"),
        ({"file_parameters": (HelmFileParameter("a", name),)}, "fileParameters"),
    ):
        with pytest.raises(RefusedError) as caught:
            await apps.rendered(Source(apps.url, path="shop", target_revision="main", helm=HelmOptions(**options)))
        assert caught.value.message.startswith(f"helm.{field}: {name.partition('?')[0]}: ")
        assert says in caught.value.message


async def test_files_are_limited_in_size_and_number(apps: Apps, files: HelmServer) -> None:
    files.override["/large.yaml"] = web.Response(body=b"#" * (10 * 1024 * 1024 + 1))
    with pytest.raises(SourceError, match="more than the limit of 10485760 bytes"):
        await apps.data(f"{files.url}/large.yaml")
    with pytest.raises(RefusedError, match="more than 50 files by URL"):
        await apps.data(*(f"{files.url}/{number}.yaml" for number in range(51)))


async def test_an_address_that_is_known_too_late_is_refused_also_where_files_may_be_missing(
    apps: Apps, files: HelmServer, work: Worktree
) -> None:
    with pytest.raises(RenderNotSupportedError, match="was not fetched"):
        await apps.data(f"{files.url}/$ARGOCD_APP_NAME.yaml", f"{files.url}/red.yaml", ignore_missing_value_files=True)
    await work.commit({"shop/.argocd-source.yaml": f"helm: {{valueFiles: ['{files.url}/red.yaml'], ignoreMissingValueFiles: true}}\n"})
    await apps.sources.poll(apps.source(), "default")
    with pytest.raises(RenderNotSupportedError, match=r"red\.yaml. was not fetched"):
        await apps.data()
