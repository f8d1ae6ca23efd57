"""Where in a repository the field of an object is written, for objects that were read from it as they are, and for those that a tool made of several files.

A finding about a rendered object is of use only at the line that somebody has to change. For plain manifests that is exact. An overlay changes names
and values: there the file that was read last and holds the same value in an object of that kind is the place. For a chart it is the template.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from homeostat.desired.positions import Written, objects_in
from homeostat.model.errors import InvalidError
from homeostat.model.manifest import Origin
from homeostat.model.objects import Object
from homeostat.model.tree import Tree, TreeError

_YAML = (".yaml", ".yml", ".json")
_MISSING = object()

Steps = tuple[str | int, ...]


class Places:
    """Finds lines in the files of ``tree``, each of which is parsed once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._files: dict[str, list[Written]] = {}

    def written(self, file: str) -> list[Written]:
        """The objects of a file; none when it is not plain YAML or JSON."""
        known = self._files.get(file)
        if known is None:
            try:
                known = objects_in(self._tree.read(file) or b"", name=file) if file.endswith(_YAML) else []
            except (InvalidError, TreeError):
                known = []
            self._files[file] = known
        return known

    def keep(self, file: str, written: list[Written]) -> None:
        """Takes in what somebody has parsed already."""
        self._files[file] = written

    def of(self, obj: Object, origin: Origin, steps: Steps = (), read: Iterable[str] = ()) -> tuple[str, int]:
        """File and line of the value at ``steps`` of ``obj``; of what holds it, where it is not written. ``read`` are the files it was made of."""
        exact = [one for one in self.written(origin.file) if _same(one.object, obj)]
        if len(exact) > 1 and origin.line:
            exact = [one for one in exact if (lines := one.lines()) and lines.first >= origin.line][:1] or exact
        if exact:
            return origin.file, _line(exact[0], steps)
        wanted = _at(obj, steps)
        best: tuple[int, str, int] | None = None
        for file in sorted(read):
            for one in self.written(file):
                rank = _rank(one.object, obj, steps, wanted)
                if rank and (best is None or rank > best[0]):
                    best = (rank, file, _line(one, steps))
        return (best[1], best[2]) if best is not None else (origin.file, origin.line)


def _same(written: Any, obj: Object) -> bool:
    return (
        isinstance(written, dict)
        and written.get("kind") == obj.get("kind")
        and written.get("apiVersion") == obj.get("apiVersion")
        and _name(written) == _name(obj)
        and (_namespace(written) in {"", _namespace(obj)})
    )


def _rank(written: Any, obj: Object, steps: Steps, wanted: Any) -> int:
    """0: not this object. More is better: the field is there, its value is the same, the name is."""
    if not isinstance(written, dict) or written.get("kind") != obj.get("kind"):
        return 0
    name, rendered = _name(written), _name(obj)
    if name and name not in rendered:
        return 0
    found = _at(written, steps)
    same = 4 if found is not _MISSING and found == wanted else 0
    there = 2 if found is not _MISSING else 0
    return 1 + same + there + (1 if name == rendered else 0)


def _line(written: Written, steps: Steps) -> int:
    for length in range(len(steps), -1, -1):
        lines = written.lines(steps[:length])
        if lines is not None:
            return lines.first
    return 0


def _at(value: Any, steps: Steps) -> Any:
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return _MISSING
    return value


def _name(obj: Any) -> str:
    metadata = obj.get("metadata")
    return str((metadata.get("name") or metadata.get("generateName") or "") if isinstance(metadata, dict) else "")


def _namespace(obj: Any) -> str:
    metadata = obj.get("metadata")
    return str((metadata.get("namespace") or "") if isinstance(metadata, dict) else "")
