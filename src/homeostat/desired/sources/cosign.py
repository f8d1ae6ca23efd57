"""Signatures of OCI artefacts as ``cosign`` makes them with keys, looked at without any other server than the registry.

Both of its formats are read: a payload of Red Hat's *simple signing* with the signature in an annotation (cosign 1 and 2; found under the tag
``sha256-….sig``, or by the registry's list of referrers), and a Sigstore bundle with a DSSE envelope around an in-toto statement (cosign 3; by the
referrers). The rules are those of cosign's SIGNATURE_SPEC.md and BUNDLE_SPEC.md; as with Flux, a transparency log is not asked when a key is
given. Certificates (keyless signatures), Notation, and what an unsigned artefact means for an app are not the business of this module.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from homeostat.desired.sources.errors import (
    LyingError,
    RefusedError,
    RepositoryMissingError,
    RevisionMissingError,
)
from homeostat.desired.sources.oci import Descriptor, Manifest, OciRepository
from homeostat.model.errors import InvalidError, NotSupportedError

_SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
_SIGNATURES = "application/vnd.dev.cosign.artifact.sig.v1+json"
_BUNDLE = "application/vnd.dev.sigstore.bundle"
_SIGNATURE = "dev.cosignproject.cosign/signature"
_TYPES = frozenset({"cosign container image signature", "https://sigstore.dev/cosign/sign/v1"})
_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
_IN_TOTO = "application/vnd.in-toto+json"
_MAX_BLOB = 1024 * 1024
_MAX_SIGNATURES = 100
_MIN_RSA = 2048

_Key = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


class _Signed(NamedTuple):
    """What was signed, the signature, and the digest that the signer speaks of (empty, with a reason, when it is no signature of an artefact)."""

    message: bytes
    signature: bytes
    about: str
    reason: str = ""


async def verify(repository: OciRepository, digest: str, keys: Mapping[str, str]) -> str:
    """Why the artefact of this digest does not count as signed by one of ``keys`` (public keys in PEM by a name for messages); empty when it does.

    Raises :class:`InvalidError` for a key that cannot be read, :class:`NotSupportedError` without any, and an :class:`UnavailableError` or
    :class:`UnauthorisedError` when the registry does not answer: nothing is known then.
    """
    if not keys:
        raise NotSupportedError(
            "Signatures without a key (keyless: Fulcio and Rekor) are not verified",
            hint="sign with `cosign sign --key` and give the public key",
        )
    trusted = {name: _key(name, pem) for name, pem in keys.items()}
    named = ", ".join(sorted(trusted))
    reasons: list[str] = []
    looked_at = 0
    async for found in _signatures(repository, digest):
        looked_at += 1
        if looked_at > _MAX_SIGNATURES:
            reasons.append(f"only the first {_MAX_SIGNATURES} were looked at")
            break
        if isinstance(found, str):
            reasons.append(found)
            continue
        signer = next((name for name, key in trusted.items() if _is_signed(key, found)), None)
        if signer is None:
            reasons.append(f"one is by none of the keys {named}")
        elif found.reason:
            reasons.append(f"one by {signer} counts for nothing: {found.reason}")
        elif found.about != digest:
            reasons.append(f"one by {signer} is of {found.about[:100] or 'nothing'}")
        else:
            return ""
    if not looked_at:
        return f"{repository.address}@{digest} is not signed: the registry has no signature of cosign for it"
    return f"{repository.address}@{digest} has no signature that counts: {'; '.join(dict.fromkeys(reasons))}"


def _key(name: str, pem: str) -> _Key:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        hint = "write the file that `cosign generate-key-pair` or `cosign public-key` made (-----BEGIN PUBLIC KEY-----)"
        raise InvalidError(f"The key {name} is no public key in PEM", hint=hint) from error
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _MIN_RSA:
        raise InvalidError(f"The key {name} is an RSA key of {key.key_size} bits, and {_MIN_RSA} are the least that counts")
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey):
        raise InvalidError(f"The key {name} is of a kind that cosign does not sign with", hint="use ECDSA P-256, RSA or Ed25519")
    return key


def _is_signed(key: _Key, signed: _Signed) -> bool:
    """``cosign`` signs SHA-256 whatever the curve; its newer releases take the digest that fits the curve."""
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signed.signature, signed.message)
            return True
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signed.signature, signed.message, padding.PKCS1v15(), hashes.SHA256())
            return True
    except InvalidSignature:
        return False
    fitting = {384: hashes.SHA384(), 521: hashes.SHA512()}.get(key.key_size)
    for algorithm in (hashes.SHA256(), fitting):
        if algorithm is None:
            continue
        try:
            key.verify(signed.signature, signed.message, ec.ECDSA(algorithm))
        except InvalidSignature:
            continue
        return True
    return False


async def _signatures(repository: OciRepository, digest: str) -> AsyncIterator[_Signed | str]:
    """All that the registry has, or why one of them cannot be had: who may push one that is broken must not hide another that is not."""
    try:
        manifest = await repository.manifest(f"{digest.replace(':', '-', 1)}.sig")
    except RevisionMissingError:
        pass
    except (LyingError, RefusedError) as error:
        yield error.message
    else:
        async for found in _in_manifest(repository, manifest):
            yield found
    for referrer in await repository.referrers(digest):
        if referrer.artifact_type and referrer.artifact_type != _SIGNATURES and not referrer.artifact_type.startswith(_BUNDLE):
            continue
        try:
            manifest = await repository.manifest(referrer.digest)
        except (RevisionMissingError, LyingError, RefusedError) as error:
            yield error.message
            continue
        async for found in _in_manifest(repository, manifest):
            yield found


async def _in_manifest(repository: OciRepository, manifest: Manifest) -> AsyncIterator[_Signed | str]:
    for layer in manifest.layers[: _MAX_SIGNATURES + 1]:
        is_bundle = layer.media_type.startswith(_BUNDLE)
        if not is_bundle and layer.media_type != _SIMPLE_SIGNING:
            continue
        try:
            data = await repository.blob(layer, limit=_MAX_BLOB)
            yield _bundled(data) if is_bundle else _simple(data, layer)
        except (LyingError, RefusedError, RepositoryMissingError) as error:
            yield error.message
        except (msgspec.DecodeError, binascii.Error, ValueError):
            yield f"{layer.digest} cannot be read"


class _Image(msgspec.Struct, rename="kebab"):
    docker_manifest_digest: str = ""


class _Critical(msgspec.Struct):
    image: _Image
    type: str = ""


class _Payload(msgspec.Struct):
    critical: _Critical


def _simple(data: bytes, layer: Descriptor) -> _Signed:
    signature = base64.b64decode((layer.annotations or {}).get(_SIGNATURE, ""), validate=True)
    if not signature:
        raise ValueError(_SIGNATURE)
    critical = msgspec.json.decode(data, type=_Payload).critical
    if critical.type not in _TYPES:
        return _Signed(data, signature, "", f"its type is {critical.type[:100]!r}")
    return _Signed(data, signature, critical.image.docker_manifest_digest)


class _EnvelopeSignature(msgspec.Struct):
    sig: bytes


class _Envelope(msgspec.Struct, rename="camel"):
    payload: bytes
    payload_type: str
    signatures: list[_EnvelopeSignature]


class _Bundle(msgspec.Struct, rename="camel"):
    dsse_envelope: _Envelope | None = None


class _Subject(msgspec.Struct):
    digest: dict[str, str]


class _Statement(msgspec.Struct, rename="camel"):
    subject: list[_Subject]
    predicate_type: str = ""


def _bundled(data: bytes) -> _Signed:
    envelope = msgspec.json.decode(data, type=_Bundle).dsse_envelope
    if envelope is None or len(envelope.signatures) != 1:
        raise ValueError("dsseEnvelope")
    kind = envelope.payload_type.encode()
    message = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(envelope.payload), envelope.payload)
    signature = envelope.signatures[0].sig
    if envelope.payload_type != _IN_TOTO:
        return _Signed(message, signature, "", f"it holds {envelope.payload_type[:100]!r}")
    statement = msgspec.json.decode(envelope.payload, type=_Statement)
    if statement.predicate_type != _PREDICATE:  # what somebody says about an artefact (what is in it, how it was built) does not approve it
        return _Signed(message, signature, "", f"it is a statement of {statement.predicate_type[:100]!r}")
    subjects = [f"{name}:{value}" for subject in statement.subject for name, value in subject.digest.items()]
    return _Signed(message, signature, subjects[0] if len(subjects) == 1 else "", "" if len(subjects) == 1 else "it has several subjects")
