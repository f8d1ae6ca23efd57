"""Reading fields of objects that may hold anything: the object may come from a file, and a CRD may have no schema.

An absent field and ``null`` read as the zero value, as in the API's own types. A field of the wrong type raises :class:`MalformedError`, which
becomes health Unknown with its message. What the fields mean belongs to the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from homeostat.model.errors import InvalidError

Fields: TypeAlias = Mapping[str, Any]

_NAMES = {dict: "a mapping", list: "a list", str: "a string", bool: "a boolean", int: "an integer", float: "a number"}
_NOTHING: Fields = {}


class MalformedError(InvalidError):
    """A field that is not what the API says it is."""

    def __init__(self, field: str, *, expected: str, found: Any) -> None:
        super().__init__(f"{field}: expected {expected}, found {_NAMES.get(type(found), type(found).__name__)}")


def mapping(fields: Fields, *path: str) -> Fields:
    """The mapping at ``path``; an empty one when it is not there."""
    for depth, name in enumerate(path, start=1):
        found = fields.get(name)
        if found is None:
            return _NOTHING
        if not isinstance(found, dict):
            raise MalformedError("." + ".".join(path[:depth]), expected="a mapping", found=found)
        fields = found
    return fields


def items(fields: Fields, name: str) -> list[Fields]:
    """The list of mappings ``name``."""
    found = fields.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise MalformedError(name, expected="a list", found=found)
    for item in found:
        if not isinstance(item, dict):
            raise MalformedError(f"{name}[]", expected="a mapping", found=item)
    return found


def maybe_number(fields: Fields, name: str) -> int | None:
    """The integer ``name``; ``None`` when it is not there, which for ``replicas`` is not the same as 0."""
    found = fields.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int):
        raise MalformedError(name, expected="an integer", found=found)
    return found


def number(fields: Fields, name: str) -> int:
    return maybe_number(fields, name) or 0


def text(fields: Fields, name: str) -> str:
    found = fields.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise MalformedError(name, expected="a string", found=found)
    return found


def flag(fields: Fields, name: str) -> bool:
    found = fields.get(name)
    if found is None:
        return False
    if not isinstance(found, bool):
        raise MalformedError(name, expected="a boolean", found=found)
    return found


def condition(status: Fields, kind: str) -> Fields | None:
    """The condition of this type, or ``None``."""
    return next((found for found in items(status, "conditions") if found.get("type") == kind), None)
