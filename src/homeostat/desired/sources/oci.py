"""A repository in an OCI registry (the distribution API): tags, manifests, blobs. Everything that has a digest is held against it.

Signing in is what registries ask for: Basic, or a token that the realm they name hands out for a scope (to which the password goes, as in every
client of a registry; never in the clear when the registry itself is asked over https). What the blobs mean is not known here.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

import msgspec
import orjson

from homeostat.desired.sources.blobs import checked_digest, digest_of, verified
from homeostat.desired.sources.errors import FetchFailedError, RefusedError, RevisionMissingError, UnauthorisedError
from homeostat.desired.sources.web import Access, Answer, Web, place

_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_CHALLENGE = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_LINK = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.artifact.manifest.v1+json",
)
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_ACCEPT = {"Accept": ", ".join((*_MANIFESTS, *_INDEXES))}
_MAX_MANIFEST = 4 * 1024 * 1024
_MAX_TAGS = 200_000
_MAX_REFERRERS = 1000
_PAGE = 1000
_HUB = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """Something that a manifest points to. ``size`` is in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] | None = None
    artifact_type: str = ""


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """What a tag points to; ``digest`` is of its own bytes. An index has ``manifests`` in place of layers."""

    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    media_type: str = ""
    artifact_type: str = ""
    annotations: dict[str, str] | None = None
    digest: str = ""


def registry_url(address: str, *, plain_http: bool = False) -> tuple[str, str]:
    """The registry's address and the repository's name: ``oci://ghcr.io/team/shop`` is ``https://ghcr.io`` and ``team/shop``."""
    text = address.removeprefix("oci://").strip("/")
    host, _, name = text.partition("/")
    if "://" in text or not host:
        raise RefusedError(f"The address {address!r} is not one of an OCI registry", hint="write oci://host/repository")
    there = place(f"{'http' if plain_http else 'https'}://{_HUB.get(host, host)}")
    if name and not _NAME.fullmatch(name):
        raise RefusedError(f"The address {address!r} has no valid repository name", hint="names are in lower case")
    return there.url, name


def is_reference(text: str) -> bool:
    """Whether a tag or a digest may be written like this."""
    return bool(_TAG.fullmatch(text)) or text.startswith(("sha256:", "sha512:"))


