"""Desired objects with the place they came from, and what makes one invalid.

The place (file and line, or the chart template) follows an object through comparison, plan and sync, so that an error can always name it.
"""

from __future__ import annotations

import msgspec

from homeostat.model.objects import Key, Object


class Origin(msgspec.Struct, frozen=True):
    """Where a desired object was written. ``line`` counts from 1; 0 is unknown. ``file`` is relative to the root of the source.

    ``source`` is the place of the source among those of an app that has several.
    """

    file: str = ""
    line: int = 0
    source: int | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return place if self.source is None else f"sources[{self.source}] {place}".rstrip()


class Manifest(msgspec.Struct, frozen=True):
    """One object as it was rendered, before namespace and tracking are set."""

    object: Object
    origin: Origin = Origin()


class Desired(msgspec.Struct, frozen=True):
    """One object as an app wants it in the cluster: namespace defaulted by scope, tracking marks set. ``object`` is nobody's to change."""

    key: Key
    object: Object
    origin: Origin = Origin()
