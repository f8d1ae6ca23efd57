"""One object against the schema of its kind: what is wrong, where, and in which words.

What a server ignores on a write (a required field in the status) is passed over. A value of a Secret never stands in a message.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, NamedTuple

from jsonschema_rs import ValidationError, ValidationErrorKind

from homeostat.lint.findings import path_text
from homeostat.lint.schemas import Catalogue, Kind
from homeostat.model.objects import Object

MAX_TOLD = 50
"""How many faults of one object are told."""

_LONGEST = 80
_DEEPEST = 200


class Fault(NamedTuple):
    """``steps`` lead to the value that is wrong; where a field is missing, to what lacks it."""

    rule: str
    steps: tuple[str | int, ...]
    message: str
    hint: str = ""


def faults(catalogue: Catalogue, kind: Kind, obj: Object) -> list[Fault]:
    """What is wrong with ``obj``; the metadata of every object are checked too. Raises :class:`SchemaError` when the schema is none."""
    if kind.open:
        return []
    subject = _for_builtin(obj) if not kind.custom else {**obj, "metadata": _for_builtin(obj.get("metadata") or {})}
    found: list[Fault] = []
    secret = kind.kind == "Secret" and kind.api_version == "v1"
    for error in catalogue.validator(kind).iter_errors(subject):
        found += _told(catalogue, kind, error, hidden=secret)
        if len(found) >= MAX_TOLD:
            break
    return list(dict.fromkeys(found))


def _for_builtin(value: Any, depth: int = 0) -> Any:
    """Without nulls: for a built-in kind they are as good as nothing, wherever they stand in a mapping."""
    if depth > _DEEPEST:
        return value
    if isinstance(value, dict):
        return {name: _for_builtin(below, depth + 1) for name, below in value.items() if below is not None}
    return [_for_builtin(item, depth + 1) for item in value] if isinstance(value, list) else value


def _told(catalogue: Catalogue, kind: Kind, error: ValidationError, *, hidden: bool) -> Iterator[Fault]:
    steps = tuple(error.instance_path)
    match error.kind:
        case ValidationErrorKind.AdditionalProperties(unexpected=names):
            fields = catalogue.field(kind, steps).get("properties") or {}
            for name in names:
                near = difflib.get_close_matches(name, fields, n=1, cutoff=0.6)
                where = f"{path_text(steps)}." if steps else ""
                hint = f"did you mean {near[0]}?" if near else _listed(fields)
                yield Fault("unknown-field", (*steps, name), f"unknown field {where}{name}", hint)
        case ValidationErrorKind.Required(property=name):
            if steps[:1] != ("status",):
                yield Fault("required", steps, f"{path_text((*steps, name))} is required")
        case ValidationErrorKind.Custom(message=message):
            # The fields that are keys may be anything but the values of a Secret, which has no such lists.
            yield Fault("duplicate-item", steps, f"{path_text(steps)}: {message.removeprefix('ValueError: ')}")
        case ValidationErrorKind.Format(format="byte"):
            yield Fault("schema", steps, f"{path_text(steps)}: expected base64", "`stringData` takes plain text" if hidden else "")
        case ValidationErrorKind.OneOfNotValid() | ValidationErrorKind.AnyOf() if _of_types(catalogue.field(kind, steps)):
            types = _of_types(catalogue.field(kind, steps))
            yield Fault("schema", steps, f"{path_text(steps)}: expected {types}, found {_shown(error.instance, hidden=hidden)}")
        case ValidationErrorKind.Type():
            expected = _types(catalogue.field(kind, steps).get("type"))
            found = _shown(error.instance, hidden=hidden)
            if expected:
                yield Fault("schema", steps, f"{path_text(steps)}: expected {expected}, found {found}", _quoting(expected, error.instance))
            else:
                yield Fault("schema", steps, f"{path_text(steps)}: a value of another type was expected, found {found}")
        case ValidationErrorKind.Enum(options=options):
            near = difflib.get_close_matches(str(error.instance), [str(one) for one in options], n=1, cutoff=0.6)
            allowed = ", ".join(str(option) for option in options if option is not None)
            message = f"{path_text(steps)}: expected one of {allowed}; found {_shown(error.instance, hidden=hidden)}"
            yield Fault("schema", steps, message, f"did you mean {near[0]}?" if near else "")
        case _:
            text = error.message if not hidden else f"a value that `{error.kind.name}` does not allow"
            yield Fault("schema", steps, f"{path_text(steps)}: {_short(text)}")


def _listed(fields: dict[str, Any]) -> str:
    return f"the fields here are {', '.join(sorted(fields))}" if 0 < len(fields) <= 8 else ""


def _of_types(schema: dict[str, Any]) -> str:
    """``string or number`` for a schema that is nothing but a choice of types (a quantity)."""
    parts = schema.get("oneOf") or schema.get("anyOf") or ()
    kinds = [part.get("type") for part in parts if isinstance(part, dict) and set(part) <= {"type"}]
    return _types(kinds) if kinds and len(kinds) == len(parts) else ""


def _types(kinds: Any) -> str:
    names = [kinds] if isinstance(kinds, str) else [kind for kind in kinds or () if isinstance(kind, str) and kind != "null"]
    words = {
        "array": "a list",
        "object": "a mapping",
        "string": "a string",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
    }
    return " or ".join(words.get(name, name) for name in names)


def _quoting(expected: str, found: Any) -> str:
    if found is None:
        return "leave the field out: server-side apply refuses null here"
    return "put it in quotes" if expected == "a string" and isinstance(found, bool | int | float) else ""


def _shown(value: Any, *, hidden: bool) -> str:
    words = {dict: "a mapping", list: "a list", type(None): "null"}
    word = words.get(type(value))
    if word:
        return word
    if isinstance(value, str):
        return "a string" if hidden else f"the string {_short(repr(value))}"
    if isinstance(value, bool):
        return "a boolean" if hidden else str(value).lower()
    return "a number" if hidden else f"the number {value}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST * 2 else f"{text[: _LONGEST * 2]}…"
