"""Where Git says what it says: the file and line of an object or a field, and the commit that wrote it.

In a folder of plain manifests the very line is known. What Kustomize, Helm and Jsonnet make has no line of its own: then the files that the render
read are searched for one that says the same of the same object, and where that leads nowhere, the file that the render names stands for it and the
answer says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from homeostat.cli.apps import paths
from homeostat.compare.fields import Path
from homeostat.desired import positions
from homeostat.desired.positions import Lines, Steps, Written
from homeostat.desired.render.detect import SourceType
from homeostat.desired.sources.blame import Change
from homeostat.desired.sources.errors import SourceError
from homeostat.loop.locate import Located
from homeostat.loop.memory import Wanted
from homeostat.model import times
from homeostat.model.app import App
from homeostat.model.errors import HomeostatError, InvalidError
from homeostat.model.manifest import Desired
from homeostat.model.objects import Object
from homeostat.model.tree import EntryKind
from homeostat.wiring import Parts

_MANIFESTS = (".yaml", ".yml", ".json")
_MOST_FILES = 500
_LARGEST = 1024 * 1024
"""Bytes. A file that is larger than this is not searched for what a tool may have taken from it."""


class Place(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Where something stands in Git. ``line`` 0 is unknown; ``note`` says what is not known, or how it was found."""

    file: str = ""
    line: int = 0
    commit: str = ""
    author: str = ""
    date: str = ""
    subject: str = ""
    note: str = ""


class Finder:
    """Finds places for the objects of one app at one commit."""

    def __init__(self, parts: Parts, app: App, wanted: Wanted) -> None:
        self._parts = parts
        self._app = app
        self._wanted = wanted
        self._files: dict[tuple[int, str], list[Written]] = {}
        self._changes: dict[tuple[int, str, Lines], Change | None] = {}

    async def find(self, desired: Desired, path: Path) -> Place:
        """Never raises: what cannot be found out becomes the place's note."""
        try:
            return await self._find(desired, path)
        except HomeostatError as error:
            return Place(desired.origin.file, note=error.message)

    async def _find(self, desired: Desired, path: Path) -> Place:
        self._number = desired.origin.source or 0
        self._located, self._trace = await self._parts.desirer.read_by(self._app, self._wanted.revision, self._number)
        self._tree, self._tool = self._located.tree, self._wanted.source_types[self._number]
        file = desired.origin.file
        steps = paths.concrete(desired.object, path)
        if steps is None:
            return await self._file(file, "Git does not name this field")
        if self._tool == SourceType.DIRECTORY and file.endswith(_MANIFESTS):
            found = await asyncio.to_thread(self._nearest, file, desired)
            lines = _lines(found, steps) if found is not None else None
            if lines is None:
                return await self._file(file, "the line is not known: it is not written there, but set by Homeostat")
            return await self._line(file, lines)
        return await self._searched(desired, steps, paths.value_at(desired.object, path))

    async def _searched(self, desired: Desired, steps: Steps, value: Any) -> Place:
        tool = self._tool
        hits = await asyncio.to_thread(self._search, desired, steps, value)
        if hits:
            file, lines = hits[0]
            others = f", and so do {', '.join(f'{name}:{more.first}' for name, more in hits[1:4])}" if len(hits) > 1 else ""
            return await self._line(file, lines, f"found by what it says: {tool} read this file{others}")
        return await self._file(desired.origin.file, f"the line is not known: {tool} put it together from what it read")

    def _search(self, desired: Desired, steps: Steps, value: Any) -> list[tuple[str, Lines]]:
        """Files that the render read and that say the same of the same object, the nearest to where the object comes from first."""
        files = sorted(path for path in self._trace if path.endswith(_MANIFESTS))[:_MOST_FILES]
        hits = []
        for file in files:
            if self._tree.stat(file) is not EntryKind.FILE:
                continue
            for written in self._read(file):
                if not _is_same(written.object, desired.object):
                    continue
                for alternative in _alternatives(steps):
                    lines = written.lines(alternative)
                    if lines is not None and (not steps or _value(written.object, alternative) == value or alternative is not steps):
                        hits.append((file, lines))
                        break
        return hits

    def _nearest(self, file: str, desired: Desired) -> Written | None:
        """Of several objects of one name in a file, the one at the line that the render named."""
        found = [one for one in self._read(file) if _is_same(one.object, desired.object, exactly=True)]
        return min(found, key=lambda one: abs((one.lines() or Lines(1, 1)).first - desired.origin.line), default=None)

    def _read(self, file: str) -> list[Written]:
        known = self._files.get((self._number, file))
        if known is None:
            data = self._tree.read(file) or b""
            try:
                known = positions.objects_in(data, name=file) if len(data) <= _LARGEST else []
            except InvalidError:  # a chart's template, for one
                known = []
            self._files[self._number, file] = known
        return known

    async def _line(self, file: str, lines: Lines, note: str = "") -> Place:
        real, _ = self._tree.resolve(file)
        key = (self._number, real, lines)
        if key not in self._changes:
            repository = self._parts.sources.repository(self._located.source, self._app.project)
            if repository is None:
                return Place(real, lines.first, note=_of_chart(self._located))
            self._changes[key] = await self._parts.sources.git.last_writer(repository, self._located.revision, real, *lines)
        return _place(real, lines.first, self._changes[key], note)

    async def _file(self, file: str, note: str) -> Place:
        if not file:
            return Place(note=note)
        try:
            real, _ = self._tree.resolve(file)
            repository = self._parts.sources.repository(self._located.source, self._app.project)
            if repository is None:
                return Place(real, note=f"{note}; {_of_chart(self._located)}")
            change = await self._parts.sources.git.last_change(repository, self._located.revision, [real])
        except SourceError as error:
            return Place(file, note=error.message)
        return _place(real, 0, change, f"{note}; the commit is the last that touched the file")


def _of_chart(located: Located) -> str:
    return f"in version {located.revision} of the chart: who wrote that is not known"


def _place(file: str, line: int, change: Change | None, note: str) -> Place:
    if change is None:
        return Place(file, line, note=note or "no commit is known that wrote it")
    return Place(file, line, change.commit, change.author, times.stamp(change.date), change.subject, note)


def _lines(found: Written, steps: Steps) -> Lines | None:
    return next((lines for one in _alternatives(steps) if (lines := found.lines(one)) is not None), None)


def _alternatives(steps: Steps) -> Sequence[Steps]:
    """``data`` of a Secret may have been written as ``stringData``."""
    return (steps, ("stringData", *steps[1:])) if steps[:1] == ("data",) else (steps,)


def _value(obj: Any, steps: Steps) -> Any:
    for step in steps:
        obj = obj[step]
    return obj


def _is_same(written: Object, wanted: Object, *, exactly: bool = False) -> bool:
    """Whether both are one object. Kustomize may put something before and behind a name, and a file may leave the namespace out."""
    if written.get("kind") != wanted.get("kind"):
        return False
    one, other = _metadata(written), _metadata(wanted)
    name, wanted_name = (str(each.get("name") or each.get("generateName") or "") for each in (one, other))
    same_name = name == wanted_name if exactly else bool(name) and name in wanted_name
    return same_name and one.get("namespace") in (None, other.get("namespace"))


def _metadata(obj: Object) -> dict[str, Any]:
    found = obj.get("metadata")
    return found if isinstance(found, dict) else {}
