"""Desired objects with the place they came from, and what makes one invalid.

The place (file and line, or the chart template) follows an object through comparison, plan and sync, so that an error can always name it.
"""

from __future__ import annotations

import msgspec

from homeostat.model.objects import Key, Object


class Origin(msgspec.Struct, frozen=True):
    """Where a desired object was written. ``line`` counts from 1; 0 is unknown. ``file`` is relative to the root of the source."""

    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        if self.file and self.line:
            return f"{self.file}:{self.line}"
        return self.file


class Manifest(msgspec.Struct, frozen=True):
    """One object as it was rendered, before namespace and tracking are set."""

    object: Object
    origin: Origin = Origin()


class Desired(msgspec.Struct, frozen=True):
    """One object as an app wants it in the cluster: namespace defaulted by scope, tracking marks set. ``object`` is nobody's to change."""

    key: Key
    object: Object
    origin: Origin = Origin()
