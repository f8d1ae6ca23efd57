"""Buckets of a real S3 server that looks at signatures (moto), and of servers that do harm."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from html import escape
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import web
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from homeostat.desired.sources.buckets import Bucket, BucketLimits, BucketSources
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import (
    ArchiveError,
    FetchFailedError,
    LyingError,
    RefusedError,
    RepositoryMissingError,
    RevisionMissingError,
    SourceError,
    UnauthorisedError,
)
from homeostat.desired.sources.s3 import S3, sign
from homeostat.desired.sources.web import Web
from homeostat.model.errors import NotSupportedError
from tests.desired.sources.buckets import Storage, storage

FILES = {"apps/web/map.yaml": "web", "apps/api/map.yaml": "api", "a b+c=ü&?#.yaml": "odd", "readme.md": "hello"}


@pytest.fixture(scope="module")
def there() -> Iterator[Storage]:
    with storage() as running:
        yield running


@pytest.fixture
def bucket(there: Storage) -> Bucket:
    """One of its own for each test."""
    name = f"apps-{uuid4().hex}"
    there.fill(name, FILES)
    return Bucket(name, there.address, insecure=True, credentials=Credentials(username=there.access_key, password=there.secret_key))


@pytest.fixture
def open_to_all() -> Iterator[Storage]:
    with storage(signed=False) as running:
        yield running


class CountingWeb(Web):
    """Knows the paths that it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def get(self, url: str, **about: object) -> object:  # type: ignore[override]
        self.asked.append(url.partition("://")[2].partition("/")[2])
        return await super().get(url, **about)  # type: ignore[arg-type]


@pytest.fixture
async def counting() -> AsyncIterator[CountingWeb]:
    async with CountingWeb() as counting:
        yield counting


@pytest.fixture
def buckets(tmp_path: Path, counting: CountingWeb) -> BucketSources:
    return BucketSources(tmp_path / "buckets", web=counting)


async def test_a_bucket_is_a_tree_of_its_objects(bucket: Bucket, buckets: BucketSources) -> None:
    revision = await buckets.resolve(bucket)
    tree = await buckets.tree(bucket, revision)
    assert {path: (tree.read(path) or b"").decode() for path in FILES} == FILES
    etags = sorted(f"{key} {hashlib.md5(text.encode()).hexdigest()}\n" for key, text in FILES.items())
    assert revision == "sha256:" + hashlib.sha256("".join(etags).encode()).hexdigest()  # as Flux has it
    below = replace(bucket, prefix="apps/")
    tree = await buckets.tree(below, await buckets.resolve(below))
    assert [entry.name for entry in tree.list("") or ()] == ["apps"]


async def test_what_has_not_changed_is_not_fetched_again(tmp_path: Path, there: Storage, bucket: Bucket, counting: CountingWeb) -> None:
    buckets = BucketSources(tmp_path / "buckets", web=counting, limits=BucketLimits(in_memory=0))
    old = await buckets.resolve(bucket)
    before = await buckets.tree(bucket, old)
    assert not await buckets.poll(bucket)
    await asyncio.to_thread(there.fill, bucket.name, {"apps/web/map.yaml": "changed", "readme.md": None, "new.yaml": "new"})
    assert await buckets.resolve(bucket) == old
    counting.asked.clear()
    assert await buckets.poll(bucket)
    assert [path for path in counting.asked if "?" not in path] == [f"{bucket.name}/apps/web/map.yaml", f"{bucket.name}/new.yaml"]
    after = await buckets.tree(bucket, await buckets.resolve(bucket))
    assert after.changed_since(before) == {"/", "apps/web/map.yaml", "readme.md", "new.yaml"}
    assert await buckets.tree(bucket, old) is before  # while somebody holds it
    del before
    with pytest.raises(RevisionMissingError, match="holds another revision"):
        await buckets.tree(bucket, old)
    counting.asked.clear()
    later = BucketSources(tmp_path / "buckets", web=counting)
    assert (await later.tree(bucket, await later.resolve(bucket))).id == after.id
    assert all("?" in path for path in counting.asked)
    (kept,) = (tmp_path / "buckets").iterdir()
    kept.write_bytes(kept.read_bytes().replace(b"changed", b"planted"))
    third = BucketSources(tmp_path / "buckets", web=counting)
    assert (await third.tree(bucket, await third.resolve(bucket))).read("apps/web/map.yaml") == b"changed"


async def test_a_long_list_comes_in_pages(there: Storage, bucket: Bucket, buckets: BucketSources, counting: CountingWeb) -> None:
    await asyncio.to_thread(there.fill, "long", {f"{number:02}.yaml": "" for number in range(25)})
    long = replace(bucket, name="long", ignore="/1*\n!/19.yaml\n")
    tree = await buckets.tree(long, await buckets.resolve(long))
    assert len(tree.list("") or ()) == 16
    assert sum("list-type=2" in path for path in counting.asked) == 3
    with pytest.raises(RefusedError, match="more than 12 objects"):
        await BucketSources(Path("/nowhere"), web=counting, limits=BucketLimits(listed=12)).resolve(long)


