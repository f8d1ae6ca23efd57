"""Whom the HTTP client refuses to ask, whatever a name resolves to, and how large the cache of archives may grow."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from homeostat.desired.sources.archive import ArchiveTree
from homeostat.desired.sources.blobs import Blobs, digest_of
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import LyingError, RefusedError, UnreachableError
from homeostat.desired.sources.web import Access, Web, WebLimits, place
from tests.desired.sources.shops import HelmServer
from tests.desired.sources.test_archive import entry, tar


class Lies(AbstractResolver):
    """Says that every name is at ``address``."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        return [ResolveResult(hostname=host, host=self.address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        pass


async def ask(web: Web, url: str) -> bytes:
    return (await web.get(url, access=Access(place(url).origin), what="It", limit=1000)).body


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1%eth0", "fd00:ec2::254", "::ffff:169.254.1.1", "64:ff9b::a9fe:a9fe", "168.63.129.16"]
)
async def test_a_name_that_resolves_to_where_credentials_are_handed_out_is_refused(address: str) -> None:
    async with Web(resolver=Lies(address)) as web:
        with pytest.raises(RefusedError, match="hand out credentials"):
            await ask(web, "http://charts.example/index.yaml")


async def test_a_name_that_resolves_elsewhere_is_asked(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("answered")
    async with HelmServer(tmp_path) as server, Web(resolver=Lies("127.0.0.1")) as web:
        assert await ask(web, f"http://charts.example:{server.port}/x") == b"answered"


async def test_a_proxy_of_the_secret_or_of_the_environment_is_used_but_for_hosts_that_need_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_text("answered")

    async def through(web: Web, credentials: Credentials) -> bytes:
        url = "http://charts.example/x"
        return (await web.get(url, access=Access(place(url).origin, credentials), what="It", limit=1000)).body

    async with HelmServer(tmp_path) as proxy, Web(resolver=Lies("127.0.0.1"), limits=WebLimits(first_pause=0.0)) as web:
        assert await through(web, Credentials(proxy=proxy.url)) == b"answered"
        with pytest.raises(UnreachableError):
            await through(web, Credentials(proxy=proxy.url, no_proxy="other,.example"))
        with pytest.raises(RefusedError, match="none of HTTP"):
            await through(web, Credentials(proxy="socks5://pr0xy-secret:1080"))
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert await through(web, Credentials()) == b"answered"
        monkeypatch.setenv("NO_PROXY", "charts.example")
        with pytest.raises(UnreachableError):
            await through(web, Credentials())


async def test_a_server_that_failed_is_asked_again_after_a_pause_that_grows(tmp_path: Path) -> None:
    async with Web(limits=WebLimits(first_pause=1000.0)) as web, HelmServer(tmp_path) as server:
        with pytest.raises(UnreachableError) as first:
            await ask(web, "http://127.0.0.1:1/x")
        with pytest.raises(UnreachableError) as again:
            await ask(web, "http://127.0.0.1:1/other")
        assert again.value.__cause__ is first.value
        with pytest.raises(Exception, match="404"):
            await ask(web, f"{server.url}/x")


@pytest.mark.parametrize(
    "url", ["", "x", "file:///etc/passwd", "http://", "http://a b/", "http://a\\b/", "http://h:99999/", "https://[::1", "ftp://h/x"]
)
def test_what_is_no_address_of_a_web_server_is_refused(url: str) -> None:
    with pytest.raises(RefusedError):
        place(url)


def test_a_password_in_an_address_is_taken_out_of_it() -> None:
    found = place("https://me:p%40ss@charts.example:8443/x?y=1#z")
    assert (found.url, found.username, found.password) == ("https://charts.example:8443/x?y=1", "me", "p@ss")
    assert "p@ss" not in repr(found)


async def test_the_folder_of_archives_keeps_its_size(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs", most=3000, in_memory=0)

    async def add(number: int) -> ArchiveTree:
        data = tar(entry("shop/Chart.yaml", bytes(str(number), "ascii") * 1000), gzipped=False)

        async def fetch() -> bytes:
            return data

        return await blobs.tree(digest_of(data), name="x", fetch=fetch)

    for number in range(1, 6):
        assert (await add(number)).read("Chart.yaml")
    assert len(list((tmp_path / "blobs").iterdir())) == 1


async def test_many_who_want_one_archive_have_it_fetched_once(tmp_path: Path) -> None:
    data = tar(entry("shop/Chart.yaml", b"x"))
    asked = 0

    async def fetch() -> bytes:
        nonlocal asked
        asked += 1
        return data

    blobs = Blobs(tmp_path / "blobs")
    trees = await asyncio.gather(*(blobs.tree(digest_of(data), name="x", fetch=fetch) for _ in range(50)))
    assert (asked, len({id(tree) for tree in trees})) == (1, 1)
    with pytest.raises(LyingError, match="shop is not what it should be"):
        await blobs.tree("sha256:" + "0" * 64, name="shop", fetch=fetch)
