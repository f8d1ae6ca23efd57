"""Buckets as sources, as Flux's ``Bucket`` reads them: what is in one now becomes a revision, and that a tree of its objects.

The revision is Flux's: the digest of all keys with their etags. A bucket has no history, so what a revision stands for is fetched when it is seen. An
object whose etag has not changed is not fetched again, by no later process either: the last contents of each bucket are kept in one file, to be
used by whoever is told these etags by the server itself. How servers are spoken to is in ``s3.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4
from weakref import WeakValueDictionary

import msgspec

from homeostat.desired.sources import sourceignore
from homeostat.desired.sources.archive import ArchiveTree
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import ArchiveError, RefusedError, RevisionMissingError
from homeostat.desired.sources.s3 import S3, ChangedError, Object
from homeostat.desired.sources.web import Web
from homeostat.model import tasks
from homeostat.model.errors import NotSupportedError

_MIB = 1024 * 1024
_AT_ONCE = 16
_ATTEMPTS = 3
_MAX_CONFIGURED = 1000


@dataclass(frozen=True)
class BucketLimits:
    """Bytes, but for the counts: ``listed`` of all keys below the prefix, ``count`` of those that are not left out."""

    listed: int = 200_000
    count: int = 20_000
    file: int = 64 * _MIB
    total: int = 256 * _MIB
    on_disk: int = 2048 * _MIB
    in_memory: int = 64 * _MIB


@dataclass(frozen=True)
class Bucket:
    """The fields of Flux's ``spec``. ``credentials``: the access key is the user name, the secret key the password; or a bearer token for Google.

    ``ignore`` adds to the ``.sourceignore`` at the root of the bucket.
    """

    name: str
    endpoint: str
    provider: str = "generic"
    region: str = ""
    prefix: str = ""
    ignore: str = ""
    insecure: bool = False
    credentials: Credentials = field(default_factory=Credentials)
    session_token: str = field(default="", repr=False)

    @property
    def key(self) -> str:
        """The address by which two sources of the same bucket are known as such."""
        return f"s3://{self.endpoint}/{self.name}/{self.prefix}"


class _Pack(msgspec.Struct, array_like=True):
    """The contents of a bucket on disk: etag and bytes by key."""

    objects: dict[str, tuple[str, bytes]]


class _Seen(NamedTuple):
    revision: str
    objects: Mapping[str, Object]
    asked_at: float


class _State:
    def __init__(self, server: S3) -> None:
        self.server = server
        self.lock = asyncio.Lock()
        self.seen: _Seen | None = None


class BucketSources:
    """Every bucket of the process. ``root`` is the folder of the caches; a later process goes on with it."""

    def __init__(self, root: Path, *, web: Web, limits: BucketLimits | None = None) -> None:
        self._root = root
        self._web = web
        self._limits = limits or BucketLimits()
        self._states: dict[Bucket, _State] = {}
        self._trees: WeakValueDictionary[tuple[Bucket, str], ArchiveTree] = WeakValueDictionary()
        self._recent: OrderedDict[tuple[Bucket, str], ArchiveTree] = OrderedDict()

    async def resolve(self, bucket: Bucket, *, fresh: bool = False, since: float | None = None) -> str:
        """The revision (``sha256:…``) of what is in the bucket. Without ``fresh`` nothing is asked of a bucket that has been seen; with it, the
        answer is of a list that was begun after the call, or at ``since`` (:func:`time.monotonic`) or later.

        Raises a :class:`homeostat.desired.sources.errors.SourceError`, :class:`NotSupportedError` for a provider that nobody can be asked for.
        """
        asked_at = (time.monotonic() if since is None else since) if fresh else float("-inf")
        state = self._state(bucket)
        async with state.lock:
            if state.seen is None or state.seen.asked_at < asked_at:
                state.seen = await self._look(bucket, state)
            return state.seen.revision

    async def tree(self, bucket: Bucket, revision: str) -> ArchiveTree:
        """The objects of a revision by their keys. Raises :class:`RevisionMissingError` for one that is past."""
        tree = self._trees.get((bucket, revision))
        if tree is not None:
            return tree
        state = self._state(bucket)
        async with state.lock:
            if state.seen is None:
                state.seen = await self._look(bucket, state)
            if state.seen.revision != revision:
                message = f"{state.server.what} holds another revision than {revision} by now"
                raise RevisionMissingError(message, hint="a bucket keeps no history: sync to what it holds")
            return await self._open(bucket, state.server, state.seen)

    async def poll(self, bucket: Bucket) -> bool:
        """Ask the server, and say whether anything has changed since the last answer."""
        seen = self._state(bucket).seen
        return await self.resolve(bucket, fresh=True) != (seen.revision if seen else "")

    def _state(self, bucket: Bucket) -> _State:
        known = self._states.get(bucket)
        if known is None:
            _check_provider(bucket)
            if len(self._states) >= _MAX_CONFIGURED:
                self._states.clear()
            server = S3(
                bucket.name,
                bucket.endpoint,
                web=self._web,
                credentials=bucket.credentials,
                region=bucket.region,
                session_token=bucket.session_token,
                insecure=bucket.insecure,
            )
            known = self._states[bucket] = _State(server)
        return known

    async def _look(self, bucket: Bucket, state: _State) -> _Seen:
        """Until what was listed could also be fetched."""
        for attempt in range(_ATTEMPTS):
            began = time.monotonic()
            objects = await self._listed(bucket, state.server)
            text = "".join(f"{key} {found.etag}\n" for key, found in sorted(objects.items()))
            seen = _Seen(f"sha256:{hashlib.sha256(text.encode()).hexdigest()}", objects, began)
            if state.seen is not None and state.seen.revision == seen.revision:
                return seen
            try:
                await self._open(bucket, state.server, seen)
            except ChangedError:
                if attempt + 1 == _ATTEMPTS:
                    raise
                continue
            return seen
        raise AssertionError

    async def _listed(self, bucket: Bucket, server: S3) -> dict[str, Object]:
        """The objects that are not left out. Raises :class:`ArchiveError` for what cannot be a file of a tree, or is too large."""
        listed = await server.objects(bucket.prefix, most=self._limits.listed)
        rules = None
        if bucket.prefix or any(found.key == sourceignore.FILE for found in listed):
            rules = await server.find(sourceignore.FILE, limit=_MIB)
        patterns = sourceignore.read((rules or b"").decode(errors="replace")) + sourceignore.read(bucket.ignore)
        left_out = sourceignore.Rules(patterns).leave_out
        return await asyncio.to_thread(
            lambda: self._checked(
                server,
                [found for found in listed if not (found.key.endswith("/") or found.key == sourceignore.FILE or left_out(found.key))],
            )
        )

    def _checked(self, server: S3, listed: list[Object]) -> dict[str, Object]:
        objects = {found.key: found for found in listed}
        if len(objects) > self._limits.count:
            raise ArchiveError(f"{server.what} is refused: it has {len(objects)} objects, more than the limit of {self._limits.count}")
        for key, found in objects.items():
            parts = key.split("/")
            if not {"", ".", ".."}.isdisjoint(parts) or "\\" in key or not key.isprintable() or len(key) > 1024:
                raise ArchiveError(f"{server.what} is refused: {key[:200]!r} is no path", hint="leave it out by `.sourceignore`")
            if not 0 <= found.size <= self._limits.file:
                raise ArchiveError(f"{server.what} is refused: {key!r} has {found.size} bytes, and the limit is {self._limits.file}")
            above = next((folder for end in range(1, len(parts)) if (folder := "/".join(parts[:end])) in objects), None)
            if above is not None:
                raise ArchiveError(f"{server.what} is refused: {above!r} is both a file and a folder")
        total = sum(found.size for found in objects.values())
        if total > self._limits.total:
            raise ArchiveError(f"{server.what} is refused: its objects have {total} bytes, and the limit is {self._limits.total}")
        return objects

    async def _open(self, bucket: Bucket, server: S3, seen: _Seen) -> ArchiveTree:
        tree = self._trees.get((bucket, seen.revision))
        if tree is None:
            path = self._root / _file_name(bucket)
            kept = await asyncio.to_thread(_read, path)
            files = {key: kept[key][1] for key, found in seen.objects.items() if key in kept and kept[key][0] == found.etag}
            missing = [found for key, found in seen.objects.items() if key not in files]
            files.update(await self._fetched(server, missing))
            tree = await asyncio.to_thread(_tree, files)
            if missing or len(kept) != len(files):
                pack = _Pack({key: (found.etag, files[key]) for key, found in seen.objects.items()})
                await asyncio.to_thread(self._write, path, pack)
        self._keep((bucket, seen.revision), tree)
        return tree

    async def _fetched(self, server: S3, missing: list[Object]) -> dict[str, bytes]:
        waiting = iter(missing)
        files: dict[str, bytes] = {}

        async def fetch() -> None:
            for found in waiting:
                files[found.key] = await server.get(found)

        await tasks.together(*(fetch() for _ in range(min(_AT_ONCE, len(missing)))))
        return files

    def _keep(self, key: tuple[Bucket, str], tree: ArchiveTree) -> None:
        self._trees[key] = self._recent[key] = tree
        self._recent.move_to_end(key)
        while len(self._recent) > 1 and sum(kept.size for kept in self._recent.values()) > self._limits.in_memory:
            self._recent.popitem(last=False)

    def _write(self, path: Path, pack: _Pack) -> None:
        data = msgspec.msgpack.encode(pack)
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch = path.with_name(f"{uuid4().hex}.new")
        scratch.write_bytes(hashlib.sha256(data).digest() + data)
        scratch.rename(path)
        held = 0
        files = [(file.stat(), file) for file in self._root.iterdir()]
        for status, file in sorted(files, key=lambda entry: -entry[0].st_mtime):
            held += status.st_size
            if held > self._limits.on_disk and file != path:
                file.unlink(missing_ok=True)


def _file_name(bucket: Bucket) -> str:
    """Not shared between credentials: who may list a bucket may perhaps not read it."""
    about = (bucket.key, str(bucket.insecure), bucket.credentials.username, bucket.credentials.bearer_token)
    return hashlib.sha256("\n".join(about).encode()).hexdigest()


def _read(path: Path) -> dict[str, tuple[str, bytes]]:
    """What an earlier look has kept; nothing when the disk, or a hand, has changed it."""
    with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
        data = path.read_bytes()
        if hashlib.sha256(data[32:]).digest() == data[:32]:
            return msgspec.msgpack.decode(data[32:], type=_Pack).objects
    return {}


def _tree(files: Mapping[str, bytes]) -> ArchiveTree:
    tree = ArchiveTree(files)
    assert tree.id  # all files are read for it: here, and not in the event loop
    return tree


def _check_provider(bucket: Bucket) -> None:
    """AWS and Google speak the protocol of S3 where keys or a token are given."""
    if bucket.provider == "azure":
        raise NotSupportedError(
            f"The bucket {bucket.name} cannot be read: Azure's Blob storage is not supported",
            hint="an OCIRepository in Azure's registry can hold the same files",
        )
    if bucket.provider not in {"generic", "aws", "gcp"}:
        raise RefusedError(f"The bucket {bucket.name} cannot be read: there is no provider {bucket.provider[:100]!r}")
    if bucket.provider != "generic" and not (bucket.credentials.username or bucket.credentials.bearer_token):
        keys = "a `secretRef` with `accesskey` and `secretkey`"
        raise NotSupportedError(
            f"The bucket {bucket.name} cannot be read: the identity of a workload is not used for the provider {bucket.provider}",
            hint=f"give {keys}{' (an HMAC key)' if bucket.provider == 'gcp' else ''}, or the provider generic for a public bucket",
        )
