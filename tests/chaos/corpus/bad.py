"""What the corpus is made of: folders and Applications that are wrong, each in a way of its own, and what has to be said of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

Content = str | bytes | Path
"""Of a file; a ``Path`` is a symbolic link to it."""

_NAME = re.compile(r"\bname: x\b")


class Bad(NamedTuple):
    """``files`` are those of the folder; ``says`` stands in the app's conditions, or in the message of its sync (… for anything in between).

    ``spec`` is merged into the Application's. ``harmless``: what is wanted can be told and applied, whatever else is said.
    """

    files: Mapping[str, Content]
    says: str
    spec: Mapping[str, Any]
    harmless: bool = False

    def is_told_in(self, text: str) -> bool:
        return re.search(".*".join(map(re.escape, self.says.split(" … "))), text, re.DOTALL) is not None


def bad(files: Mapping[str, Content], *, says: str, harmless: bool = False, **spec: Any) -> Bad:
    return Bad(files, says, spec, harmless)


def write(path: Path, content: Content, *, about: str) -> None:
    """Objects that are called x get the name of the case, for the cases share a namespace."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        path.symlink_to(content)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(_NAME.sub(f"name: {about}", content))
