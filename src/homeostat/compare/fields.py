"""Sets of fields, as ``metadata.managedFields`` writes them (fieldsV1), and what can be done with them.

A set stays the nested dictionary that came over the wire: nothing is parsed until a path has to be shown. Its keys are path elements:

- ``f:NAME`` a field, ``k:{"name":"web"}`` the item of a list with these key fields, ``v:"x"`` an item of a set by its value, ``i:2`` an item
  by its place;
- ``.`` says that the element which holds it is itself in the set, beside its children; an element without children always is.

Pure, and on the hot path: every event of a managed object comes through here. Who owns what, and what follows, is ``drift``'s business.
Format: structured-merge-diff, ``fieldpath/serialize-pe.go`` and ``serialize.go``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, Final, TypeAlias

import orjson

FieldSet: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str, ...]


class Missing(Enum):
    """The value of a path that an object does not have; ``null`` is a value."""

    token = 0


MISSING: Final = Missing.token
EMPTY: Final[Mapping[str, Any]] = {}


@lru_cache(maxsize=16384)
def _parse(element: str) -> tuple[tuple[str, Any], ...] | Any:
    """The key fields of a ``k:`` element, the value of a ``v:``, the number of an ``i:``; ``MISSING`` for what is none of them."""
    try:
        value = orjson.loads(element[2:])
    except orjson.JSONDecodeError:
        return MISSING
    if element[0] != "k":
        return value
    return tuple(value.items()) if isinstance(value, dict) and value else MISSING


def child(value: Any, element: str) -> Any:
    """What ``element`` names in ``value``, or ``MISSING``."""
    first = element[0]
    if first == "f":
        return value.get(element[2:], MISSING) if type(value) is dict else MISSING
    if type(value) is not list:
        return MISSING
    wanted = _parse(element)
    if wanted is MISSING:
        return MISSING
    if first == "k":
        for item in value:
            if type(item) is dict:
                for name, key in wanted:
                    if item.get(name) != key:
                        break
                else:
                    return item
        return MISSING
    if first == "v":
        return next((item for item in value if item == wanted and type(item) is type(wanted)), MISSING)
    if first == "i" and type(wanted) is int and -1 < wanted < len(value):
        return value[wanted]
    return MISSING


def key_of(element: str) -> Mapping[str, Any]:
    """The key fields of a ``k:`` element and their values; empty for any other."""
    wanted = _parse(element) if element[0] == "k" else MISSING
    return EMPTY if wanted is MISSING else dict(wanted)


def is_member(node: Mapping[str, Any]) -> bool:
    """Whether the element above ``node`` is itself in the set."""
    return not node or "." in node


def contains(fields: Mapping[str, Any], path: Path) -> bool:
    """Whether ``path`` itself is in the set."""
    node = lookup(fields, path)
    return node is not None and is_member(node)


def lookup(fields: Mapping[str, Any], path: Path) -> Mapping[str, Any] | None:
    """The part of the set below ``path``, or ``None`` when it holds nothing there."""
    node: Mapping[str, Any] | None = fields
    for element in path:
        node = node.get(element) if node is not None else None
    return node


def single(path: Path) -> FieldSet:
    """The set that holds ``path`` and nothing else."""
    node: FieldSet = {}
    for element in reversed(path):
        node = {element: node}
    return node


def union(one: Mapping[str, Any], other: Mapping[str, Any]) -> FieldSet:
    """What is in either. Both stay as they are; the answer may share parts with them."""
    if one == other:
        return dict(one)
    result = dict(one)
    for element, theirs in other.items():
        ours = result.get(element)
        if ours is None or ours == theirs:
            result[element] = theirs
            continue
        merged = union(ours, theirs)
        if merged and (not ours or not theirs):
            merged["."] = {}
        result[element] = merged
    return result


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> FieldSet:
    """What is in ``one`` and not in ``other``, path by path: a set that holds ``spec`` says nothing of ``spec.replicas``."""
    result: FieldSet = {}
    for element, ours in one.items():
        if element == ".":
            if element not in other:
                result[element] = ours
            continue
        theirs = other.get(element)
        if theirs is None:
            result[element] = ours
            continue
        if not ours:
            if not is_member(theirs):
                result[element] = ours
            continue
        if ours == theirs:
            continue
        rest = difference(ours, theirs or _MEMBER)
        if len(rest) == 1 and "." in rest:
            rest = {}
        elif not rest:
            continue
        result[element] = rest
    return result


_MEMBER: Final[Mapping[str, Any]] = {".": {}}


def restrict(fields: Mapping[str, Any], value: Any) -> FieldSet:
    """The part of the set whose paths ``value`` has. Key fields that an item leaves out (their default is meant) match anything."""
    result: FieldSet = {}
    for element, node in fields.items():
        if element == ".":
            result[element] = node
            continue
        below = written_child(value, element)
        if below is MISSING or below is None:
            continue
        if not node:
            result[element] = node
            continue
        rest = restrict(node, below)
        if len(rest) == 1 and "." in rest:
            rest = {}
        elif not rest:
            continue
        result[element] = rest
    return result


def written_child(value: Any, element: str) -> Any:
    """Like :func:`child`, in an object as somebody wrote it: an item may leave out key fields whose default is meant (``protocol: TCP``)."""
    found = child(value, element)
    if found is not MISSING or element[0] != "k" or type(value) is not list:
        return found
    wanted = _parse(element)
    if wanted is MISSING:
        return MISSING
    for item in value:
        if isinstance(item, dict):
            known = [(name, key) for name, key in wanted if name in item]
            if known and all(item[name] == key for name, key in known):
                return item
    return MISSING


def project(value: Any, fields: Mapping[str, Any]) -> Any:
    """``value`` with nothing but what the set holds, in its own shape; ``MISSING`` when nothing of it is there.

    What is below an element without children is kept whole. Items of lists stay in the order of ``value`` and keep their key fields.
    The answer shares its leaves with ``value``.
    """
    if not fields:
        return value
    if type(value) is dict:
        result: dict[str, Any] = {}
        for element, node in fields.items():
            if element[0] != "f":
                continue
            name = element[2:]
            below = value.get(name, MISSING)
            if below is MISSING:
                continue
            if node:
                below = project(below, node)
                if below is MISSING:
                    continue
            result[name] = below
        return result if result or "." in fields else MISSING
    if type(value) is list:
        return _project_items(value, fields)
    return value if "." in fields else MISSING


def _project_items(items: list[Any], fields: Mapping[str, Any]) -> Any:
    found: list[tuple[int, Any]] = []
    places = {id(item): place for place, item in enumerate(items)}
    for element, node in fields.items():
        item = MISSING if element == "." else child(items, element)
        if item is MISSING:
            continue
        below = project(item, node)
        if element[0] == "k" and node and (below is MISSING or type(below) is dict):
            keys = {name: item[name] for name, _ in _parse(element) if name in item}
            below = keys if below is MISSING else keys | below
        if below is not MISSING:
            found.append((places[id(item)], below))
    if not found and "." not in fields:
        return MISSING
    found.sort(key=lambda pair: pair[0])
    return [item for _, item in found]


def without(value: Any, fields: Mapping[str, Any]) -> Any:
    """``value`` without the fields of the set; what is left empty by that goes, too. Nothing is changed in place."""
    if type(value) is dict:
        kept: dict[str, Any] = {}
        for name, item in value.items():
            below = fields.get(f"f:{name}")
            rest = item if below is None else without(item, below) if below else None
            if below is None or rest:
                kept[name] = rest
        return kept
    if type(value) is list:
        named = [(child(value, element), below) for element, below in fields.items() if element != "."]
        items = []
        for item in value:
            below = next((below for found, below in named if found is item), None)
            rest = item if below is None else without(item, below) if below else None
            if below is None or rest:
                items.append(rest)
        return items
    return value


def members(fields: Mapping[str, Any], above: Path = ()) -> Iterator[Path]:
    """Every path in the set."""
    for element, node in fields.items():
        if element == ".":
            continue
        path = (*above, element)
        if is_member(node):
            yield path
        if node:
            yield from members(node, path)


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")


def readable(path: Path) -> str:
    """``path`` as people write it: ``.spec.template.spec.containers[name=web].image``, ``.metadata.labels["a/b"]``."""
    return "".join(map(_readable, path)) or "."


@lru_cache(maxsize=16384)
def _readable(element: str) -> str:
    kind = element[:1]
    name = element[2:]
    if kind == "f":
        return f".{name}" if _PLAIN.match(name) else f"[{orjson.dumps(name).decode()}]"
    wanted = _parse(element)
    if kind == "k" and wanted is not MISSING:
        return "[" + ",".join(f"{key}={_scalar(value)}" for key, value in wanted) + "]"
    if kind == "v":
        return f"[={_scalar(wanted)}]" if wanted is not MISSING else f"[={name}]"
    return f"[{name}]"


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
