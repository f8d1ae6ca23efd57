"""Signatures in the formats of cosign, in a real OCI registry and behind the API of referrers; signers that cheat."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession, web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from homeostat.desired.sources import cosign
from homeostat.desired.sources.blobs import digest_of
from homeostat.desired.sources.charts import ChartRepository, ChartSources
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import UnavailableError
from homeostat.desired.sources.oci import OciRepository
from homeostat.desired.sources.web import Access, Web
from homeostat.model.errors import InvalidError, NotSupportedError
from tests.desired.sources.artefacts import BUNDLE, INDEX, LAYER, MANIFEST, SIMPLE, Part, Private, Pusher, bundle, public, simple, tgz
from tests.desired.sources.shops import registry

OURS, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
KEYS = {"cosign.pub": public(OURS)}


class Shop:
    """One artefact, ``digest``, in a repository that may hold its signatures."""

    def __init__(self, address: str, session: ClientSession, transfers: Web) -> None:
        self.address = address
        self.push = Pusher(session, address, "team/apps")
        self.repository = repository(address, transfers)
        self.digest = ""

    async def sign(self, *parts: Part) -> None:
        await self.push.artefact([f"{self.digest.replace(':', '-')}.sig"], *parts)

    async def attach(self, *parts: Part, kind: str) -> None:
        """As clients do where a registry has no API of referrers: an index under a tag."""
        subject = {"mediaType": MANIFEST, "digest": self.digest, "size": 1}
        digest = await self.push.artefact([""], *parts, artifactType=kind, subject=subject)
        about = {"mediaType": MANIFEST, "digest": digest, "size": 1, "artifactType": kind}
        sbom = {**about, "artifactType": "application/spdx+json"}
        await self.push.document(self.digest.replace(":", "-"), {"manifests": [sbom, about]}, INDEX)

    async def problem(self, keys: dict[str, str] = KEYS) -> str:
        return await cosign.verify(self.repository, self.digest, keys)


def repository(address: str, transfers: Web) -> OciRepository:
    base = f"http://{address}"
    return OciRepository(f"oci://{address}/team/apps", Access(base), web=transfers, base=base, name="team/apps")


@pytest.fixture
async def shop(tmp_path: Path, transfers: Web) -> AsyncIterator[Shop]:
    async with registry(tmp_path / "registry") as running, ClientSession() as session:
        shop = Shop(running.address, session, transfers)
        shop.digest = await shop.push.artefact(["main"], Part(LAYER, tgz({"a": "1"})))
        yield shop


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(OURS, id="ECDSA P-256"),
        pytest.param(ec.generate_private_key(ec.SECP384R1()), id="ECDSA P-384"),
        pytest.param(rsa.generate_private_key(65537, 2048), id="RSA"),
        pytest.param(ed25519.Ed25519PrivateKey.generate(), id="Ed25519"),
    ],
)
async def test_a_signature_by_one_of_the_keys_counts(shop: Shop, key: Private) -> None:
    keys = {"other.pub": public(OTHER), "cosign.pub": public(key)}
    assert "is not signed" in await shop.problem(keys)
    await shop.sign(simple(key, shop.digest))
    assert await shop.problem(keys) == ""
    problem = await shop.problem({"other.pub": public(OTHER)})
    assert problem == f"oci://{shop.address}/team/apps@{shop.digest} has no signature that counts: one is by none of the keys other.pub"


@pytest.mark.parametrize(("make", "kind"), [(simple, "application/vnd.dev.cosign.artifact.sig.v1+json"), (bundle, BUNDLE)])
async def test_signatures_are_found_among_the_referrers(shop: Shop, make: Any, kind: str) -> None:
    await shop.attach(make(OTHER, shop.digest), kind=kind)
    assert "by none of the keys cosign.pub" in await shop.problem()
    await shop.attach(make(OURS, shop.digest), kind=kind)
    assert await shop.problem() == ""


async def test_several_signatures_are_looked_at_until_one_counts(shop: Shop) -> None:
    other = "sha256:" + "1" * 64
    broken = Part(SIMPLE, b"{", {"dev.cosignproject.cosign/signature": "AAAA"})
    await shop.sign(broken, simple(OTHER, shop.digest), simple(OURS, other), simple(OURS, shop.digest, kind="a cheque"))
    problem = await shop.problem()
    assert "cannot be read; one is by none of the keys cosign.pub; one by cosign.pub is of " + other in problem
    assert "one by cosign.pub counts for nothing: its type is 'a cheque'" in problem
    await shop.attach(bundle(OURS, shop.digest), kind=BUNDLE)
    assert await shop.problem() == ""


async def test_what_a_signer_states_about_an_artefact_is_no_signature_of_it(shop: Shop) -> None:
    await shop.attach(bundle(OURS, shop.digest, predicate="https://slsa.dev/provenance/v1"), kind=BUNDLE)
    assert "it is a statement of 'https://slsa.dev/provenance/v1'" in await shop.problem()
    statement = orjson.loads(bundle(OURS, shop.digest).data)
    moved = orjson.loads(base64.b64decode(statement["dsseEnvelope"]["payload"]))
    moved["subject"][0]["digest"] = {"sha256": "2" * 64}
    statement["dsseEnvelope"]["payload"] = base64.b64encode(orjson.dumps(moved)).decode()
    await shop.attach(Part(BUNDLE, orjson.dumps(statement)), kind=BUNDLE)
    assert "by none of the keys" in await shop.problem()


async def test_a_signature_without_base64_or_of_a_megabyte_is_passed_over(shop: Shop) -> None:
    good = simple(OURS, shop.digest)
    for text in ("%%%", ""):
        await shop.sign(Part(SIMPLE, good.data, {"dev.cosignproject.cosign/signature": text}))
        assert "cannot be read" in await shop.problem()
    await shop.sign(Part(SIMPLE, bytes(2 * 1024 * 1024), good.annotations))
    assert "the limit is 1048576" in await shop.problem()
    await shop.sign(*[simple(OTHER, shop.digest)] * 150, good)
    assert "only the first 100 were looked at" in await shop.problem()


async def test_keys_that_do_not_count_are_named(shop: Shop) -> None:
    with pytest.raises(InvalidError, match=r"The key a\.pub is no public key in PEM"):
        await shop.problem({"a.pub": "ssh-ed25519 AAAA"})
    with pytest.raises(InvalidError, match=r"The key b\.pub is an RSA key of 1024 bits"):
        await shop.problem({"b.pub": public(rsa.generate_private_key(65537, 1024))})
    with pytest.raises(NotSupportedError, match="keyless"):
        await shop.problem({})


async def test_an_artefact_says_whether_it_is_signed(shop: Shop, charts: ChartSources) -> None:
    artefact = charts.artefact(ChartRepository(f"oci://{shop.address}/team/apps", Credentials(plain_http=True)))
    assert "is not signed" in await artefact.problem(shop.digest, KEYS)
    await shop.sign(simple(OURS, shop.digest))
    assert await artefact.problem(shop.digest, KEYS) == ""


class Referring:
    """A registry with the API of referrers, in pages of one. ``parts`` are what it holds, by digest; ``status`` answers everything else."""

    def __init__(self) -> None:
        self.parts: dict[str, bytes] = {}
        self.referrers: list[dict[str, Any]] = []
        self.status = 404

    async def answer(self, request: web.Request) -> web.Response:
        kind, name = request.path.split("/")[-2:]
        if kind == "referrers":
            at = int(request.query.get("at", 0))
            link = {"Link": f'<{request.path}?at={at + 1}>; rel="next"'} if at + 1 < len(self.referrers) else {}
            return web.json_response({"schemaVersion": 2, "mediaType": INDEX, "manifests": self.referrers[at : at + 1]}, headers=link)
        if name in self.parts:
            return web.Response(body=self.parts[name])
        return web.Response(status=self.status)

    def attach(self, part: Part) -> str:
        layer = cosign_layer(part)
        self.parts[layer["digest"]] = part.data
        body = orjson.dumps({"schemaVersion": 2, "artifactType": BUNDLE, "layers": [layer]})
        digest = digest_of(body)
        self.parts[digest] = body
        self.referrers.append({"mediaType": MANIFEST, "digest": digest, "size": len(body), "artifactType": BUNDLE})
        return digest


def cosign_layer(part: Part) -> dict[str, Any]:
    return {"mediaType": part.kind, "digest": digest_of(part.data), "size": len(part.data), "annotations": part.annotations}


@pytest.fixture
async def referring(transfers: Web) -> AsyncIterator[tuple[Referring, OciRepository]]:
    server = Referring()
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield server, repository(f"127.0.0.1:{runner.addresses[0][1]}", transfers)
    await runner.cleanup()


async def test_the_api_of_referrers_is_asked_page_by_page(referring: tuple[Referring, OciRepository]) -> None:
    server, there = referring
    digest = "sha256:" + "a" * 64
    server.attach(bundle(OTHER, digest))
    assert "by none of the keys" in await cosign.verify(there, digest, KEYS)
    lost = server.attach(bundle(OURS, "sha256:" + "b" * 64))
    server.parts[lost] = b"{}"
    server.attach(bundle(OURS, digest))
    assert await cosign.verify(there, digest, KEYS) == ""
    del server.referrers[-1]
    assert f"the manifest {lost} is not what it should be" in await cosign.verify(there, digest, KEYS)


async def test_a_registry_that_does_not_answer_is_no_verdict(referring: tuple[Referring, OciRepository]) -> None:
    server, there = referring
    server.status = 503
    with pytest.raises(UnavailableError):
        await cosign.verify(there, "sha256:" + "a" * 64, KEYS)
