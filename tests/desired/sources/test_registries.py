"""Charts from a real OCI registry, filled by the real ``helm``; sign-in with passwords and tokens; registries that lie."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

from homeostat.desired.sources.blobs import digest_of
from homeostat.desired.sources.charts import ChartRepository, ChartSources
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import (
    FetchFailedError,
    LyingError,
    RefusedError,
    RevisionMissingError,
    SourceError,
    UnauthorisedError,
)
from tests.desired.sources.shops import BASIC, PASSWORD, USER, Registry, packed, registry

OPEN = Credentials(plain_http=True)
SIGNED = Credentials(username=USER, password=PASSWORD, plain_http=True)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("archives")
    return {version: packed(folder, "shop", version) for version in ("1.0.0", "1.1.0", "2.0.0-rc.1", "1.2.0+build.5")}


@pytest.fixture
async def shop(tmp_path: Path, archives: dict[str, Path]) -> AsyncIterator[Registry]:
    async with registry(tmp_path / "registry") as running:
        for archive in archives.values():
            await asyncio.to_thread(running.push, archive)
        yield running


@pytest.mark.parametrize(
    ("wanted", "version"),
    [("1.0.0", "1.0.0"), ("", "1.2.0+build.5"), ("~1.1", "1.1.0"), (">=1.0.0 <1.2", "1.1.0"), (">=2.0.0-0", "2.0.0-rc.1"), ("1.2.0+build.5", "1.2.0+build.5")],
)  # fmt: skip
async def test_versions_are_the_tags_of_a_chart(shop: Registry, charts: ChartSources, wanted: str, version: str) -> None:
    for url in (f"{shop.address}/charts", f"oci://{shop.address}/charts/"):
        where = ChartRepository(url, OPEN)
        assert await charts.resolve(where, "shop", wanted) == version
        tree = await charts.tree(where, "shop", version)
        assert f"version: {version}".encode() in (tree.read("Chart.yaml") or b"")


async def test_what_nobody_has_pushed_is_an_error_that_names_it(shop: Registry, charts: ChartSources) -> None:
    where = ChartRepository(f"{shop.address}/charts", OPEN)
    with pytest.raises(RevisionMissingError, match=r"/charts/shop has no tag 9\.9\.9"):
        await charts.resolve(where, "shop", "9.9.9")
    with pytest.raises(RevisionMissingError, match=r"in '\^9'"):
        await charts.resolve(where, "shop", "^9")
    with pytest.raises(SourceError, match="/charts/other"):
        await charts.resolve(where, "other", "")
    with pytest.raises(RefusedError, match="no valid repository name"):
        await charts.resolve(where, "SHOP", "")


async def test_a_tag_that_is_pushed_again_is_news(tmp_path: Path, shop: Registry, charts: ChartSources) -> None:
    where = ChartRepository(f"{shop.address}/charts", OPEN)
    before = await charts.tree(where, "shop", await charts.resolve(where, "shop", "^1"))
    assert not await charts.poll(where, "shop")
    again = await asyncio.to_thread(packed, tmp_path, "shop", "1.2.0+build.5", {"values.yaml": "greeting: changed\n"})
    await asyncio.to_thread(shop.push, again)
    assert await charts.poll(where, "shop")
    after = await charts.tree(where, "shop", await charts.resolve(where, "shop", "^1"))
    assert "values.yaml" in after.changed_since(before)


async def test_a_digest_names_exactly_one_artefact(shop: Registry, charts: ChartSources) -> None:
    where = ChartRepository(f"{shop.address}/charts", OPEN)
    repository = charts._registry(where, "shop")._repository
    digest = (await repository.manifest("1.1.0")).digest
    assert await charts.resolve(where, "shop", digest) == digest
    assert b"version: 1.1.0" in ((await charts.tree(where, "shop", digest)).read("Chart.yaml") or b"")
    with pytest.raises(RevisionMissingError):
        await charts.resolve(where, "shop", "sha256:" + "0" * 64)


async def test_a_registry_that_asks_for_a_password_gets_it(tmp_path: Path, archives: dict[str, Path], charts: ChartSources) -> None:
    async with registry(tmp_path / "private", private=True) as private:
        await asyncio.to_thread(private.push, archives["1.0.0"])
        url = f"{private.address}/charts"
        assert await charts.resolve(ChartRepository(url, SIGNED), "shop", "") == "1.0.0"
        await charts.tree(ChartRepository(url, SIGNED), "shop", "1.0.0")
        for credentials in (OPEN, Credentials(username=USER, password="wrong-secret", plain_http=True)):
            with pytest.raises(UnauthorisedError) as refused:
                await charts.tree(ChartRepository(url, credentials), "shop", "1.0.0")
            assert "wrong-secret" not in str(refused.value)


class Issuer:
    """Hands out tokens as registries' token servers do (``/token?service=…&scope=…``); ``asked`` are the scopes."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self._key.public_key()).serial_number(1)
            .not_valid_before(now - dt.timedelta(hours=1)).not_valid_after(now + dt.timedelta(days=1)).sign(self._key, hashes.SHA256())
        )  # fmt: skip
        self._der = certificate.public_bytes(serialization.Encoding.DER)
        self.bundle = folder / "issuer.pem"
        self.bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    async def answer(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != BASIC:
            return web.Response(status=401)
        scope = request.query["scope"]
        self.asked.append(scope)
        kind, name, actions = scope.split(":")
        now = int(time.time())
        claims = {"iss": "issuer", "sub": USER, "aud": request.query["service"], "exp": now + 300, "nbf": now - 10, "iat": now, "jti": "1",
                  "access": [{"type": kind, "name": name, "actions": actions.split(",")}]}  # fmt: skip
        head = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(self._der).decode()]}
        text = b".".join(base64.urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=") for part in (head, claims))
        r, s = decode_dss_signature(self._key.sign(text, ec.ECDSA(hashes.SHA256())))
        signature = base64.urlsafe_b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).rstrip(b"=")
        return web.json_response({"token": (text + b"." + signature).decode(), "expires_in": 300})


