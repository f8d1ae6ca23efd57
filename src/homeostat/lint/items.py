"""What a look at a repository goes over: the objects that came of it, each with where it comes from, and the notes that are taken of them."""

from __future__ import annotations

import msgspec

from homeostat.lint.checks import Remark
from homeostat.lint.findings import Finding, finding, path_text
from homeostat.lint.places import Places
from homeostat.model.manifest import Origin
from homeostat.model.objects import Object, key_of
from homeostat.model.tree import Tree


class Item(msgspec.Struct, frozen=True):
    """An object and where it comes from. ``owner`` is the app, overlay, chart or folder that would put it on a cluster."""

    object: Object
    origin: Origin
    owner: str
    read: frozenset[str] = frozenset()
    namespace: str = ""


class Notes:
    """The findings, as they come. ``places`` knows the lines of ``tree``."""

    def __init__(self, tree: Tree) -> None:
        self.places = Places(tree)
        self._findings: list[Finding] = []

    def add(self, one: Finding) -> None:
        self._findings.append(one)

    def say(self, item: Item, remark: Remark) -> None:
        file, line = self.places.of(item.object, item.origin, remark.steps, item.read)
        obj = str(key_of(item.object)) if isinstance(item.object.get("metadata"), dict) else ""
        self._findings.append(
            finding(
                remark.rule,
                remark.message,
                file=file,
                line=line,
                obj=obj,
                field=path_text(remark.steps),
                hint=remark.hint,
                severity=remark.severity,
            )
        )

    def ordered(self) -> tuple[Finding, ...]:
        """By file and line, each once: what ten overlays have from one base is told of the base."""
        unique = {(one.file, one.line, one.rule, one.field, one.message): one for one in reversed(self._findings)}
        return tuple(sorted(unique.values(), key=lambda one: (one.file, one.line, one.rule, one.field, one.message)))
