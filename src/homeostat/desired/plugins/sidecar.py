"""A plugin that is a sidecar: Argo CD's ``argocd-cmp-server`` behind a socket in a shared folder, asked by its own protocol (gRPC).

The repository goes over as a compressed archive after a message that says what it is; the answer is one message. What the sidecar may use and reach is
its container's business. The library is loaded with the first sidecar.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import stat
import tarfile
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

from homeostat.desired.errors import RenderNotSupportedError, RenderStoppedError
from homeostat.desired.plugins import wire
from homeostat.desired.plugins.config import Shown
from homeostat.desired.plugins.files import Item, hand_over
from homeostat.desired.plugins.plugin import Job, Plugin, Reads
from homeostat.desired.plugins.run import said
from homeostat.model.tree import EntryKind

T = TypeVar("T")

_SERVICE = "/plugin.ConfigManagementPluginService/"
_SECONDS = 90.0
_ANSWER = 64 * 1024 * 1024
_CHUNK = 256 * 1024
_IN_MEMORY = 8 * 1024 * 1024
_SUFFIX = ".sock"


def sidecars(folder: Path, *, places: asyncio.Semaphore) -> list[Plugin]:
    """The sidecars that have a socket in ``folder`` now. ``places`` bounds how many archives there are side by side."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.endswith(_SUFFIX) and stat.S_ISSOCK(entry.stat().st_mode)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RenderStoppedError(f"the sockets of plugins in {folder} cannot be seen: {error.strerror}") from error
    return [Sidecar(folder / name, places=places) for name in names]


class Sidecar:
    """The plugin server behind ``socket``; its name is the socket's."""

    def __init__(self, socket: Path, *, places: asyncio.Semaphore) -> None:
        self._socket = socket
        self._places = places

    @property
    def name(self) -> str:
        return self._socket.name.removesuffix(_SUFFIX)

    @property
    def shown(self) -> Shown:
        return Shown.REPOSITORY

    async def discovers(self) -> bool:
        async with self._channel() as channel:
            method = channel.unary_unary(f"{_SERVICE}CheckPluginConfiguration")
            can_discover, wants_credentials = self._read(wire.flags, await self._answer(method(b"", timeout=_SECONDS)))
        if wants_credentials:
            raise RenderNotSupportedError(
                f"plugin {self.name}: spec.provideGitCreds: credentials are not given to plugins",
                hint="give the sidecar what it needs by a volume of its own",
            )
        return can_discover

    async def matches(self, job: Job, reads: Reads) -> bool:
        reads.shown(job, self.shown)
        matches, _ = await self._about(job, "MatchRepository", wire.flags)
        return matches

    async def generate(self, job: Job) -> str:
        return "\n---\n".join(await self._about(job, "GenerateManifest", wire.manifests))

    async def parameters(self, job: Job) -> list[dict[str, Any]]:
        return await self._about(job, "GetParametersAnnouncement", wire.announcements)

    async def _about(self, job: Job, method: str, read: Callable[[bytes], T]) -> T:
        """What the sidecar answers to a stream with the files of the job."""
        async with self._places, _archive(job) as archive, self._channel() as channel:
            call = channel.stream_unary(_SERVICE + method)
            return self._read(read, await self._answer(call(_messages(job, archive), timeout=_SECONDS)))

    async def _answer(self, call: Any) -> bytes:
        import grpc  # noqa: PLC0415 - see the module's docstring

        try:
            answer: bytes = await call
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise RenderStoppedError(
                    f"plugin {self.name}: nobody answers at {self._socket}", hint="look at its sidecar's log"
                ) from error
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise RenderStoppedError(f"plugin {self.name} was stopped: it took longer than {_SECONDS:g} s") from error
            told = said((error.details() or "").encode()) or error.code().name
            # What runs there may reach the network: the same files may do another time.
            raise RenderStoppedError(f"plugin {self.name}: {told}") from error
        return answer

    def _read(self, read: Callable[[bytes], T], answer: bytes) -> T:
        try:
            return read(answer)
        except wire.WireError as error:
            raise RenderStoppedError(f"plugin {self.name}: its answer is no message of Argo CD's: {error}") from error

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[Any]:
        import grpc.aio  # noqa: PLC0415 - see the module's docstring

        options = [("grpc.max_receive_message_length", _ANSWER), ("grpc.enable_http_proxy", 0), ("grpc.default_authority", "localhost")]
        async with grpc.aio.insecure_channel(f"unix:{self._socket}", options=options) as channel:
            yield channel


class _Archive(NamedTuple):
    file: IO[bytes]
    checksum: str
    size: int


@asynccontextmanager
async def _archive(job: Job) -> AsyncIterator[_Archive]:
    """The files of the job as ``.tar.gz``; a large one is on disk."""
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, prefix="homeostat-plugin-") as file:
        archive = await asyncio.to_thread(tarfile.open, fileobj=file, mode="w:gz", compresslevel=1)

        def add(items: Sequence[Item]) -> None:
            for item in items:
                archive.addfile(_header(item), io.BytesIO(item.content))

        await hand_over(job.tree, "", add)
        await asyncio.to_thread(archive.close)
        size = file.tell()
        yield _Archive(file, await asyncio.to_thread(_checksum, file), size)


def _header(item: Item) -> tarfile.TarInfo:
    header = tarfile.TarInfo(item.path)
    header.mode = 0o755 if item.executable or item.kind is EntryKind.DIRECTORY else 0o644
    if item.kind is EntryKind.DIRECTORY:
        header.type = tarfile.DIRTYPE
    elif item.kind is EntryKind.SYMLINK:
        header.type, header.linkname = tarfile.SYMTYPE, item.link
    header.size = len(item.content)
    return header


def _checksum(file: IO[bytes]) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while data := file.read(_CHUNK):
        digest.update(data)
    return digest.hexdigest()


async def _messages(job: Job, archive: _Archive) -> AsyncIterator[bytes]:
    await asyncio.to_thread(archive.file.seek, 0)
    name, folder = job.app_name, job.folder or "."
    yield wire.metadata(app_name=name, folder=folder, checksum=archive.checksum, size=archive.size, environment=job.environment)
    while data := await asyncio.to_thread(archive.file.read, _CHUNK):
        yield wire.chunk(data)