async def test_what_is_ignored_stays_out(there: Storage, bucket: Bucket, buckets: BucketSources) -> None:
    await asyncio.to_thread(there.fill, bucket.name, {".sourceignore": "# no docs\n*.md\n/apps/api/\n", "logo.png": "p", "folder/": ""})
    ignoring = replace(bucket, ignore="a b*")
    tree = await buckets.tree(ignoring, await buckets.resolve(ignoring))
    assert set(tree._digests()) == {"/", "apps", "apps/", "apps/web", "apps/web/", "apps/web/map.yaml", "logo.png"}
    below = replace(bucket, prefix="apps/")
    tree = await buckets.tree(below, await buckets.resolve(below))
    assert set(tree._digests()) == {"/", "apps", "apps/", "apps/web", "apps/web/", "apps/web/map.yaml"}


async def test_credentials_that_do_not_fit_are_told_from_a_bucket_that_is_not_there(bucket: Bucket, buckets: BucketSources) -> None:
    wrong = replace(bucket, credentials=replace(bucket.credentials, password="planted-secret"))
    with pytest.raises(UnauthorisedError, match="the secret key is not the one of this access key") as refused:
        await buckets.resolve(wrong)
    assert "planted-secret" not in f"{refused.value!r} {refused.value} {refused.value.hint} {wrong!r}"
    with pytest.raises(UnauthorisedError, match="the access key is not known"):
        await buckets.resolve(replace(bucket, credentials=Credentials(username="nobody", password="x")))
    with pytest.raises(RepositoryMissingError, match="no such bucket"):
        await buckets.resolve(replace(bucket, name="nothing-here"))


async def test_a_public_bucket_is_read_without_a_name(buckets: BucketSources, open_to_all: Storage) -> None:
    await asyncio.to_thread(open_to_all.fill, "public", FILES, acl="public-read")
    public = Bucket("public", open_to_all.address, insecure=True)
    assert (await buckets.tree(public, await buckets.resolve(public))).read("readme.md") == b"hello"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"endpoint": "https://s3.example"}, "the endpoint is no host"),
        ({"endpoint": "user@s3.example"}, "the endpoint is no host"),
        ({"name": "../etc"}, "no bucket of such a name"),
        ({"region": "x.evil.example/"}, "there is no region"),
        ({"endpoint": "169.254.169.254"}, "hand out credentials"),
        ({"provider": "azure"}, "Azure's Blob storage is not supported"),
        ({"provider": "aws"}, "the identity of a workload is not used"),
        ({"provider": "ftp"}, "there is no provider 'ftp'"),
    ],
)
async def test_what_cannot_be_asked_is_refused(buckets: BucketSources, change: dict[str, str], error: str) -> None:
    with pytest.raises((SourceError, NotSupportedError), match=error):
        await buckets.resolve(replace(Bucket("team-apps", "s3.example"), **change))  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/apps/", "/b/a%20b%2Bc%3D%C3%BC%26%3F%23.yaml", "/b?encoding-type=url&list-type=2&prefix=a%2Fb%20c%2A"])
@pytest.mark.parametrize("token", ["", "session"])
def test_signatures_are_those_of_the_vendor(path: str, token: str) -> None:
    url, now = f"https://bucket.s3.eu-west-1.amazonaws.com:8443{path}", dt.datetime.now(dt.UTC)
    asked = AWSRequest("GET", url)
    S3SigV4Auth(BotoCredentials("key", "secret", token or None), "s3", "eu-west-1").add_auth(asked)
    headers = {name.lower(): value for name, value in asked.headers.items() if name.lower().startswith("x-amz-")}
    assert headers["x-amz-date"][:8] in {f"{now:%Y%m%d}", f"{now + dt.timedelta(seconds=5):%Y%m%d}"}
    assert sign(url, headers, access_key="key", secret_key="secret", region="eu-west-1") == asked.headers["Authorization"]


@pytest.mark.parametrize(
    ("endpoint", "region", "name", "base"),
    [
        ("s3.amazonaws.com", "", "apps", "https://apps.s3.amazonaws.com"),
        ("s3.amazonaws.com:443", "eu-west-1", "apps", "https://apps.s3.eu-west-1.amazonaws.com"),
        ("s3.amazonaws.com", "eu-west-1", "my.apps", "https://s3.eu-west-1.amazonaws.com/my.apps"),
        ("storage.googleapis.com", "", "apps", "https://apps.storage.googleapis.com"),
        ("minio.example:9000", "", "apps", "https://minio.example:9000/apps"),
        ("amazonaws.com.evil.example", "", "apps", "https://amazonaws.com.evil.example/apps"),
    ],
)
def test_the_bucket_is_in_the_name_of_the_host_where_it_must_be(
    counting: CountingWeb, endpoint: str, region: str, name: str, base: str
) -> None:
    assert S3(name, endpoint, web=counting, credentials=Credentials(), region=region)._base == base


