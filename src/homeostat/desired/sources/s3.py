"""One bucket by the protocol of S3, as far as reading goes: what is in it, and the objects. AWS, MinIO and most others speak it, and Google's XML API.

Requests are signed (AWS Signature Version 4), carry a token of Google's, or go without a name (anonymous). Redirects are not followed: a signature is
for one host. A bucket that lives in another region than was said tells so, and is asked again there. What the objects are is not known here.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote, unquote, urlencode, urlsplit
from xml.etree import ElementTree as ET

from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import (
    FetchFailedError,
    LyingError,
    RefusedError,
    RepositoryMissingError,
    RevisionMissingError,
    UnauthorisedError,
)
from homeostat.desired.sources.web import Access, Answer, Web, place

_EMPTY = hashlib.sha256(b"").hexdigest()
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}", re.IGNORECASE)
_VIRTUAL = (".amazonaws.com", ".amazonaws.com.cn", ".aliyuncs.com", "storage.googleapis.com")
_ACCEPT = frozenset({200, 301, 302, 307, 308, 400, 401, 403, 404, 412})
_MAX_PAGE = 8 * 1024 * 1024
_MAX_PAGES = 1000


class Object(NamedTuple):
    """``etag`` is another one whenever the content is. ``size`` is in bytes."""

    key: str
    etag: str
    size: int


class ChangedError(FetchFailedError):
    """An object is gone, or another one than in the list."""


class S3:
    """The bucket ``name`` at ``endpoint`` (a host, with a port if need be). An access key is the credentials' user name, a secret key the password."""

    def __init__(
        self,
        name: str,
        endpoint: str,
        *,
        web: Web,
        credentials: Credentials,
        region: str = "",
        session_token: str = "",
        insecure: bool = False,
    ) -> None:
        self.what = f"The bucket {name} at {endpoint}"
        if not _BUCKET.fullmatch(name) or ".." in name:
            raise RefusedError(f"{self.what} cannot be read: there is no bucket of such a name")
        if "/" in endpoint or "@" in endpoint or "?" in endpoint or "#" in endpoint:
            raise RefusedError(f"{self.what} cannot be read: the endpoint is no host", hint="write host or host:port, without https://")
        if region and not _REGION.fullmatch(region):
            raise RefusedError(f"{self.what} cannot be read: there is no region {region[:100]!r}")
        self._name = name
        self._endpoint = endpoint
        self._scheme = "http" if insecure else "https"
        self._web = web
        self._credentials = credentials
        self._session_token = session_token
        self._region = region or "us-east-1"
        self._base, self._access = self._addressed()

    async def objects(self, prefix: str, *, most: int) -> list[Object]:
        """All objects whose keys begin with ``prefix``. More than ``most`` of them are an error."""
        found: list[Object] = []
        google = self._endpoint.endswith("storage.googleapis.com")
        query = {"encoding-type": "url", "prefix": prefix} | ({} if google else {"list-type": "2"})
        for _ in range(_MAX_PAGES):
            answer = await self._get("", query, limit=_MAX_PAGE)
            page, more, following = await asyncio.to_thread(self._page, answer.body)
            found += page
            if len(found) > most:
                raise RefusedError(f"{self.what} has more than {most} objects below {prefix!r}", hint="set a longer `prefix`")
            if not more:
                return found
            name = "marker" if google else "continuation-token"
            following = following or (page[-1].key if google and page else "")
            if not following or query.get(name) == following:
                break
            query[name] = following
        raise FetchFailedError(f"{self.what} cannot be read: its list has no end")

    async def get(self, found: Object) -> bytes:
        """The content of an object of the list. Raises :class:`ChangedError` when it is another one by now."""
        answer = await self._get(found.key, {}, limit=found.size, etag=found.etag)
        if answer.headers.get("ETag", "").strip('"') != found.etag:
            raise ChangedError(f"{self.what}: {found.key!r} has changed while it was read")
        if len(answer.body) != found.size:
            raise LyingError(f"{self.what}: {found.key!r} has {len(answer.body)} bytes, and {found.size} were announced")
        return answer.body

    async def find(self, key: str, *, limit: int) -> bytes | None:
        """The content of an object that may be there."""
        try:
            return (await self._get(key, {}, limit=limit)).body
        except RevisionMissingError:
            return None

    async def _get(self, key: str, query: Mapping[str, str], *, limit: int, etag: str = "") -> Answer:
        answer = await self._once(key, query, limit, etag)
        region = _region_of(answer)
        if region and region != self._region and _REGION.fullmatch(region):
            self._region = region
            self._base, self._access = self._addressed()
            answer = await self._once(key, query, limit, etag)
        if answer.status == HTTPStatus.OK:
            return answer
        raise self._refusal(answer, key)

    async def _once(self, key: str, query: Mapping[str, str], limit: int, etag: str) -> Answer:
        text = urlencode(sorted(query.items()), quote_via=quote, safe="-_.~")
        url = f"{self._base}/{quote(key, safe='/-_.~')}" + (f"?{text}" if text else "")
        headers, authorization = self._signed(url, dt.datetime.now(dt.UTC))
        if etag:
            headers["If-Match"] = f'"{etag}"'
        return await self._web.get(
            url,
            access=self._access,
            what=self.what,
            limit=max(limit, 64 * 1024),
            headers=headers,
            authorization=authorization,
            accept=_ACCEPT,
        )

    def _addressed(self) -> tuple[str, Access]:
        """The bucket is part of the host's name where it must be, and of the path elsewhere; AWS has a host for each region."""
        host = self._endpoint.removesuffix(":80" if self._scheme == "http" else ":443")  # as it will be sent, and so signed
        if host == "s3.amazonaws.com" and self._region != "us-east-1":
            host = f"s3.{self._region}.amazonaws.com"
        bare = host.partition(":")[0]
        virtual = bare.endswith(_VIRTUAL) and not ("." in self._name or "_" in self._name)
        there = place(f"{self._scheme}://{f'{self._name}.{host}' if virtual else host}")
        return there.url if virtual else f"{there.url}/{self._name}", Access(there.origin, self._credentials)

    def _signed(self, url: str, now: dt.datetime) -> tuple[dict[str, str], str]:
        credentials = self._credentials
        if credentials.bearer_token:
            return {}, f"Bearer {credentials.bearer_token}"
        if not credentials.username:
            return {}, ""
        headers = {"x-amz-content-sha256": _EMPTY, "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}"}
        if self._session_token:
            headers["x-amz-security-token"] = self._session_token
        return headers, sign(url, headers, access_key=credentials.username, secret_key=credentials.password, region=self._region)

    def _page(self, body: bytes) -> tuple[list[Object], bool, str]:
        try:
            if b"<!" in body.replace(b"<![CDATA[", b""):  # an answer has no use for a document type, and so none for entities that grow
                raise ET.ParseError("it has a document type")  # noqa: TRY301
            root = ET.fromstring(body)  # noqa: S314
            texts = {_name(node): node.text or "" for node in root}
            decode = unquote if texts.get("EncodingType") == "url" else str
            found = []
            for node in root:
                if _name(node) == "Contents":
                    parts = {_name(part): part.text or "" for part in node}
                    found.append(Object(decode(parts["Key"]), parts["ETag"].strip('"'), int(parts["Size"])))
        except (ET.ParseError, KeyError, ValueError) as error:
            raise FetchFailedError(f"{self.what} cannot be read: its list of objects is none ({error})") from error
        following = texts.get("NextContinuationToken") or decode(texts.get("NextMarker", ""))
        return found, texts.get("IsTruncated") == "true", following

    def _refusal(self, answer: Answer, key: str) -> Exception:
        code = _first(answer.body, "Code")
        said = f"{answer.status} {code}".strip()
        start = f"{self.what} cannot be read"
        if answer.status == HTTPStatus.PRECONDITION_FAILED:
            return ChangedError(f"{self.what}: {key!r} has changed while it was read")
        if answer.status == HTTPStatus.NOT_FOUND and key and code != "NoSuchBucket":
            return RevisionMissingError(f"{self.what} has no object {key!r}")
        if answer.status == HTTPStatus.NOT_FOUND:
            return RepositoryMissingError(f"{start}: there is no such bucket, or it is hidden from these credentials ({said})")
        if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            named = {
                "SignatureDoesNotMatch": "the secret key is not the one of this access key",
                "InvalidAccessKeyId": "the access key is not known",
                "RequestTimeTooSkewed": "the clocks differ by more than 15 minutes",
            }.get(code, "these credentials may not read it")
            return UnauthorisedError(f"{start}: {named} ({said})", hint="check `accesskey` and `secretkey`")
        if answer.status in {301, 302, 307, 308}:
            there = urlsplit(answer.headers.get("Location", "")).netloc.rpartition("@")[2] or _first(answer.body, "Endpoint")
            return RefusedError(f"{start}: the server sends to {there[:200] or 'another one'} ({said})", hint="use that as the endpoint")
        return FetchFailedError(f"{start}: the server answers {said}")