class OciRepository:
    """The repository at ``address`` (``oci://`` or not), as one set of credentials sees it."""

    def __init__(self, address: str, access: Access, *, web: Web, base: str, name: str) -> None:
        self.address = address
        self._what = f"The OCI repository {address}"
        self._access = access
        self._web = web
        self._base = f"{base}/v2/{name}/"
        self._name = name
        self._token = ""
        self._token_ends = 0.0
        self._basic = False
        self._signing_in = asyncio.Lock()

    async def tags(self) -> list[str]:
        """All tags, of however many pages. Raises a :class:`homeostat.desired.sources.errors.SourceError`."""
        found: list[str] = []
        url = urljoin(self._base, f"tags/list?n={_PAGE}")
        seen = set[str]()
        while url not in seen:
            seen.add(url)
            answer = await self._get(url, limit=_MAX_MANIFEST)
            body = self._json(answer, url)
            found += [tag for tag in body.get("tags") or () if isinstance(tag, str)]
            if len(found) > _MAX_TAGS:
                raise RefusedError(f"{self._what} has more than {_MAX_TAGS} tags")
            following = _LINK.search(answer.headers.get("Link", ""))
            if following is None:
                break
            url = self._next_page(url, following[1], "its tags")
        return found

    async def manifest(self, reference: str) -> Manifest:
        """The manifest of a tag or a digest. Raises :class:`RevisionMissingError` when there is none."""
        by_digest = ":" in reference
        if by_digest:
            checked_digest(reference, self._what)
        elif not _TAG.fullmatch(reference):
            raise RefusedError(f"{self._what} cannot have a tag {reference!r}")
        url = urljoin(self._base, f"manifests/{reference}")
        answer = await self._get(url, limit=_MAX_MANIFEST, accept=frozenset({200, 404}), headers=_ACCEPT)
        if answer.status == 404:
            raise RevisionMissingError(f"{self._what} has no {'digest' if by_digest else 'tag'} {reference}", hint="check `targetRevision`")
        claimed = reference if by_digest else answer.headers.get("Docker-Content-Digest", "")
        digest = checked_digest(claimed, self._what) if claimed else digest_of(answer.body)
        verified(answer.body, digest, f"{self._what}: the manifest {reference}")
        return msgspec.structs.replace(self._decoded(answer.body, f"the manifest {reference}"), digest=digest)

    async def referrers(self, digest: str) -> list[Descriptor]:
        """The manifests that say that they are about the one of this digest, signatures for example: from the registry's API, or where it has
        none, from the index that clients keep under a tag in its place.
        """
        found: list[Descriptor] = []
        url = urljoin(self._base, f"referrers/{checked_digest(digest, self._what)}")
        seen = set[str]()
        while url not in seen:
            seen.add(url)
            answer = await self._get(url, limit=_MAX_MANIFEST, accept=frozenset({200, 404, 405}), headers=_ACCEPT)
            if answer.status != HTTPStatus.OK:
                break
            found += self._decoded(answer.body, f"the referrers of {digest}").manifests
            if len(found) > _MAX_REFERRERS:
                raise RefusedError(f"{self._what}: {digest} has more than {_MAX_REFERRERS} referrers")
            following = _LINK.search(answer.headers.get("Link", ""))
            if following is None:
                return found
            url = self._next_page(url, following[1], f"the referrers of {digest}")
        if not found:
            with contextlib.suppress(RevisionMissingError):
                found += (await self.manifest(digest.replace(":", "-", 1))).manifests
        return found

    def _decoded(self, body: bytes, what: str) -> Manifest:
        try:
            manifest = msgspec.json.decode(body, type=Manifest)
        except msgspec.DecodeError as error:
            raise FetchFailedError(f"{self._what}: {what} cannot be read ({error})") from error
        for part in (*manifest.layers, *manifest.manifests, *((manifest.config,) if manifest.config else ())):
            checked_digest(part.digest, self._what)
        return manifest

    def _next_page(self, url: str, link: str, what: str) -> str:
        url = urljoin(url, link)
        if place(url).origin != place(self._base).origin:
            raise RefusedError(f"{self._what} lists {what} on another server ({place(url).origin})")
        return url

    async def blob(self, part: Descriptor, *, limit: int) -> bytes:
        """The bytes behind a descriptor, of the size and the digest that it says."""
        if part.size > limit or part.size < 0:
            raise RefusedError(f"{self._what}: {part.digest} has {part.size} bytes, and the limit is {limit}")
        answer = await self._get(urljoin(self._base, f"blobs/{part.digest}"), limit=part.size)
        return await asyncio.to_thread(verified, answer.body, part.digest, f"{self._what}: {part.digest}")

    async def _get(
        self, url: str, *, limit: int, accept: frozenset[int] = frozenset({200}), headers: Mapping[str, str] | None = None
    ) -> Answer:
        sent = self._authorization()
        answer = await self._send(url, limit, accept | {401}, headers, sent)
        if answer.status == 401:
            async with self._signing_in:
                if self._authorization() in {"", sent}:  # nobody else has signed in meanwhile
                    await self._sign_in(answer)
            answer = await self._send(url, limit, accept, headers, self._authorization())
        return answer

    async def _send(self, url: str, limit: int, accept: frozenset[int], headers: Mapping[str, str] | None, authorization: str) -> Answer:
        return await self._web.get(
            url, access=self._access, what=self._what, limit=limit, headers=headers, authorization=authorization, accept=accept
        )

    def _authorization(self) -> str:
        if self._access.credentials.bearer_token:
            return f"Bearer {self._access.credentials.bearer_token}"
        if self._basic:
            return self._access.basic
        return f"Bearer {self._token}" if self._token and time.monotonic() < self._token_ends else ""

    async def _sign_in(self, answer: Answer) -> None:
        """As the ``WWW-Authenticate`` of a 401 asks."""
        for challenge in answer.headers.getall("WWW-Authenticate", []):
            scheme, _, rest = challenge.partition(" ")
            if scheme.lower() == "basic" and self._access.basic and not self._basic:
                self._basic = True
                return
            if scheme.lower() == "bearer" and not self._access.credentials.bearer_token:
                await self._fetch_token(dict(_CHALLENGE.findall(rest)))
                return
        raise UnauthorisedError(
            f"{self._what} cannot be read: the registry refused the sign-in", hint="check the repository Secret of this address"
        )

    async def _fetch_token(self, challenge: Mapping[str, str]) -> None:
        realm = place(urljoin(self._base, challenge.get("realm", "")))
        if realm.scheme != "https" and self._base.startswith("https:"):
            raise RefusedError(f"{self._what} cannot be read: its registry asks to sign in over plain http ({realm.origin})")
        asked = {"scope": challenge.get("scope") or f"repository:{self._name}:pull"}
        if challenge.get("service"):
            asked["service"] = challenge["service"]
        parts = urlsplit(realm.url)
        url = urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(asked))))))
        access = Access(realm.origin, self._access.credentials)
        answer = await self._web.get(url, access=access, what=self._what, limit=1024 * 1024, authorization=access.basic)
        body = self._json(answer, realm.url)
        token = body.get("token") or body.get("access_token")
        if not isinstance(token, str) or not token:
            raise UnauthorisedError(f"{self._what} cannot be read: {realm.origin} hands out no token")
        lasts = body.get("expires_in")
        self._token = token
        self._token_ends = time.monotonic() + (lasts if isinstance(lasts, int) and lasts > 0 else 60) * 0.9

    def _json(self, answer: Answer, url: str) -> dict[str, Any]:
        try:
            body = orjson.loads(answer.body)
        except orjson.JSONDecodeError as error:
            raise FetchFailedError(f"{self._what} cannot be read: {urlsplit(url).netloc} does not answer as registries do") from error
        return body if isinstance(body, dict) else {}
