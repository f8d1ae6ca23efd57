"""Archives on disk by their digest, and as trees in memory: shared by every app that wants the same one.

What is here was verified when it came. Having something here is no permission to use it: who asks for a digest was told it by a server that
it is allowed to ask. The folder is capped in size; what was used the longest time ago goes first.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4
from weakref import WeakValueDictionary

from homeostat.desired.sources.archive import ArchiveTree
from homeostat.desired.sources.errors import LyingError, RefusedError

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


def digest_of(data: bytes, like: str = "sha256:") -> str:
    """The digest of ``data`` by the algorithm that the digest ``like`` names."""
    name = like.partition(":")[0]
    return f"{name}:{hashlib.new(name, data).hexdigest()}"


def checked_digest(text: str, what: str) -> str:
    """``text`` when it is a digest that can be checked. Raises :class:`RefusedError`."""
    if not _DIGEST.fullmatch(text):
        raise RefusedError(f"{what}: {text[:100]!r} is no digest", hint="digests are sha256:… or sha512:…")
    return text


def verified(data: bytes, digest: str, what: str) -> bytes:
    """``data`` when its digest is ``digest``. Raises :class:`LyingError`."""
    found = digest_of(data, digest)
    if found != digest:
        raise LyingError(
            f"{what} is not what it should be: its digest is {found}, and {digest} was announced", hint="ask whoever publishes it"
        )
    return data


def _opened(data: bytes, name: str, *, top_folder: bool) -> ArchiveTree:
    tree = ArchiveTree.unpack(data, name=name, top_folder=top_folder)
    assert tree.id  # all files are read for it: here, and not in the event loop
    return tree


class Blobs:
    """See the module. ``most`` is the size of the folder in bytes, ``in_memory`` that of the trees that nobody uses at the moment."""

    def __init__(self, folder: Path, *, most: int = 2 * 1024**3, in_memory: int = 64 * 1024**2) -> None:
        self._folder = folder
        self._most = most
        self._in_memory = in_memory
        self._trees: WeakValueDictionary[tuple[str, bool], ArchiveTree] = WeakValueDictionary()
        self._recent: OrderedDict[tuple[str, bool], ArchiveTree] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._trimming = threading.Lock()

    async def tree(self, digest: str, *, name: str, fetch: Callable[[], Awaitable[bytes]], top_folder: bool = True) -> ArchiveTree:
        """The tree of the archive of this digest. ``fetch`` is asked once for all who want it, when it is not here; what it answers is verified."""
        key = (digest, top_folder)
        known = self._trees.get(key)
        if known is not None:
            self._keep(key, known)
            return known
        lock = self._locks.get(digest)
        if lock is None:
            lock = self._locks[digest] = asyncio.Lock()
        async with lock:
            tree = self._trees.get(key)
            if tree is None:
                data = await self.data(digest, name=name, fetch=fetch)
                tree = await asyncio.to_thread(_opened, data, name, top_folder=top_folder)
            self._keep(key, tree)
        return tree

    async def data(self, digest: str, *, name: str, fetch: Callable[[], Awaitable[bytes]]) -> bytes:
        """The very bytes of this digest, which ``fetch`` brings when they are not here."""
        data = await asyncio.to_thread(self._read, digest)
        if data is None:
            data = await fetch()
            await asyncio.to_thread(self._write, digest, await asyncio.to_thread(verified, data, digest, name))
        return data

    def _keep(self, key: tuple[str, bool], tree: ArchiveTree) -> None:
        if key in self._recent:
            self._recent.move_to_end(key)
            return
        self._trees[key] = tree
        self._recent[key] = tree
        while len(self._recent) > 1 and sum(kept.size for kept in self._recent.values()) > self._in_memory:
            self._recent.popitem(last=False)

    def _path(self, digest: str) -> Path:
        return self._folder / digest.replace(":", "-")

    def _read(self, digest: str) -> bytes | None:
        path = self._path(digest)
        try:
            data = path.read_bytes()
            os.utime(path)
        except FileNotFoundError:
            return None
        if digest_of(data, digest) != digest:  # the disk, or a hand, has changed it
            path.unlink(missing_ok=True)
            return None
        return data

    def _write(self, digest: str, data: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch = self._folder / f"{uuid4().hex}.new"
        scratch.write_bytes(data)
        scratch.rename(self._path(digest))
        self._trim()

    def _trim(self) -> None:
        with self._trimming:
            files: list[tuple[float, int, Path]] = []
            for path in self._folder.iterdir():
                with contextlib.suppress(FileNotFoundError):  # another thread has given it its name
                    status = path.stat()
                    files.append((status.st_mtime, status.st_size, path))
            held = sum(size for _, size, _ in files)
            for _, size, path in sorted(files)[:-1]:
                if held <= self._most:
                    return
                path.unlink(missing_ok=True)
                held -= size
