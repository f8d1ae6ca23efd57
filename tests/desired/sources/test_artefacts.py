"""Artefacts of a real OCI registry, as Argo CD and as Flux read them; layers that do harm."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import orjson
import pytest
from aiohttp import ClientSession, web

from homeostat.desired.sources.artefacts import Artefact, Layer, Reference
from homeostat.desired.sources.charts import ChartRepository, ChartSources
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import ArchiveError, RefusedError, RevisionMissingError, SourceError
from homeostat.desired.sources.web import Web
from homeostat.evaluate.pool import Pool
from tests.desired.sources.artefacts import CHART, FLUX, INDEX, LAYER, MANIFEST, Part, Pusher, tgz
from tests.desired.sources.shops import registry

OPEN = Credentials(plain_http=True)
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"


class Shop:
    def __init__(self, address: str, session: ClientSession, charts: ChartSources) -> None:
        self.url = f"oci://{address}/team/apps"
        self.push = Pusher(session, address, "team/apps")
        self.where = ChartRepository(self.url, OPEN)
        self.artefact: Artefact = charts.artefact(self.where)


@pytest.fixture
async def shop(tmp_path: Path, charts: ChartSources) -> AsyncIterator[Shop]:
    async with registry(tmp_path / "registry") as running, ClientSession() as session:
        yield Shop(running.address, session, charts)


async def test_flux_finds_a_tag_a_range_and_a_digest(shop: Shop) -> None:
    old = await shop.push.artefact(["1.0.0", "latest"], Part(FLUX, tgz({"a.yaml": "old"})))
    new = await shop.push.artefact(["1.2.0", "1.2.0-rc.1", "2.0.0-rc.1"], Part(FLUX, tgz({"a.yaml": "new"})))
    find = shop.artefact.find
    assert (await find(Reference())).revision == f"latest@{old}"
    assert (await find(Reference(tag="1.2.0"))).revision == f"1.2.0@{new}"
    assert (await find(Reference(tag="latest", semver="^1"))).revision == f"1.2.0@{new}"
    assert (await find(Reference(semver=">=1.0.0-0", semver_filter=r"1\.2\.0-rc\."))).revision == f"1.2.0-rc.1@{new}"
    assert (await find(Reference(semver="^1", tag="1.2.0", digest=old))).revision == old
    with pytest.raises(RevisionMissingError, match=r"no version in '\^1' among those that match '-dev\$'"):
        await find(Reference(semver="^1", semver_filter="-dev$"))
    with pytest.raises(RevisionMissingError, match="has no tag stable"):
        await find(Reference(tag="stable"))
    with pytest.raises(SourceError):
        await find(Reference(semver="^1", semver_filter="("))
    with pytest.raises(RefusedError, match="'latest' is no digest"):
        await find(Reference(digest="latest"))


async def test_both_ways_lead_to_one_tree(shop: Shop) -> None:
    digest = await shop.push.artefact(
        ["main"], Part(FLUX, tgz({"apps/a.yaml": MAP})), annotations={"org.opencontainers.image.revision": "main@sha1:0"}
    )
    assert await shop.artefact.choose("main", None) == digest
    by_argo, by_flux = await shop.artefact.tree(digest), await shop.artefact.tree(digest, Layer())
    assert by_argo.read("apps/a.yaml") == MAP.encode()
    assert by_argo is by_flux
    assert await shop.artefact.annotations(digest) == {"org.opencontainers.image.revision": "main@sha1:0"}


async def test_the_layer_is_selected_by_its_media_type(shop: Shop) -> None:
    notes, files, chart = tgz({"notes": "n"}), tgz({"a.yaml": MAP}), tgz({"web/Chart.yaml": "name: web"})
    digest = await shop.push.artefact(["1.0.0"], Part("application/x.notes", notes), Part(LAYER, files), Part(CHART + ".prov", b"p"))
    tree = shop.artefact.tree
    assert (await tree(digest)).read("a.yaml") == MAP.encode()
    assert (await tree(digest, Layer())).read("notes") == b"n"
    assert (await tree(digest, Layer(media_type=LAYER))).read("a.yaml") == MAP.encode()
    copied = await tree(digest, Layer(media_type=LAYER, copy=True))
    assert [entry.name for entry in copied.list("") or ()] == [f"{digest[7:]}.tgz"]
    assert copied.read(f"{digest[7:]}.tgz") == files
    with pytest.raises(RefusedError, match=f"application/x.notes, .* and no layer of the media type '{re.escape(FLUX)}'.*{digest}"):
        await tree(digest, Layer(media_type=FLUX))
    helm = await shop.push.artefact(["2.0.0"], Part(CHART, chart))
    assert (await tree(helm)).read("Chart.yaml")
    assert (await tree(helm, Layer())).read("web/Chart.yaml")


async def test_what_is_no_single_archive_is_refused(shop: Shop) -> None:
    layer = Part(LAYER, tgz({"a": "1"}))
    two = await shop.push.artefact(["two"], layer, layer)
    with pytest.raises(RefusedError, match="no single archive of files, at " + two):
        await shop.artefact.tree(two)
    strange = await shop.push.artefact(["strange"], Part("application/vnd.example.tar+gzip", layer.data))
    with pytest.raises(RefusedError, match=r"'application/vnd\.example\.tar\+gzip'") as refused:
        await shop.artefact.tree(strange)
    assert "reposerver.oci.layer.media.types" in refused.value.hint
    index = await shop.push.document("many", {"manifests": [{"mediaType": MANIFEST, "digest": two, "size": 1}]}, INDEX)
    assert await shop.artefact.choose("many", None) == index
    with pytest.raises(RefusedError, match="an index of 1 manifests"):
        await shop.artefact.tree(index)


async def test_a_setting_says_which_layers_are_allowed(tmp_path: Path, shop: Shop, pool: Pool, transfers: Web) -> None:
    digest = await shop.push.artefact(["strange"], Part("application/vnd.example.tar+gzip", tgz({"a": "1"})))
    charts = ChartSources(tmp_path / "other", pool=pool, web=transfers, media_types=lambda: frozenset({"application/vnd.example.tar+gzip"}))
    assert (await charts.artefact(shop.where).tree(digest)).read("a") == b"1"
    with pytest.raises(RefusedError, match="is no repository in an OCI registry"):
        charts.artefact(ChartRepository("https://charts.example"))


async def test_a_tag_that_moves_is_news_and_what_is_pinned_stays(shop: Shop) -> None:
    before = await shop.push.artefact(["main"], Part(LAYER, tgz({"a": "1"})))
    assert await shop.artefact.choose("main", None) == before
    assert not await shop.artefact.news()
    after = await shop.push.artefact(["main"], Part(LAYER, tgz({"a": "2"})))
    assert await shop.artefact.news()
    assert not await shop.artefact.news()
    assert await shop.artefact.choose("main", None) == after
    assert (await shop.artefact.tree(before)).read("a") == b"1"


async def test_a_tag_that_is_not_there_is_asked_for_once_until_there_is_news(tmp_path: Path, charts: ChartSources) -> None:
    async with registry(tmp_path / "registry") as running, ClientSession() as session:
        shop = Shop(running.address, session, charts)
        old = await shop.push.artefact(["1.0.0"], Part(LAYER, tgz({"a": "1"})))
        assert await shop.artefact.choose("1.x", None) == old
        assert not await shop.artefact.news()
    assert await shop.artefact.choose("1.x", None) == old  # though nobody is there to be asked


async def test_a_tag_with_the_name_of_a_range_goes_first_once_it_is_there(shop: Shop) -> None:
    old = await shop.push.artefact(["1.0.0"], Part(LAYER, tgz({"a": "1"})))
    assert await shop.artefact.choose("1.x", None) == old
    new = await shop.push.artefact(["1.x"], Part(LAYER, tgz({"a": "2"})))
    assert await shop.artefact.news()
    assert await shop.artefact.choose("1.x", None) == new
    with pytest.raises(RevisionMissingError, match="has no tag none"):
        await shop.artefact.find(Reference(tag="none"))


async def test_a_layer_is_fetched_once_and_survives_the_registry(tmp_path: Path, pool: Pool, transfers: Web) -> None:
    async with registry(tmp_path / "registry") as running, ClientSession() as session:
        first = Shop(running.address, session, ChartSources(tmp_path / "cache", pool=pool, web=transfers))
        digest = await first.push.artefact(["main"], Part(LAYER, tgz({"a": "1"})))
        await first.artefact.tree(digest)
        later = Shop(running.address, session, ChartSources(tmp_path / "cache", pool=pool, web=transfers))
        assert await later.artefact.choose(digest, None) == digest
    assert (await later.artefact.tree(digest)).read("a") == b"1"
    assert (await later.artefact.tree(digest, Layer(copy=True))).read(f"{digest[7:]}.tgz") == tgz({"a": "1"})


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(tar((entry("../a"), b"x")), "leaves the archive", id="out of the archive"),
        pytest.param(tar((entry("/etc/a"), b"x")), "leaves the archive", id="absolute"),
        pytest.param(tar((entry("a", tarfile.SYMTYPE, "../../etc/passwd"), b"")), "symbolic link leaves", id="symbolic link"),
        pytest.param(tar((entry("a", tarfile.LNKTYPE, "/etc/passwd"), b"")), "leaves the archive", id="hard link"),
        pytest.param(tar((entry("a", tarfile.CHRTYPE), b"")), "neither a file", id="device"),
        pytest.param(tar((entry("a"), bytes(300 * 1024 * 1024))), "limit", id="bomb"),
        pytest.param(b"no archive at all", "cannot be read", id="noise"),
    ],
)  # fmt: skip
async def test_a_layer_that_does_harm_is_refused_by_name(shop: Shop, data: bytes, reason: str) -> None:
    digest = await shop.push.artefact(["bad"], Part(LAYER, data))
    for layer in (None, Layer()):
        with pytest.raises(ArchiveError, match=f"{digest} of {shop.url} is refused.*{reason}"):
            await shop.artefact.tree(digest, layer)


async def lying(answer: Callable[[web.Request], web.Response], charts: ChartSources) -> str:
    """What comes of asking a registry that answers everything like this."""

    async def serve(request: web.Request) -> web.Response:
        return answer(request)

    app = web.Application()
    app.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        artefact = charts.artefact(ChartRepository(f"oci://127.0.0.1:{runner.addresses[0][1]}/team/apps", OPEN))
        with pytest.raises(SourceError) as refused:
            await artefact.tree((await artefact.find(Reference(tag="a"))).digest)
        return f"{type(refused.value).__name__}: {refused.value}"
    finally:
        await runner.cleanup()


async def test_a_registry_that_sends_in_circles_or_to_where_nobody_may_go_is_left(charts: ChartSources) -> None:
    def token(request: web.Request) -> web.Response:
        if request.path.startswith("/v2/"):
            return web.Response(status=401, headers={"WWW-Authenticate": f'Bearer realm="http://{request.host}/token"'})
        return web.Response(status=302, headers={"Location": f"{request.path}x"})

    assert "redirects more than" in await lying(token, charts)
    assert "UnauthorisedError" in await lying(
        lambda request: (
            web.json_response({"token": "t"})
            if request.path == "/token"
            else web.Response(status=401, headers={"WWW-Authenticate": f'Bearer realm="http://{request.host}/token"'})
        ),
        charts,
    )
    to_metadata = web.Response(status=307, headers={"Location": "http://[fd00:ec2::254]/latest"})
    assert "RefusedError" in await lying(lambda _: web.Response(status=307, headers=to_metadata.headers), charts)


async def test_a_manifest_without_end_is_refused(charts: ChartSources) -> None:
    layers = [{"mediaType": LAYER, "digest": "sha256:" + "0" * 64, "size": 1}] * 60_000
    body = orjson.dumps({"schemaVersion": 2, "layers": layers})
    assert "more than the limit" in await lying(lambda _: web.Response(body=body), charts)
    deep = b"[" * 100_000
    assert "cannot be read" in await lying(lambda _: web.Response(body=deep), charts)
    layer = {"mediaType": LAYER, "digest": "sha256:" + "0" * 64, "size": -1}
    assert "-1 bytes" in await lying(lambda _: web.Response(body=orjson.dumps({"layers": [layer]})), charts)
