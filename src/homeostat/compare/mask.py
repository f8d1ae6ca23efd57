"""Masks for the values of Secrets, in everything that shows a difference.

A value becomes a run of ``+``; equal values get equal runs, so that one still sees *that* something differs (Argo CD's ``HideSecretData``).
The length of a run says nothing about the value. Texts that decryptors produced elsewhere do not pass through here.
"""

from __future__ import annotations

import difflib
from typing import Any, Final

import orjson

from homeostat.compare.claims import is_secret
from homeostat.compare.fields import Path
from homeostat.compare.predecessors import LAST_APPLIED, LAST_APPLIED_PATH
from homeostat.model import yaml
from homeostat.model.objects import Object

_SHORTEST: Final = 8
_SENSITIVE: Final = frozenset({"f:data", "f:stringData"})


class Masks:
    """The masks of one comparison: whatever is masked by the same instance stays comparable."""

    def __init__(self) -> None:
        self._runs: dict[bytes, str] = {}

    def of(self, value: Any) -> str:
        """The mask for ``value``."""
        text = orjson.dumps(value)
        run = self._runs.get(text)
        if run is None:
            run = self._runs[text] = "+" * (_SHORTEST + len(self._runs))
        return run

    def at(self, path: Path, value: Any) -> Any:
        """``value``, found at ``path`` of a Secret, with what is sensitive of it masked."""
        if path[:1] and path[0] in _SENSITIVE:
            return {name: self.of(text) for name, text in value.items()} if len(path) == 1 and isinstance(value, dict) else self.of(value)
        if path[:3] == LAST_APPLIED_PATH:
            return self.of(value)
        if isinstance(value, dict) and path == LAST_APPLIED_PATH[: len(path)]:
            return {name: self.at((*path, f"f:{name}"), below) for name, below in value.items()}
        return value

    def secret(self, obj: Object) -> Object:
        """A copy of ``obj`` whose sensitive values are masked; ``obj`` itself when it is no Secret."""
        if not is_secret(obj):
            return obj
        masked: Object = self.at((), obj)
        return masked


def masked(*objects: Object | None) -> tuple[Object | None, ...]:
    """The objects with the values of Secrets masked; equal values in different objects stay equal."""
    masks = Masks()
    return tuple(masks.secret(obj) if obj is not None else None for obj in objects)


def diff_text(desired: Object | None, live: Object | None, *, context: int = 3, names: tuple[str, str] = ("live", "desired")) -> str:
    """A unified diff in YAML from live to desired; empty when they are the same. ``None`` is an object that is not there.

    ``names`` are what the two are called. managedFields and status are left out, the values of Secrets are masked.
    """
    want, have = masked(desired, live)
    lines = difflib.unified_diff(_lines(have), _lines(want), fromfile=names[0], tofile=names[1], n=context, lineterm="")
    return "\n".join(lines)


def _lines(obj: Object | None) -> list[str]:
    if obj is None:
        return []
    shown = {name: value for name, value in obj.items() if name != "status"}
    metadata = shown.get("metadata")
    if isinstance(metadata, dict):
        annotations = metadata.get("annotations")
        shown["metadata"] = metadata = {name: value for name, value in metadata.items() if name != "managedFields"}
        if isinstance(annotations, dict) and LAST_APPLIED in annotations:
            metadata["annotations"] = {name: value for name, value in annotations.items() if name != LAST_APPLIED}
    return yaml.dump(shown).splitlines()
