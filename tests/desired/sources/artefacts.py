"""Fills a registry with artefacts by plain HTTP, in the formats of ``oras``, ``flux push artifact`` and ``cosign``."""

from __future__ import annotations

import base64
import gzip
import io
import tarfile
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson
from aiohttp import ClientSession
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from homeostat.desired.sources.blobs import digest_of

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
FLUX = "application/vnd.cncf.flux.content.v1.tar+gzip"
CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"

Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


class Part(NamedTuple):
    """A layer to be. ``announced`` is the size that the manifest says."""

    kind: str
    data: bytes
    annotations: Mapping[str, str] | None = None


def tgz(files: Mapping[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(out.getvalue(), mtime=0)  # the same at any second


class Pusher:
    """Pushes to the repository ``name`` of the registry at ``address`` (``host:port``)."""

    def __init__(self, session: ClientSession, address: str, name: str) -> None:
        self._session = session
        self._base = f"http://{address}/v2/{name}/"

    async def blob(self, data: bytes) -> str:
        async with self._session.post(f"{self._base}blobs/uploads/") as begun:
            place = begun.headers["Location"]
        async with self._session.put(place, params={"digest": digest_of(data)}, data=io.BytesIO(data)) as put:
            assert put.status == 201, await put.text()
        return digest_of(data)

    async def document(self, reference: str, body: Mapping[str, Any], kind: str = MANIFEST) -> str:
        """A manifest or an index under a tag, or (``reference`` empty) its digest; answers the digest."""
        data = orjson.dumps({"schemaVersion": 2, "mediaType": kind, **body})
        async with self._session.put(
            f"{self._base}manifests/{reference or digest_of(data)}", data=data, headers={"Content-Type": kind}
        ) as put:
            assert put.status == 201, await put.text()
        return digest_of(data)

    async def artefact(self, tags: Iterable[str], *parts: Part, **more: Any) -> str:
        config = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": await self.blob(b"{}"), "size": 2}
        layers = []
        for part in parts:
            about = {"mediaType": part.kind, "digest": await self.blob(part.data), "size": len(part.data)}
            layers.append({**about, "annotations": part.annotations} if part.annotations else about)
        digest = ""
        for tag in tags:
            digest = await self.document(tag, {"config": config, "layers": layers, **more})
        return digest


def signed(key: Private, message: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(message, ec.ECDSA(hashes.SHA256()))


def public(key: Private) -> str:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def simple(key: Private, digest: str, *, kind: str = "cosign container image signature") -> Part:
    """What ``cosign sign --key`` uploads."""
    critical = {"identity": {"docker-reference": "registry/team/apps"}, "image": {"docker-manifest-digest": digest}, "type": kind}
    payload = orjson.dumps({"critical": critical, "optional": None})
    return Part(SIMPLE, payload, {"dev.cosignproject.cosign/signature": base64.b64encode(signed(key, payload)).decode()})


def bundle(key: Private, digest: str, *, predicate: str = "https://sigstore.dev/cosign/sign/v1") -> Part:
    """What ``cosign sign --key --new-bundle-format`` uploads."""
    algorithm, _, value = digest.partition(":")
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {algorithm: value}}],
        "predicateType": predicate,
        "predicate": {},
    }
    payload, kind = orjson.dumps(statement), "application/vnd.in-toto+json"
    signature = signed(key, f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload)
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": kind,
        "signatures": [{"sig": base64.b64encode(signature).decode()}],
    }
    return Part(BUNDLE, orjson.dumps({"mediaType": BUNDLE, "verificationMaterial": {"publicKey": {"hint": "x"}}, "dsseEnvelope": envelope}))