async def test_a_registry_that_asks_for_tokens_gets_them_for_the_scope_that_it_names(
    tmp_path: Path, archives: dict[str, Path], charts: ChartSources
) -> None:
    issuer = Issuer(tmp_path)
    async with served({"/token": issuer.answer}) as realm:
        auth = {"token": {"realm": f"http://{realm}/token", "service": "charts", "issuer": "issuer", "rootcertbundle": str(issuer.bundle)}}
        async with registry(tmp_path / "registry", private=True, auth=auth) as running:
            await asyncio.to_thread(running.push, archives["1.0.0"])
            issuer.asked.clear()
            where = ChartRepository(f"{running.address}/charts", SIGNED)
            assert await charts.resolve(where, "shop", "") == "1.0.0"
            await charts.tree(where, "shop", "1.0.0")
            assert issuer.asked == ["repository:charts/shop:pull"]
            with pytest.raises(UnauthorisedError):
                await charts.resolve(ChartRepository(f"{running.address}/charts", OPEN), "shop", "")


def served(routes: dict[str, object]) -> _Served:
    return _Served(routes)


class _Served:
    """A web server that answers these paths; entered, it is its address."""

    def __init__(self, routes: dict[str, object]) -> None:
        self._routes = routes
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> str:
        app = web.Application()
        for path, answer in self._routes.items():
            app.router.add_get(path, answer)  # type: ignore[arg-type]
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"127.0.0.1:{self._runner.addresses[0][1]}"

    async def __aexit__(self, *about: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()


def manifest(
    layer: bytes, *, digest: str = "", size: int | None = None, kind: str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
) -> bytes:
    digest = digest or "sha256:" + hashlib.sha256(layer).hexdigest()
    return orjson.dumps(
        {"schemaVersion": 2, "layers": [{"mediaType": kind, "digest": digest, "size": len(layer) if size is None else size}]}
    )


def answers(body: bytes, status: int = 200, **headers: str) -> object:
    async def answer(request: web.Request) -> web.Response:  # noqa: ARG001
        return web.Response(status=status, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


LAYER = b"what a chart might be"
MANIFEST, BLOB = "/v2/charts/shop/manifests/1.0.0", "/v2/charts/shop/blobs/{digest}"


@pytest.mark.parametrize(
    ("routes", "error"),
    [
        pytest.param({MANIFEST: answers(manifest(LAYER)), BLOB: answers(b"something else, as long")}, SourceError, id="another blob"),
        pytest.param({MANIFEST: answers(manifest(LAYER)), BLOB: answers(LAYER[::-1])}, LyingError, id="another blob of the same length"),
        pytest.param({MANIFEST: answers(manifest(LAYER), Docker_Content_Digest=digest_of(b""))}, LyingError, id="another manifest"),
        pytest.param({MANIFEST: answers(manifest(LAYER, digest="sha256:../../etc"))}, RefusedError, id="no digest"),
        pytest.param({MANIFEST: answers(manifest(LAYER, digest="md5:" + "0" * 32))}, RefusedError, id="a weak digest"),
        pytest.param({MANIFEST: answers(manifest(LAYER, size=1 << 40))}, RefusedError, id="a terabyte"),
        pytest.param({MANIFEST: answers(manifest(LAYER, size=3)), BLOB: answers(LAYER)}, RefusedError, id="longer than announced"),
        pytest.param({MANIFEST: answers(manifest(LAYER, kind="application/x"))}, RefusedError, id="no chart"),
        pytest.param({MANIFEST: answers(b"<html>")}, FetchFailedError, id="no manifest"),
        pytest.param({MANIFEST: answers(b"", 307, Location="http://169.254.169.254/x")}, RefusedError, id="the metadata address"),
        pytest.param(
            {MANIFEST: answers(b"", 401, WWW_Authenticate='Bearer realm="http://169.254.169.254/token",service="x"')},
            RefusedError,
            id="a realm at the metadata address",
        ),
        pytest.param({MANIFEST: answers(b"", 401, WWW_Authenticate='Bearer realm=""')}, SourceError, id="no realm"),
        pytest.param({MANIFEST: answers(b"", 401)}, UnauthorisedError, id="no challenge"),
    ],
)
async def test_a_registry_that_lies_is_caught(charts: ChartSources, routes: dict[str, object], error: type[SourceError]) -> None:
    async with served(routes) as address:
        where = ChartRepository(f"{address}/charts", OPEN)
        with pytest.raises(error):
            await charts.tree(where, "shop", await charts.resolve(where, "shop", "1.0.0"))


async def test_tags_come_in_pages_and_from_one_server(charts: ChartSources) -> None:
    async def page(request: web.Request) -> web.Response:
        last = int(request.query.get("last", 0))
        link = f'</v2/charts/shop/tags/list?last={last + 1}&n=1>; rel="next"'
        return web.json_response({"tags": [f"1.{last}.0"]}, headers={"Link": link} if last < 5 else {})

    routes = {"/v2/charts/shop/tags/list": page, "/v2/charts/shop/manifests/{tag}": answers(manifest(LAYER))}
    async with served(routes) as address:
        assert await charts.resolve(ChartRepository(f"{address}/charts", OPEN), "shop", "^1") == "1.5.0"
    elsewhere = answers(b'{"tags": ["1.0.0"]}', Link='<http://127.0.0.1:1/v2/charts/shop/tags/list>; rel="next"')
    circle = answers(b'{"tags": ["1.0.0"]}', Link='</v2/charts/shop/tags/list?n=1000>; rel="next"')
    async with served({"/v2/charts/shop/tags/list": elsewhere}) as address:
        with pytest.raises(RefusedError, match="on another server"):
            await charts.resolve(ChartRepository(f"{address}/charts", OPEN), "shop", "^1")
    async with served({**routes, "/v2/charts/shop/tags/list": circle}) as address:
        assert await charts.resolve(ChartRepository(f"{address}/charts", OPEN), "shop", "^1") == "1.0.0"


async def test_blobs_may_lie_on_another_host_which_gets_no_credentials(archives: dict[str, Path], charts: ChartSources) -> None:
    layer = archives["1.0.0"].read_bytes()
    seen: list[str] = []

    async def store(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        return web.Response(body=layer)

    async with served({"/bucket": store}) as elsewhere:
        routes = {MANIFEST: answers(manifest(layer)), BLOB: answers(b"", 307, Location=f"http://{elsewhere}/bucket")}
        token = Credentials(bearer_token="token-secret", plain_http=True)
        async with served(routes) as address:
            assert (await charts.tree(ChartRepository(f"{address}/charts", token), "shop", "1.0.0")).read("Chart.yaml")
    assert seen == [""]
