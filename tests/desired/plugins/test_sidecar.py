"""Plugins that are sidecars, over gRPC on a real socket. The server here does what argocd-cmp-server does with what it is sent."""

from __future__ import annotations

import asyncio
import hashlib
import io
import tarfile
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import grpc.aio
import pytest

from homeostat.desired.errors import RenderError, RenderNotSupportedError, RenderStoppedError
from homeostat.desired.plugins import wire
from homeostat.desired.plugins.plugins import Plugins
from homeostat.desired.plugins.sidecar import Sidecar
from homeostat.desired.render.renderer import Rendered, Renderer
from homeostat.model.app import Source
from tests import evaluators
from tests.desired.plugins.helpers import CONFIG_MAP, context, definition, job, source
from tests.evaluators import Link, MemoryTree

# Messages as Google's own library for protobuf writes them from Argo CD's definitions.
_METADATA = bytes.fromhex("0a1a0a0473686f7012036170701a02616220ac022a060a0141120162")
_CHUNK = bytes.fromhex("12050a0378797a")
_MANIFESTS = bytes.fromhex("0a04613a20310a04623a2032120178")
_ANNOUNCED = bytes.fromhex("0a310a016e1201741a02747420012a06737472696e6732036d61703a01734201614201624a060a016b1201764a050a00120177")
_YES, _NO = b"\x08\x01", b""


def test_messages_are_those_of_protobuf() -> None:
    assert wire.metadata(app_name="shop", folder="app", checksum="ab", size=300, environment={"A": "b"}) == _METADATA
    assert wire.chunk(b"xyz") == _CHUNK
    assert wire.manifests(_MANIFESTS) == ["a: 1", "b: 2"]
    assert wire.flags(b"\x08\x01\x10\x01") == (True, True)
    assert wire.flags(b"") == (False, False)
    assert wire.announcements(_ANNOUNCED) == [
        {
            "name": "n", "title": "t", "tooltip": "tt", "required": True, "itemType": "string", "collectionType": "map", "string": "s",
            "array": ["a", "b"], "map": {"k": "v", "": "w"},
        }
    ]  # fmt: skip


def test_unknown_fields_are_passed_over() -> None:
    assert wire.manifests(b"\x98\x06\x05" + b"\x25\0\0\0\0" + b"\x29\0\0\0\0\0\0\0\0" + _MANIFESTS) == ["a: 1", "b: 2"]


@pytest.mark.parametrize("message", [b"\x0a", b"\x0a\x05a", b"\x0a\x01\xff", b"\x08\x01", b"\x0b", b"\xff" * 12])
def test_what_is_no_message_is_an_error(message: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.manifests(message)


class Sent(NamedTuple):
    """What a stream held: the files by name (links by ``->`` and their target), and the variables."""

    folder: str
    files: dict[str, str]
    environment: dict[str, str]


class Server:
    """Answers as it is told; ``sent`` is what it was asked about."""

    def __init__(self) -> None:
        self.configuration = _YES
        self.matches = _YES
        self.manifests: list[str] = [CONFIG_MAP]
        self.fails: tuple[grpc.StatusCode, str] | None = None
        self.sent: list[Sent] = []

    async def check(self, request: bytes, _context: object) -> bytes:
        assert request == b""
        return self.configuration

    async def match(self, requests: AsyncIterator[bytes], _context: object) -> bytes:
        self.sent.append(await _received(requests))
        return self.matches

    async def generate(self, requests: AsyncIterator[bytes], about: Any) -> bytes:
        self.sent.append(await _received(requests))
        if self.fails is not None:
            await about.abort(*self.fails)
        return b"".join(wire._bytes(1, manifest.encode()) for manifest in self.manifests)

    async def parameters(self, requests: AsyncIterator[bytes], _context: object) -> bytes:
        self.sent.append(await _received(requests))
        return _ANNOUNCED


async def _received(requests: AsyncIterator[bytes]) -> Sent:
    messages = [message async for message in requests]
    [(number, about)] = wire._fields(messages[0])
    assert number == 1
    fields = list(wire._fields(wire._raw(about)))
    told = dict(fields)
    archive = b"".join(wire._raw(dict(wire._fields(wire._raw(dict(wire._fields(message))[2])))[1]) for message in messages[1:])
    assert hashlib.sha256(archive).hexdigest() == wire._str(told[3])
    assert len(archive) == told[4]
    entries = [dict(wire._fields(wire._raw(value))) for number, value in fields if number == 5]
    files = {}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isreg() else None
            files[member.name] = content.read().decode() if content else f"-> {member.linkname}" if member.issym() else "/"
    return Sent(wire._str(told[2]), files, {wire._str(entry[1]): wire._str(entry[2]) for entry in entries})


@pytest.fixture
def sockets() -> Any:
    # A socket's path is short by the system's limits.
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@asynccontextmanager
async def _serving(socket: Path) -> AsyncIterator[Server]:
    told = Server()
    methods: dict[str, Callable[..., Awaitable[bytes]]] = {
        "MatchRepository": told.match,
        "GenerateManifest": told.generate,
        "GetParametersAnnouncement": told.parameters,
    }
    handlers = {name: grpc.stream_unary_rpc_method_handler(method) for name, method in methods.items()}
    handlers["CheckPluginConfiguration"] = grpc.unary_unary_rpc_method_handler(told.check)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("plugin.ConfigManagementPluginService", handlers),))
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    try:
        yield told
    finally:
        await server.stop(None)


