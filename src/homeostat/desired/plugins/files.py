"""The files of a tree for those who need real ones: a plugin's commands and sidecars.

What is handed over is what the tree shows, and no more: links are kept where they lead to something inside; others, submodules and files that the tree
refuses are left out. Nothing is known here of where the files go to.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from homeostat.desired.errors import RenderStoppedError
from homeostat.model.tree import EntryKind, PendingError, Tree, TreeError

MOST_FILES = 200_000
MOST_BYTES = 1024 * 1024 * 1024
_BATCH_FILES = 100
_BATCH_BYTES = 1024 * 1024
"""What is read from the tree at a go: a few milliseconds of the event loop."""

_SPECIAL = frozenset("*?[{\\")


class Item(NamedTuple):
    """A place of the tree. Folders come before what is in them, links last: Argo CD's sidecars fail at a link to what is not there yet. ``link`` is relative to the folder that the link is in."""

    path: str
    kind: EntryKind
    content: bytes = b""
    link: str = ""

    @property
    def executable(self) -> bool:
        """A tree does not know modes; what begins like a program is one."""
        return self.content.startswith((b"#!", b"\x7fELF"))


async def hand_over(tree: Tree, top: str, take: Callable[[Sequence[Item]], None]) -> None:
    """Everything below ``top`` to ``take``, which is called in a thread with a batch at a time. Raises :class:`RenderStoppedError` when it is too much."""
    batch: list[Item] = []
    files = size = total = 0
    async for item in _items(tree, top):
        batch.append(item)
        files += 1
        size += len(item.content)
        total += len(item.content)
        if files > MOST_FILES or total > MOST_BYTES:
            raise RenderStoppedError(
                f"a plugin is shown {MOST_FILES} files and {MOST_BYTES} bytes at most, and there are more",
                hint="let the plugin see the folder of the app alone (homeostat/shown: folder in its plugin.yaml)",
            )
        if len(batch) >= _BATCH_FILES or size >= _BATCH_BYTES:
            await asyncio.to_thread(take, batch)
            batch, size = [], 0
    await asyncio.to_thread(take, batch)


async def _items(tree: Tree, top: str) -> AsyncIterator[Item]:
    links = []
    for path, kind in _walk(tree, top):
        if kind is EntryKind.DIRECTORY:
            yield Item(path, kind)
        elif kind is EntryKind.SYMLINK:
            links.append(path)
        elif kind is EntryKind.FILE:
            content = await _content(tree, path)
            if content is not None:
                yield Item(path, kind, content)
    for path in links:
        try:
            leads = tree.stat(path) in {EntryKind.FILE, EntryKind.DIRECTORY}
            real, _ = tree.resolve(path)
        except TreeError:
            continue
        if leads:
            yield Item(path, EntryKind.SYMLINK, link=posixpath.relpath(real or ".", posixpath.dirname(path) or "."))


async def _content(tree: Tree, path: str) -> bytes | None:
    """What is in the file, fetched where it has to be; ``None`` when the tree refuses it."""
    try:
        return tree.read(path)
    except PendingError as pending:
        await pending.fetch()
        return tree.read(path)
    except TreeError:
        return None


def _walk(tree: Tree, top: str) -> Iterator[tuple[str, EntryKind]]:
    pending = [top]
    while pending:
        folder = pending.pop()
        for entry in tree.list(folder) or ():
            path = f"{folder}/{entry.name}" if folder else entry.name
            yield path, entry.kind
            if entry.kind is EntryKind.DIRECTORY:
                pending.append(path)


def keys(tree: Tree, tops: Iterable[str]) -> set[str]:
    """The trace keys of everything at and below each of ``tops``."""
    found: set[str] = set()
    for top in tops:
        found |= {top, f"{top}/"}
        for path, kind in _walk(tree, top):
            found.add(path)
            if kind is EntryKind.DIRECTORY:
                found.add(f"{path}/")
            if kind is EntryKind.SYMLINK:
                found.add(f"{path}/")
    return found


def tops(paths: Iterable[str], folder: str) -> set[str]:
    """The places that the annotation ``argocd.argoproj.io/manifest-generate-paths`` names, from the root of the repository.

    A path is relative to ``folder`` unless it begins with ``/``. Of one with a pattern in it the folder above the pattern counts. Paths that
    leave the repository name nothing.
    """
    found: set[str] = set()
    for text in paths:
        parts: list[str] = []
        for part in text.strip("/").split("/"):
            if _SPECIAL & set(part):
                break
            parts.append(part)
        path = "/".join(parts) or "."
        path = posixpath.normpath(path if text.startswith("/") else posixpath.join(folder, path))
        if path != ".." and not path.startswith("../"):
            found.add("" if path == "." else path)
    return found
