"""The files of an archive (a chart's ``.tgz``, a zip, the layer of an OCI artefact) as a tree. Nothing is ever unpacked to a disk.

Archives come from strangers: an entry that leaves the archive (absolute, ``..``, by a link), is no file, folder or link (devices, pipes), or stands
in another's way refuses the whole archive, as do sizes, counts and ratios out of proportion. Errors name the archive and the entry. Where the
bytes come from, and whether their digest is right, is not known here.
"""

from __future__ import annotations

import builtins
import io
import posixpath
import stat as modes
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from homeostat.desired.sources.errors import ArchiveError
from homeostat.desired.walked import WalkedTree
from homeostat.model.tree import Entry, EntryKind

_MIB = 1024 * 1024


@dataclass(frozen=True)
class ArchiveLimits:
    """Bytes, but for ``count`` and ``ratio``. Helm allows charts of 100 MiB and files of 5 MiB; archives may hold more than charts."""

    packed: int = 64 * _MIB
    total: int = 256 * _MIB
    file: int = 64 * _MIB
    count: int = 20_000
    ratio: int = 200
    """How many times its size an archive of more than a MiB may unpack to. Text reaches 20, repetitive manifests 100."""


class Link(str):
    """The content of a symbolic link: where it points to."""

    __slots__ = ()


class ArchiveTree(WalkedTree):
    """The ``files`` by path: bytes, or a :class:`Link`. Made by :meth:`unpack`."""

    def __init__(self, files: Mapping[str, bytes | Link]) -> None:
        self._files = dict(files)
        self._folders: dict[str, dict[str, EntryKind]] = {"": {}}
        for path, content in self._files.items():
            kind = EntryKind.SYMLINK if isinstance(content, Link) else EntryKind.FILE
            while path:
                folder, _, name = path.rpartition("/")
                names = self._folders.setdefault(folder, {})
                if name in names:
                    break
                names[name] = kind
                path, kind = folder, EntryKind.DIRECTORY  # noqa: PLW2901 - one level up
        self._known: Mapping[str, str] | None = None
        self._known_id = ""
        self.size = sum(len(content) for content in self._files.values())
        """Bytes of all files."""

    @classmethod
    def unpack(cls, data: bytes, *, name: str, top_folder: bool = False, limits: ArchiveLimits | None = None) -> ArchiveTree:
        """The tree of an archive (tar, gzipped or not, or zip). ``name`` stands in errors. Blocks for as long as unpacking takes.

        With ``top_folder`` everything must lie in one folder, which becomes the root: how charts are packed. Raises :class:`ArchiveError`.
        """
        return cls(_Unpacking(name, limits or ArchiveLimits(), top_folder=top_folder).run(data))

    @property
    def id(self) -> str:
        if not self._known_id:
            self._known_id = super().id
        return self._known_id

    def _digests(self) -> Mapping[str, str]:
        if self._known is None:
            self._known = super()._digests()
        return self._known

    def _kind(self, real: str) -> EntryKind | None:
        content = self._files.get(real)
        if content is None:
            return EntryKind.DIRECTORY if real in self._folders else None
        return EntryKind.SYMLINK if isinstance(content, Link) else EntryKind.FILE

    def _entries(self, real: str) -> builtins.list[Entry]:
        return [Entry(name, kind) for name, kind in sorted(self._folders[real].items())]

    def _bytes(self, real: str) -> bytes:
        content = self._files[real]
        assert isinstance(content, bytes)
        return content

    def _target(self, real: str) -> str:
        return str(self._files[real])