async def _render(sockets: Path, asked: Source, tree: MemoryTree) -> Rendered:
    async with evaluators.pool() as pool:
        renderer = Renderer(pool=pool, plugins=Plugins([definition("exit 1", name="zzz", discover={"fileName": "*"})], sockets=sockets))
        return await renderer.render(source=asked, tree=tree, context=context())


_TREE = MemoryTree(
    {
        "app/a.txt": "mine",
        "app/to": Link("../base/b.txt"),
        "app/out": Link("/etc/passwd"),
        "app/none": Link("nothing"),
        "base/b.txt": "x" * 3_000_000,
    }
)


async def test_a_sidecar_is_sent_the_repository_and_renders(sockets: Path) -> None:
    async with _serving(sockets / "avp-v1.sock") as server:
        server.manifests = [CONFIG_MAP, CONFIG_MAP.replace("made", "second")]
        rendered = await _render(sockets, source(name="avp-v1", env=[{"name": "A", "value": "b"}]), _TREE)
    assert [manifest.object["metadata"]["name"] for manifest in rendered.manifests] == ["made", "second"]
    assert rendered.source_type == "Plugin"
    matched, generated = server.sent
    assert matched == generated
    assert generated.folder == "app"
    assert list(generated.files)[-1] == "app/to", "a link comes after what it leads to"
    assert generated.files == {"app": "/", "base": "/", "app/a.txt": "mine", "app/to": "-> ../base/b.txt", "base/b.txt": "x" * 3_000_000}
    assert generated.environment["ARGOCD_ENV_A"] == "b"
    assert generated.environment["ARGOCD_APP_NAME"] == "shop"


async def test_a_sidecar_that_says_yes_is_discovered(sockets: Path) -> None:
    async with _serving(sockets / "a.sock") as no, _serving(sockets / "b.sock") as yes, _serving(sockets / "c.sock") as later:
        no.matches = _NO
        rendered = await _render(sockets, Source(repo_url="r", path="app"), _TREE)
    assert rendered.source_type == "Plugin"
    assert (len(no.sent), len(yes.sent), len(later.sent)) == (1, 2, 0)


async def test_a_sidecar_without_discovery_serves_those_who_name_it(sockets: Path) -> None:
    async with _serving(sockets / "a.sock") as server:
        server.configuration = _NO
        assert (await _render(sockets, source(name="a"), _TREE)).source_type == "Plugin"
        assert len(server.sent) == 1
        with pytest.raises(RenderError, match="plugin zzz: generate failed"):
            await _render(sockets, source(), _TREE)


async def test_what_a_sidecar_says_of_a_failure_is_told_without_secrets(sockets: Path) -> None:
    async with _serving(sockets / "a.sock") as server:
        server.fails = (grpc.StatusCode.UNKNOWN, "error generating manifests: `sh` failed exit status 1: token=hunter2 no such vault")
        with pytest.raises(RenderStoppedError, match="plugin a: error generating manifests") as caught:
            await _render(sockets, source(name="a"), _TREE)
    assert "no such vault" in caught.value.message
    assert "hunter2" not in caught.value.message


async def test_a_sidecar_that_is_gone_is_told_and_nothing_else_renders_in_its_place(sockets: Path) -> None:
    async with _serving(sockets / "a.sock"):
        (sockets / "a.sock").rename(sockets / "b.sock")
    with pytest.raises(RenderStoppedError, match="plugin b: nobody answers at"):
        await _render(sockets, Source(repo_url="r", path="app"), MemoryTree({"app/a.yaml": CONFIG_MAP}))


async def test_a_sidecar_that_wants_credentials_is_refused(sockets: Path) -> None:
    async with _serving(sockets / "a.sock") as server:
        server.configuration = b"\x10\x01"
        with pytest.raises(RenderNotSupportedError, match="provideGitCreds"):
            await _render(sockets, source(name="a"), _TREE)


async def test_a_sidecar_announces_its_parameters(sockets: Path) -> None:
    async with _serving(sockets / "a.sock"):
        [announced] = await Sidecar(sockets / "a.sock", places=asyncio.Semaphore(1)).parameters(job())
    assert announced["name"] == "n"


async def test_a_folder_of_sockets_may_hold_other_things_or_not_be_there(sockets: Path) -> None:
    (sockets / "file.sock").write_text("no socket")
    plain = MemoryTree({"app/a.yaml": CONFIG_MAP})
    for folder in (sockets, sockets / "missing"):
        async with evaluators.pool() as pool:
            renderer = Renderer(pool=pool, plugins=Plugins(sockets=folder))
            rendered = await renderer.render(source=Source(repo_url="r", path="app"), tree=plain, context=context())
        assert rendered.source_type == "Directory"
