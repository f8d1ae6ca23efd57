"""Where in a file of plain manifests something is written: the lines of an object, or of one of its fields.

Answers for people who ask "where does this come from?"; manifests themselves are read by the evaluators, and this only finds again what they have
read. A path is concrete: names of mappings and places in lists, as the object has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import yaml as pyyaml

from homeostat.model import yaml
from homeostat.model.objects import Object

Steps = Sequence[str | int]


class Lines(NamedTuple):
    """From the first line to the last, counted from 1."""

    first: int
    last: int


class Written(NamedTuple):
    """One object as it stands in a file."""

    object: Object
    node: pyyaml.Node

    def lines(self, steps: Steps = ()) -> Lines | None:
        """Where the value at ``steps`` is written, its key included; ``None`` when the file does not hold it."""
        node, first = self.node, _first(self.node)
        for step in steps:
            if isinstance(node, pyyaml.MappingNode) and isinstance(step, str):
                # A key that is written twice counts the second time; what was merged in stands before all others.
                found = next(((key, below) for key, below in reversed(node.value) if key.value == step), None)
                if found is None:
                    return None
                first, node = _first(found[0]), found[1]
            elif isinstance(node, pyyaml.SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
                node = node.value[step]
                first = _first(node)
            else:
                return None
        # An alias: what it stands for is written further up.
        return Lines(min(first, _first(node)), _last(node))


def objects_in(text: bytes, *, name: str = "") -> list[Written]:
    """The objects of a file, those in lists included. Raises :class:`~homeostat.model.errors.InvalidError` when it is not plain YAML or JSON."""
    return [found for node, value in yaml.documents(text, name=name) for found in _unfolded(node, value)]


def _unfolded(node: pyyaml.Node, value: Any) -> Iterator[Written]:
    if not isinstance(value, dict) or not isinstance(node, pyyaml.MappingNode):
        return
    items = value.get("items")
    if not str(value.get("kind")).endswith("List") or not isinstance(items, list):
        yield Written(value, node)
        return
    below = next(held for key, held in reversed(node.value) if key.value == "items")
    for item, held in zip(items, below.value, strict=True):
        yield from _unfolded(held, item)


def _first(node: pyyaml.Node) -> int:
    return int(node.start_mark.line) + 1 if node.start_mark is not None else 1


def _last(node: pyyaml.Node) -> int:
    """The end of a block collection is where the next token is, many lines below perhaps: what counts is the end of what is in it."""
    if isinstance(node, pyyaml.CollectionNode) and not node.flow_style and node.value:
        below = node.value[-1]
        return max(_first(node), _last(below[1] if isinstance(below, tuple) else below))
    mark = node.end_mark
    if mark is None:
        return _first(node)
    return max(_first(node), int(mark.line) + (1 if mark.column else 0))
