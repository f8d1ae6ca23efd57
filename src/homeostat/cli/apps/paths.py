"""Paths to fields as people write them, and what they lead to: ``.spec.replicas``, ``.spec.containers[name=web].image``, ``/spec/ports/0``.

A path that was read is a list of steps. :func:`settle` makes of it a path as managed fields write it (``homeostat.compare.fields``), in which an item
of a list is named by its key where the API server knows one: so it leads to the same item in Git and in the cluster, wherever it stands. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import orjson

from homeostat.compare import fields
from homeostat.compare.fields import MISSING, FieldSet, Path
from homeostat.model.errors import InvalidError


class Item(NamedTuple):
    """An item of a list, by some of its fields, or (``value``) by being a certain text."""

    fields: tuple[tuple[str, str], ...] = ()
    value: str = ""


Step: TypeAlias = str | int | Item

_TOKEN = re.compile(
    r"""\.?(?P<name>[^.\[\]'"=\s]+) | \.?\[(?: (?P<quoted>"(?:[^"\\]|\\.)*") | '(?P<single>[^']*)' | (?P<index>\d+)
        | =(?P<value>[^\]]*) | (?P<item>[^\]=]+=[^\]]*) )\]""",
    re.VERBOSE,
)


def parse(text: str) -> tuple[Step, ...]:
    """Reads a path; ``.`` and nothing are the whole object. Raises :class:`InvalidError`."""
    if text.startswith("/"):
        return tuple(part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")) if text != "/" else ()
    steps: list[Step] = []
    place = 0
    while place < len(text) and text != ".":
        found = _TOKEN.match(text, place)
        if found is None:
            raise InvalidError(
                f"the path {text!r} cannot be read at {text[place:]!r}",
                hint='write it like .spec.replicas, .spec.containers[name=web].image, .metadata.labels["a/b"], .spec.ports[0] or /spec/ports/0',
            )
        steps.append(_step(found))
        place = found.end()
    return tuple(steps)


def _step(found: re.Match[str]) -> Step:
    if found["name"] is not None:
        return found["name"]
    if found["quoted"] is not None:
        return str(orjson.loads(found["quoted"]))
    if found["single"] is not None:
        return found["single"]
    if found["index"] is not None:
        return int(found["index"])
    if found["value"] is not None:
        return Item(value=found["value"])
    pairs = [pair.partition("=") for pair in found["item"].split(",")]
    return Item(fields=tuple((name, value) for name, _, value in pairs))


def settle(steps: Sequence[Step], values: Sequence[Any], sets: Sequence[FieldSet]) -> Path:
    """The path in the words of managed fields. ``values`` are the objects it may lead into, ``sets`` their sets of fields."""
    left = list(steps)
    path: list[str] = []
    while left:
        lists = [value for value in values if isinstance(value, list)]
        element = _item(left.pop(0), lists, sets) if lists else _name(left, values)
        path.append(element)
        values = [fields.written_child(value, element) for value in values]
        sets = [node[element] for node in sets if element in node]
    return tuple(path)


def _name(left: list[Step], values: Sequence[Any]) -> str:
    """A name that has dots itself (an annotation's) may be written without quotes: the longest one that is there is meant."""
    plain = 0
    while plain < len(left) and isinstance(left[plain], str):
        plain += 1
    for count in range(plain, 1, -1):
        name = ".".join(str(step) for step in left[:count])
        if any(isinstance(value, dict) and name in value for value in values):
            del left[:count]
            return f"f:{name}"
    step = left.pop(0)
    return f"f:{step}" if isinstance(step, str) else f"i:{step}" if isinstance(step, int) else _spelled(step, None)


def _item(step: Step, lists: Sequence[list[Any]], sets: Sequence[FieldSet]) -> str:
    if isinstance(step, str):
        step = int(step) if step.isdecimal() else Item(value=step)
    picked = [(value, _pick(value, step)) for value in lists]
    for value, item in picked:
        if item is MISSING:
            continue
        for node in sets:
            for element in node:
                if element != "." and fields.written_child(value, element) is item:
                    return element
    if isinstance(step, int):
        return f"i:{step}"
    return _spelled(step, next((item for _, item in picked if item is not MISSING), None))


def _pick(items: list[Any], step: int | Item) -> Any:
    if isinstance(step, int):
        return items[step] if step < len(items) else MISSING
    for item in items:
        if step.fields and isinstance(item, dict) and all(_said(item.get(name)) == value for name, value in step.fields):
            return item
        if not step.fields and _said(item) == step.value:
            return item
    return MISSING


def _said(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _spelled(step: Item, item: Any) -> str:
    if not step.fields:
        return f"v:{orjson.dumps(step.value if item is None else item).decode()}"
    found = item if isinstance(item, dict) else {}
    keys = {name: found.get(name, value) for name, value in step.fields}
    return f"k:{orjson.dumps(keys, option=orjson.OPT_SORT_KEYS).decode()}"


def value_at(obj: Any, path: Path) -> Any:
    """What the path leads to, or ``MISSING``."""
    for element in path:
        obj = fields.written_child(obj, element)
    return obj


def concrete(obj: Any, path: Path) -> tuple[str | int, ...] | None:
    """The path by names and places in lists; ``None`` when ``obj`` does not have it."""
    steps: list[str | int] = []
    for element in path:
        below = fields.written_child(obj, element)
        if below is MISSING:
            return None
        if isinstance(obj, list):
            steps.append(next(place for place, item in enumerate(obj) if item is below))
        else:
            steps.append(element[2:])
        obj = below
    return tuple(steps)
