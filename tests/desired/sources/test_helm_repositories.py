"""Charts from Helm repositories over HTTP: versions, caches, credentials, and servers that lie."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from homeostat.desired.sources.chart_credentials import chart_repository
from homeostat.desired.sources.charts import ChartRepository, ChartSources
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import (
    ArchiveError,
    FetchFailedError,
    IdentityError,
    LyingError,
    RefusedError,
    RepositoryMissingError,
    RevisionMissingError,
    SlowError,
    SourceError,
    UnauthorisedError,
    UnreachableError,
)
from homeostat.desired.sources.web import Web, WebLimits
from homeostat.evaluate.pool import Pool
from tests.desired.sources.shops import BASIC, PASSWORD, USER, HelmServer, packed

SIGNED = Credentials(username=USER, password=PASSWORD)
VERSIONS = ("1.0.0", "1.1.0", "1.2.0-rc.1", "2.0.0+build.5")


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archives")
    for version in VERSIONS:
        packed(folder, "shop", version)
    return folder


@pytest.fixture
async def server(tmp_path: Path, archives: Path) -> AsyncIterator[HelmServer]:
    async with HelmServer(copied(archives, tmp_path / "served")) as server:
        await asyncio.to_thread(server.publish)
        yield server


@pytest.fixture
async def private(tmp_path: Path, archives: Path) -> AsyncIterator[HelmServer]:
    async with HelmServer(copied(archives, tmp_path / "private"), private=True) as server:
        await asyncio.to_thread(server.publish)
        yield server


def copied(archives: Path, folder: Path) -> Path:
    folder.mkdir()
    for archive in archives.glob("*.tgz"):
        (folder / archive.name).write_bytes(archive.read_bytes())
    return folder


def index(**versions: str) -> str:
    listed = "".join(f"  - version: {version}\n    {rest}\n" for version, rest in versions.items())
    return f"apiVersion: v1\nentries:\n  shop:\n{listed}"


@pytest.mark.parametrize(
    ("wanted", "version"),
    [
        ("1.0.0", "1.0.0"),
        ("", "2.0.0+build.5"),
        ("*", "2.0.0+build.5"),
        ("^1", "1.1.0"),
        ("1.0", "1.0.0"),
        ("1.x", "1.1.0"),
        ("~1.1.0", "1.1.0"),
        (">=1.0.0 <2", "1.1.0"),
        (">=1.2.0-0 <2", "1.2.0-rc.1"),
        ("1.2.0-rc.1", "1.2.0-rc.1"),
        ("v1.1.0", "1.1.0"),
        ("2.0.0+build.5", "2.0.0+build.5"),
    ],
)
async def test_a_version_or_a_range_is_chosen_by_the_rules_of_helm(
    server: HelmServer, charts: ChartSources, wanted: str, version: str
) -> None:
    assert await charts.resolve(ChartRepository(server.url), "shop", wanted) == version


async def test_the_tree_of_a_version_is_its_chart(server: HelmServer, charts: ChartSources) -> None:
    tree = await charts.tree(ChartRepository(server.url), "shop", "1.1.0")
    assert b"version: 1.1.0" in (tree.read("Chart.yaml") or b"")
    assert await charts.tree(ChartRepository(server.url + "/"), "shop", "1.1.0") is tree
    assert server.count("/shop-1.1.0.tgz") == 1


async def test_what_nobody_has_published_is_an_error_that_names_it(server: HelmServer, charts: ChartSources) -> None:
    for chart, wanted in (("shop", "^9"), ("shop", "9.9.9"), ("other", "")):
        with pytest.raises(RevisionMissingError, match=f"has no version of the chart '{chart}'"):
            await charts.resolve(ChartRepository(server.url), chart, wanted)
    with pytest.raises(RefusedError, match="neither a version nor a range"):
        await charts.resolve(ChartRepository(server.url), "shop", "latest please")


async def test_an_index_is_asked_for_once_and_then_only_whether_it_has_changed(
    server: HelmServer, charts: ChartSources, tmp_path: Path, pool: Pool, transfers: Web
) -> None:
    where = ChartRepository(server.url)
    await asyncio.gather(*(charts.resolve(where, "shop", "^1") for _ in range(20)))
    assert server.count("/index.yaml") == 1
    assert not await charts.poll(where, "shop")
    await charts.resolve(where, "shop", "^1", fresh=True)
    assert [status for path, status, _ in server.seen] == [200, 304, 304]
    later = ChartSources(tmp_path / "charts", pool=pool, web=transfers)
    assert await later.resolve(where, "shop", "^1") == "1.1.0"
    assert server.seen[-1][1] == 304
    await asyncio.to_thread((server.folder / "shop-1.1.0.tgz").unlink)
    await asyncio.to_thread(server.publish)
    assert await charts.poll(where, "shop")
    assert await charts.resolve(where, "shop", "^1") == "1.0.0"


async def test_who_asks_for_news_while_a_request_runs_gets_those_of_the_next(server: HelmServer, charts: ChartSources) -> None:
    where = ChartRepository(server.url)
    await charts.resolve(where, "shop", "^1")
    server.hold.clear()
    server.arrived.clear()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(charts.resolve(where, "shop", "^1", fresh=True))
        await server.arrived.wait()
        others = [group.create_task(charts.resolve(where, "shop", "^1", fresh=True)) for _ in range(10)]
        await asyncio.sleep(0)
        server.hold.set()
    assert {task.result() for task in (first, *others)} == {"1.1.0"}
    assert server.count("/index.yaml") == 3
    await charts.resolve(where, "shop", "^1", fresh=True, since=time.monotonic() - 60)
    assert server.count("/index.yaml") == 3


async def test_an_archive_stays_on_disk_by_its_digest(
    server: HelmServer, charts: ChartSources, tmp_path: Path, pool: Pool, transfers: Web
) -> None:
    where = ChartRepository(server.url)
    tree = await charts.tree(where, "shop", "1.0.0")
    later = ChartSources(tmp_path / "charts", pool=pool, web=transfers)
    assert (await later.tree(where, "shop", "1.0.0")).id == tree.id
    assert server.count("/shop-1.0.0.tgz") == 1
    (kept,) = (tmp_path / "charts" / "blobs").iterdir()
    kept.write_bytes(b"spoiled")
    third = ChartSources(tmp_path / "charts", pool=pool, web=transfers)
    assert (await third.tree(where, "shop", "1.0.0")).id == tree.id
    assert server.count("/shop-1.0.0.tgz") == 2


async def test_a_password_signs_in_and_a_cache_is_no_permission(private: HelmServer, charts: ChartSources) -> None:
    where = ChartRepository(private.url, SIGNED)
    await charts.tree(where, "shop", await charts.resolve(where, "shop", "^1"))
    for credentials in (Credentials(), Credentials(username=USER, password="wrong-secret")):
        with pytest.raises(UnauthorisedError) as refused:
            await charts.tree(ChartRepository(private.url, credentials), "shop", "1.1.0")
        assert "wrong-secret" not in str(refused.value)


async def test_credentials_go_to_another_host_only_when_they_are_to_be_passed_on(
    private: HelmServer, server: HelmServer, charts: ChartSources
) -> None:
    server.override["/index.yaml"] = web.Response(text=index(**{"1.0.0": f"urls: [{private.url}/shop-1.0.0.tgz]"}))
    with pytest.raises(UnauthorisedError):
        await charts.tree(ChartRepository(server.url, SIGNED), "shop", "1.0.0")
    assert private.seen[-1][2] == ""
    await charts.tree(ChartRepository(server.url, SIGNED, everywhere=True), "shop", "1.0.0")
    assert private.seen[-1][2] == BASIC


async def test_no_credential_follows_a_redirect_to_another_server(private: HelmServer, server: HelmServer, charts: ChartSources) -> None:
    private.override["/index.yaml"] = web.Response(status=302, headers={"Location": f"{server.url}/index.yaml"})
    assert await charts.resolve(ChartRepository(private.url, SIGNED, everywhere=True), "shop", "^1") == "1.1.0"
    assert (private.seen[-1][2], server.seen[-1][2]) == (BASIC, "")


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://2852039166/",
        "http://metadata.google.internal/computeMetadata/v1/",
        "http://[fe80::1]/",
        "http://100.100.100.200/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "//",
    ],
)
async def test_nobody_is_sent_to_where_clouds_hand_out_credentials(server: HelmServer, charts: ChartSources, target: str) -> None:
    server.override["/index.yaml"] = web.Response(status=302, headers={"Location": target})
    with pytest.raises(RefusedError):
        await charts.resolve(ChartRepository(server.url), "shop", "")
    server.override["/index.yaml"] = web.Response(text=index(**{"1.0.0": f'urls: ["{target}"]'}))
    with pytest.raises(SourceError):
        await charts.tree(ChartRepository(server.url), "shop", "1.0.0")


async def test_a_circle_of_redirects_ends(server: HelmServer, charts: ChartSources) -> None:
    server.override["/index.yaml"] = web.Response(status=307, headers={"Location": "/index.yaml"})
    with pytest.raises(RefusedError, match="redirects more than"):
        await charts.resolve(ChartRepository(server.url), "shop", "")


async def test_an_archive_that_is_not_what_the_index_says_is_refused(server: HelmServer, charts: ChartSources) -> None:
    (server.folder / "shop-1.0.0.tgz").write_bytes((server.folder / "shop-1.1.0.tgz").read_bytes())
    with pytest.raises(LyingError, match=r"shop-1\.0\.0\.tgz .* is not what it should be"):
        await charts.tree(ChartRepository(server.url), "shop", "1.0.0")
    assert (await charts.tree(ChartRepository(server.url), "shop", "1.1.0")).read("Chart.yaml")


@pytest.mark.parametrize("urls", ["shop-1.0.0.tgz", "./shop-1.0.0.tgz", "/shop-1.0.0.tgz", "deep/../shop-1.0.0.tgz"])
async def test_addresses_in_an_index_may_be_relative_and_digests_missing(server: HelmServer, charts: ChartSources, urls: str) -> None:
    server.override["/index.yaml"] = web.Response(text=index(**{"1.0.0": f"urls: [{urls}]"}))
    assert (await charts.tree(ChartRepository(server.url), "shop", "1.0.0")).read("Chart.yaml")


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        "<html>welcome</html>",
        "entries: {}",
        "apiVersion: v1\nentries: [1, 2]\n",
        f"apiVersion: v1\n{BOMB}",
        f"apiVersion: v1\n{BOMB}entries: {{shop: *i}}\n",
        "apiVersion: v1\nentries:\n  shop: *nobody\n",
        "\t",
    ],
)
async def test_an_index_that_is_none_is_an_error_and_harmless(server: HelmServer, charts: ChartSources, text: str) -> None:
    server.override["/index.yaml"] = web.Response(text=text)
    with pytest.raises(SourceError):
        await charts.resolve(ChartRepository(server.url), "shop", "^1")
    del server.override["/index.yaml"]
    assert await charts.resolve(ChartRepository(server.url), "shop", "^1", fresh=True) == "1.1.0"


async def test_an_archive_that_is_none_is_refused(server: HelmServer, charts: ChartSources) -> None:
    server.override["/index.yaml"] = web.Response(text=index(**{"1.0.0": "urls: [shop-1.0.0.tgz]"}))
    server.override["/shop-1.0.0.tgz"] = web.Response(text="<html>sign in</html>")
    with pytest.raises(ArchiveError, match=r"shop-1\.0\.0\.tgz"):
        await charts.tree(ChartRepository(server.url), "shop", "1.0.0")
    # To tar, zeros are the end of an archive, and so an archive of nothing.
    server.override["/shop-1.1.0.tgz"] = web.Response(body=gzip.compress(bytes(1_000_000)))
    server.override["/index.yaml"] = web.Response(text=index(**{"1.1.0": "urls: [shop-1.1.0.tgz]"}))
    await charts.poll(ChartRepository(server.url), "shop")
    with pytest.raises(ArchiveError, match=r"'shop' 1\.1\.0 of .* has no Chart\.yaml"):
        await charts.tree(ChartRepository(server.url), "shop", "1.1.0")


@pytest.mark.parametrize(
    ("status", "error"), [(403, UnauthorisedError), (404, RepositoryMissingError), (500, FetchFailedError), (429, FetchFailedError)]
)
async def test_a_server_that_refuses_has_an_error_of_its_kind(
    server: HelmServer, charts: ChartSources, status: int, error: type[SourceError]
) -> None:
    server.override["/index.yaml"] = web.Response(status=status)
    with pytest.raises(error, match=str(status)):
        await charts.resolve(ChartRepository(server.url), "shop", "")


async def test_a_server_that_hangs_costs_its_own_charts_an_error(
    server: HelmServer, private: HelmServer, tmp_path: Path, pool: Pool
) -> None:
    async with Web(limits=WebLimits(silence=0.2, total=0.5)) as hasty:
        charts = ChartSources(tmp_path / "hasty", pool=pool, web=hasty)
        server.hold.clear()
        with pytest.raises(SlowError):
            await charts.resolve(ChartRepository(server.url), "shop", "")
        asked = len(server.seen)
        with pytest.raises(SlowError):  # left alone for a while
            await charts.resolve(ChartRepository(server.url), "shop", "")
        assert len(server.seen) == asked
        assert await charts.resolve(ChartRepository(private.url, SIGNED), "shop", "^1") == "1.1.0"


async def test_a_server_that_is_not_there_is_unreachable(charts: ChartSources) -> None:
    with pytest.raises(UnreachableError, match="no connection"):
        await charts.resolve(ChartRepository("http://127.0.0.1:1"), "shop", "")


async def test_more_than_the_limit_is_not_read(server: HelmServer, charts: ChartSources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeostat.desired.sources.helm_repository.MAX_INDEX", 100)
    with pytest.raises(RefusedError, match="more than the limit of 100"):
        await charts.resolve(ChartRepository(server.url), "shop", "")


async def test_tls_needs_a_known_authority_and_may_ask_for_a_certificate(
    tmp_path: Path, archives: Path, authority: Path, charts: ChartSources
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authority / "server.pem", authority / "server.key")
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(authority / "ca.pem")
    ca, certificate, key = ((authority / name).read_text() for name in ("ca.pem", "server.pem", "server.key"))
    async with HelmServer(copied(archives, tmp_path / "secure"), tls=tls) as server:
        await asyncio.to_thread(server.publish)
        secret = {"type": "helm", "url": server.url, "tlsClientCertData": certificate, "tlsClientCertKey": key}
        where = chart_repository(server.url, [repository(secret)], {"127.0.0.1": ca})
        assert await charts.resolve(where, "shop", "^1") == "1.1.0"
        insecure = Credentials(insecure=True, tls_client_cert=certificate, tls_client_key=key)
        assert await charts.resolve(ChartRepository(server.url, insecure), "shop", "^1") == "1.1.0"
        with pytest.raises(IdentityError):
            await charts.resolve(ChartRepository(server.url, Credentials(tls_client_cert=certificate, tls_client_key=key)), "shop", "^1")
        with pytest.raises(SourceError):
            await charts.resolve(ChartRepository(server.url, Credentials(ca=ca)), "shop", "^1")


def repository(fields: dict[str, str]) -> dict[str, object]:
    return {"metadata": {"name": "charts", "labels": {"argocd.argoproj.io/secret-type": "repository"}}, "stringData": fields}


async def test_an_archive_that_the_server_calls_compressed_stays_what_it_is(server: HelmServer, charts: ChartSources) -> None:
    body = (server.folder / "shop-1.0.0.tgz").read_bytes()
    server.override["/shop-1.0.0.tgz"] = web.Response(body=body, headers={"Content-Encoding": "gzip", "Content-Type": "application/x-tar"})
    assert (await charts.tree(ChartRepository(server.url), "shop", "1.0.0")).read("Chart.yaml")