class _Unpacking:
    """One archive on its way to a dictionary."""

    def __init__(self, name: str, limits: ArchiveLimits, *, top_folder: bool) -> None:
        self._name = name
        self._limits = limits
        self._top_folder = top_folder
        self._top = ""
        self._files: dict[str, bytes | Link] = {}
        self._folders: set[str] = set()
        self._count = 0
        self._total = 0

    def run(self, data: bytes) -> dict[str, bytes | Link]:
        if len(data) > self._limits.packed:
            raise self._error(f"it has {len(data)} bytes, more than the limit of {self._limits.packed}")
        self._most = self._limits.total if len(data) < _MIB else min(self._limits.total, len(data) * self._limits.ratio)
        try:
            if data[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:
                self._zip(data)
            else:
                self._tar(data)
        except (
            tarfile.TarError,
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            ValueError,
            RuntimeError,
            NotImplementedError,
        ) as error:
            raise self._error(f"it cannot be read ({error})") from error
        return self._files

    def _tar(self, data: bytes) -> None:
        stream: IO[bytes] | _Measured = io.BytesIO(data)
        if data[:2] == b"\x1f\x8b":
            stream = _Measured(data, self)
        with tarfile.open(fileobj=stream, mode="r|", errorlevel=2, encoding="utf-8", errors="strict") as archive:
            for member in archive:
                self._counted()
                path = self._inside(member.name)
                if member.isdir():
                    self._folder(path)
                elif member.issym():
                    self._link(path, member.linkname)
                elif member.islnk():
                    self._put(path, self._same_as(member))
                elif member.isreg() and not member.issparse():
                    self._fits(path, member.size)
                    content = archive.extractfile(member)
                    assert content is not None
                    self._put(path, content.read())
                else:
                    raise self._error(f"{member.name}: it is neither a file nor a folder nor a link")
                archive.members.clear()  # type: ignore[attr-defined]  # what was read is not looked at again, and must not pile up

    def _zip(self, data: bytes) -> None:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                self._counted()
                path = self._inside(member.filename)
                mode = member.external_attr >> 16
                if member.is_dir():
                    self._folder(path)
                    continue
                if modes.S_IFMT(mode) not in {0, modes.S_IFREG, modes.S_IFLNK}:
                    raise self._error(f"{member.filename}: it is neither a file nor a folder nor a link")
                self._fits(path, member.file_size)
                with archive.open(member) as content:
                    read = content.read(member.file_size + 1)
                if len(read) > member.file_size:
                    raise self._error(f"{member.filename}: it is larger than the archive says")
                self.grew(len(read))
                if modes.S_ISLNK(mode):
                    self._link(path, read[:4096].decode())
                else:
                    self._put(path, read)

    def grew(self, size: int) -> None:
        """So many bytes more were unpacked."""
        self._total += size
        if self._total > self._most:
            raise self._error(f"it unpacks to more than the limit of {self._most} bytes")

    def _counted(self) -> None:
        self._count += 1
        if self._count > self._limits.count:
            raise self._error(f"it has more entries than the limit of {self._limits.count}")

    def _fits(self, path: str, size: int) -> None:
        if size > self._limits.file:
            raise self._error(f"{path}: the file has {size} bytes, more than the limit of {self._limits.file}")

    def _inside(self, text: str) -> str:
        """The path of an entry below the root of the tree; empty for the root itself."""
        if text.startswith("/") or "\\" in text or "\0" in text or ".." in text.split("/") or (text[1:2] == ":" and text[0].isalpha()):
            raise self._error(f"{text[:200]!r} leaves the archive")
        path = posixpath.normpath(text)
        path = "" if path == "." else path
        if not self._top_folder or not path:
            return path
        top, _, path = path.partition("/")
        if self._top and top != self._top:
            raise self._error(f"{text[:200]!r} lies outside of its folder {self._top!r}")
        self._top = top
        return path

    def _folder(self, path: str) -> None:
        if path in self._files:
            raise self._error(f"{path}: it is both a file and a folder")
        while path and path not in self._folders:
            if path in self._files:
                raise self._error(f"{path}: it is both a file and a folder")
            self._folders.add(path)
            path = posixpath.dirname(path)

    def _put(self, path: str, content: bytes | Link) -> None:
        if not path:
            raise self._error(f"a file stands where its folder {self._top!r} should be")
        if path in self._folders:
            raise self._error(f"{path}: it is both a file and a folder")
        self._folder(posixpath.dirname(path))
        self._files[path] = content

    def _link(self, path: str, target: str) -> None:
        real = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if not target or target.startswith("/") or real == ".." or real.startswith("../") or "\0" in target or len(target) > 4096:
            raise self._error(f"{path}: the symbolic link leaves the archive (to {target[:200]!r})")
        self._put(path, Link(target))

    def _same_as(self, member: tarfile.TarInfo) -> bytes | Link:
        content = self._files.get(self._inside(member.linkname))
        if content is None:
            raise self._error(f"{member.name}: it is a hard link to {member.linkname[:200]!r}, which was not there before it")
        self.grew(len(content))
        return content

    def _error(self, what: str) -> ArchiveError:
        return ArchiveError(f"The archive {self._name} is refused: {what}")


class _Measured(io.RawIOBase):
    """A gzipped stream that tells how much it grows while it is read, so that a bomb is noticed before it has gone off."""

    def __init__(self, packed: bytes, unpacking: _Unpacking) -> None:
        super().__init__()
        self._chunks = self._unzipped(packed)
        self._unpacking = unpacking
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        taken = [self._rest]
        held = len(self._rest)
        while size < 0 or held < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            self._unpacking.grew(len(chunk))
            taken.append(chunk)
            held += len(chunk)
        data = b"".join(taken)
        if size < 0:
            size = len(data)
        self._rest = data[size:]
        return data[:size]

    @staticmethod
    def _unzipped(data: bytes) -> Iterator[bytes]:
        while data.strip(b"\0"):
            unzip = zlib.decompressobj(wbits=31)
            while not unzip.eof:
                chunk = unzip.decompress(data, 256 * 1024)
                data = unzip.unconsumed_tail
                if not chunk and not data and not unzip.eof:
                    raise EOFError("it ends in the middle")
                if chunk:
                    yield chunk
            data = unzip.unused_data