def listing(*objects: tuple[str, int], etag: str = "e", more: str = "") -> web.Response:
    contents = "".join(
        f"<Contents><Key>{escape(key)}</Key><ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size></Contents>" for key, size in objects
    )
    return web.Response(
        text=f'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{more}{contents}</ListBucketResult>'
    )


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><ListBucketResult><Name>&b;</Name></ListBucketResult>'


async def answered(
    tmp_path: Path, transfers: Web, answer: Callable[[web.Request], web.Response], **more: object
) -> tuple[str, list[web.Request]]:
    """What comes of asking a server that answers like this, and what it was asked."""
    seen: list[web.Request] = []

    async def serve(request: web.Request) -> web.Response:
        seen.append(request)
        return answer(request)

    app = web.Application()
    app.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        bucket = Bucket(
            "apps", f"127.0.0.1:{runner.addresses[0][1]}", insecure=True, credentials=Credentials(username="key", password="secret")
        )
        sources = BucketSources(tmp_path / "buckets", web=transfers, **more)  # type: ignore[arg-type]
        try:
            return await sources.resolve(bucket), seen
        except (SourceError, NotSupportedError) as error:
            return f"{type(error).__name__}: {error}", seen
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("objects", "error"),
    [
        pytest.param([("../../etc/passwd", 1)], "'../../etc/passwd' is no path", id="out of the bucket"),
        pytest.param([("/etc/passwd", 1)], "'/etc/passwd' is no path", id="absolute"),
        pytest.param([("a//b", 1)], "'a//b' is no path", id="a folder without a name"),
        pytest.param([("a\\b", 1)], "is no path", id="a backslash"),
        pytest.param([("a", 1), ("a/b", 1)], "'a' is both a file and a folder", id="file and folder"),
        pytest.param([("a", 1 << 40)], "'a' has 1099511627776 bytes", id="a terabyte"),
        pytest.param([("a", -1)], "'a' has -1 bytes", id="a negative size"),
        pytest.param([(f"{n}", 60 << 20) for n in range(5)], "its objects have 314572800 bytes", id="too much together"),
        pytest.param([(f"{n}", 0) for n in range(20_001)], "it has 20001 objects", id="too many"),
    ],
)
async def test_a_list_that_does_harm_is_refused(tmp_path: Path, transfers: Web, objects: list[tuple[str, int]], error: str) -> None:
    said, seen = await answered(tmp_path, transfers, lambda _: listing(*objects))
    assert said.startswith(ArchiveError.__name__)
    assert error in said
    assert len(seen) == 1


async def test_a_server_that_lies_is_caught(tmp_path: Path, transfers: Web) -> None:
    async def said(answer: Callable[[web.Request], web.Response]) -> str:
        return (await answered(tmp_path, transfers, answer))[0]

    def serving(body: bytes, etag: str) -> Callable[[web.Request], web.Response]:
        return lambda request: listing(("a", 3)) if request.query_string else web.Response(body=body, headers={"ETag": f'"{etag}"'})

    assert (await said(serving(b"abc", "e"))).startswith("sha256:")
    assert (await said(serving(b"abcd", "e"))).startswith(LyingError.__name__)
    assert (await said(serving(bytes(100_000), "e"))).startswith(RefusedError.__name__)
    assert "'a' has changed while it was read" in await said(serving(b"abc", "f"))
    assert (await said(lambda _: web.Response(text=BOMB))).startswith(FetchFailedError.__name__)
    assert "list of objects is none" in await said(lambda _: web.Response(text="<html>"))
    endless = "<IsTruncated>true</IsTruncated><NextContinuationToken>same</NextContinuationToken>"
    assert "its list has no end" in await said(lambda _: listing(("a", 3), more=endless))
    assert "sends to 169.254.169.254" in await said(lambda _: web.Response(status=307, headers={"Location": "http://169.254.169.254/x"}))


async def test_an_object_that_changes_between_list_and_fetch_is_listed_again(tmp_path: Path, transfers: Web) -> None:
    etags = iter(["old", "new"])

    def answer(request: web.Request) -> web.Response:
        if request.query_string:
            return listing(("a", 3), etag=next(etags))
        if request.headers["If-Match"] != '"new"':
            return web.Response(status=412, text="<Error><Code>PreconditionFailed</Code></Error>")
        return web.Response(text="abc", headers={"ETag": '"new"'})

    said, seen = await answered(tmp_path, transfers, answer)
    assert said == "sha256:" + hashlib.sha256(b"a new\n").hexdigest()
    assert len(seen) == 4


async def test_a_bucket_in_another_region_is_asked_there(tmp_path: Path, transfers: Web) -> None:
    def answer(request: web.Request) -> web.Response:
        if "/eu-central-1/s3/" in request.headers["Authorization"]:
            return listing()
        return web.Response(status=400, text="<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-central-1</Region></Error>")

    said, seen = await answered(tmp_path, transfers, answer)
    assert said == "sha256:" + hashlib.sha256(b"").hexdigest()
    assert len(seen) == 2
    evil = web.Response(status=301, headers={"x-amz-bucket-region": "evil.example/#"})
    assert "RefusedError" in (await answered(tmp_path, transfers, lambda _: web.Response(status=301, headers=evil.headers)))[0]