def sign(url: str, headers: Mapping[str, str], *, access_key: str, secret_key: str, region: str) -> str:
    """The ``Authorization`` of a GET without a body (AWS Signature Version 4). ``headers`` are those of ``x-amz-``, and ``url`` is as it is sent."""
    parts = urlsplit(url)
    signing = {"host": parts.netloc, **headers}
    names = ";".join(sorted(signing))
    canonical = "\n".join(
        [
            "GET",
            parts.path or "/",
            parts.query,
            *(f"{name}:{signing[name]}" for name in sorted(signing)),
            "",
            names,
            headers["x-amz-content-sha256"],
        ]
    )
    moment = headers["x-amz-date"]
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    key = b"AWS4" + secret_key.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    return f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}"


def _name(node: ET.Element) -> str:
    return node.tag.rpartition("}")[2]


def _first(body: bytes, name: str) -> str:
    """The text of an element in an error, which is only ever shown or compared."""
    found = re.search(rf"<{name}>([\w.:-]{{1,200}})</{name}>", body[:65536].decode(errors="replace"))
    return found[1] if found else ""


def _region_of(answer: Answer) -> str:
    if answer.status not in {301, 307, 400}:
        return ""
    return str(answer.headers.get("x-amz-bucket-region", "")) or _first(answer.body, "Region")
