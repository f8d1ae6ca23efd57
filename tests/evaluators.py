"""What tests of the evaluators share: the program, and trees made of a few files."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from homeostat import toolchain
from homeostat.desired.local import LocalTree
from homeostat.evaluate.pool import Pool
from homeostat.evaluate.process import Limits
from homeostat.model.tree import Entry, EntryKind

CHART = "apiVersion: v2\nname: shop\nversion: 1.0.0\n"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  colour: blue\n"


class Link(str):
    """The content of a symbolic link: where it points to."""

    __slots__ = ()


@cache
def program() -> Path:
    return toolchain.program("evaluator")


def pool(
    *, size: int = 2, seconds: float = 60.0, quick_seconds: float = 30.0, memory: int = 512 * 1024 * 1024, idle_seconds: float = 60.0
) -> Pool:
    limits = Limits(seconds=seconds, quick_seconds=quick_seconds, memory=memory)
    return Pool(program=program(), size=size, limits=limits, idle_seconds=idle_seconds)


class MemoryTree(LocalTree):
    """A folder that is not on a disk: by path, the content of each file and :class:`Link`."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        super().__init__(Path("/nowhere"))
        self.files = dict(files)
        self._folders = {"", *(path[:at] for path in files for at in range(len(path)) if path[at] == "/")}

    def but(self, changes: Mapping[str, str | bytes | None]) -> MemoryTree:
        """A later tree: with ``changes``, where ``None`` takes a file away."""
        files = {**self.files, **changes}
        return MemoryTree({path: content for path, content in files.items() if content is not None})

    def _kind(self, real: str) -> EntryKind | None:
        if real in self._folders:
            return EntryKind.DIRECTORY
        content = self.files.get(real)
        if content is None:
            return None
        return EntryKind.SYMLINK if isinstance(content, Link) else EntryKind.FILE

    def _entries(self, real: str) -> builtins.list[Entry]:
        prefix = f"{real}/" if real else ""
        names = {path[len(prefix) :].partition("/")[0] for path in self.files if path.startswith(prefix)}
        kinds = ((name, self._kind(prefix + name)) for name in sorted(names))
        return [Entry(name, kind) for name, kind in kinds if kind]

    def _bytes(self, real: str) -> bytes:
        content = self.files[real]
        return content if isinstance(content, bytes) else content.encode()

    def _target(self, real: str) -> str:
        return str(self.files[real])
