"""YAML as Kubernetes reads it: the scalars of go-yaml v2, then JSON. For settings and the files of the command line.

PyYAML's own rules would turn ``12:30`` into 750 and a date into an object; here a value is what the API server would make of it. Manifests in
repositories are read by the evaluators, with the real library. Hostile input is bounded: size, nesting, and what aliases expand to.
"""

from __future__ import annotations

import math
import re
from typing import Any, ClassVar

import yaml as pyyaml

from homeostat.model.errors import InvalidError

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 100
MAX_NODES = 1_000_000
"""Values in a document once aliases are written out."""

_BOOLS = {"y": True, "yes": True, "on": True, "true": True, "n": False, "no": False, "off": False, "false": False}
_TRUE_OR_FALSE = re.compile(
    r"^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$",
)
_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
_INT = re.compile(r"^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|0|[1-9][0-9_]*)$")
_FLOAT = re.compile(
    r"^(?:[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_ODD = re.compile(r"^(?:[-+]?[0-9][0-9_]*(?::[0-9]+)+(?:\.[0-9_]*)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*|=)$")
"""What other readers of YAML take for a time, a date or a default: quoted when written, plain strings when read."""

_INDENT = re.compile(r"^[ \-?]+", re.MULTILINE)


class _Loader(pyyaml.CSafeLoader):
    """PyYAML's C loader with the scalars of go-yaml v2, and no types but those of JSON."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own attribute
    yaml_constructors: ClassVar[dict[str | None, Any]] = {}


class _Dumper(pyyaml.CSafeDumper):
    """Quotes every string that the loader above, or another reader of YAML, would take for something else."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own attribute

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def load(text: str | bytes, *, name: str = "") -> Any:
    """The one document in ``text``; ``None`` when it is empty. ``name`` names it in errors. Raises :class:`InvalidError` with the line."""
    values = load_all(text, name=name)
    if len(values) > 1:
        raise InvalidError(f"{_place(name)}expected one YAML document, found {len(values)}")
    return values[0] if values else None


def load_all(text: str | bytes, *, name: str = "") -> list[Any]:
    """All documents in ``text``, empty ones included as ``None``. Raises :class:`InvalidError` with the line."""
    return [value for _, value in documents(text, name=name)]


def documents(text: str | bytes, *, name: str = "") -> list[tuple[pyyaml.Node, Any]]:
    """The same, each with its node, which tells where in ``text`` what is written. Merged keys stand in it as if they were written out."""
    if len(text) > MAX_BYTES:
        raise InvalidError(f"{_place(name)}YAML of {len(text)} bytes is too long, the limit is {MAX_BYTES}")
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        _check_depth(text, name)
        loader = _Loader(text)
        try:
            found = []
            while loader.check_node():
                node = loader.get_node()
                assert node is not None
                _check_size(node, name)
                found.append((node, loader.construct_document(node)))
            return found
        finally:
            loader.dispose()
    except pyyaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 0
        raise InvalidError(f"{_place(name, line)}{error.problem or error.context or 'not valid YAML'}") from error
    except (pyyaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise InvalidError(f"{_place(name)}not valid YAML: {error}") from error


def dump(value: Any) -> str:
    """``value`` (JSON data) as one block-style document, keys in their own order."""
    return pyyaml.dump(value, Dumper=_Dumper, default_flow_style=False, sort_keys=False, allow_unicode=True, width=1_000_000)


def dump_all(values: list[Any]) -> str:
    """Each of ``values`` as a document, with ``---`` between them."""
    return "---\n".join(dump(value) for value in values)


def _place(name: str, line: int = 0) -> str:
    if name and line:
        return f"{name}:{line}: "
    if line:
        return f"line {line}: "
    return f"{name}: " if name else ""


def _check_depth(text: str, name: str) -> None:
    """Before anything recurses: the composer is C code that runs out of stack without an error."""
    opened = text.count("[") + text.count("{")
    if opened < MAX_DEPTH and opened + max(map(len, _INDENT.findall(text)), default=0) < MAX_DEPTH:
        return  # no need to look closer, which takes as long as reading it
    depth = 0
    for event in pyyaml.parse(text, Loader=_Loader):
        if isinstance(event, pyyaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                line = event.start_mark.line + 1 if event.start_mark is not None else 0
                raise InvalidError(f"{_place(name, line)}nested deeper than {MAX_DEPTH} levels")
        elif isinstance(event, pyyaml.CollectionEndEvent):
            depth -= 1


def _check_size(node: pyyaml.Node, name: str) -> None:
    if _size(node, {}) > MAX_NODES:
        raise InvalidError(f"{_place(name)}aliases expand to more than {MAX_NODES} values")


def _size(node: pyyaml.Node, known: dict[int, int]) -> int:
    """The number of values below ``node`` with aliases written out, each node counted once. A node in itself is endless."""
    size = known.get(id(node))
    if size is not None:
        return size
    known[id(node)] = MAX_NODES + 1
    size = 1
    if isinstance(node, pyyaml.SequenceNode):
        size += sum(_size(item, known) for item in node.value)
    elif isinstance(node, pyyaml.MappingNode):
        size += sum(_size(key, known) + _size(value, known) for key, value in node.value)
    known[id(node)] = size
    return size


def _bool(_loader: _Loader, node: pyyaml.ScalarNode) -> bool:
    value = _BOOLS.get(str(node.value).lower())
    if value is None:
        raise pyyaml.constructor.ConstructorError(None, None, f"not a boolean: {node.value}", node.start_mark)
    return value


def _int(_loader: _Loader, node: pyyaml.ScalarNode) -> int | float:
    text = str(node.value).replace("_", "")
    digits = text.lstrip("+-")
    octal = len(digits) > 1 and digits.startswith("0") and digits[1].isdigit()
    number = int(digits, 8 if octal else 0)
    if text.startswith("-"):
        number = -number
    return number if -(2**63) <= number < 2**64 else float(number)


def _float(_loader: _Loader, node: pyyaml.ScalarNode) -> float | int:
    text = str(node.value).replace("_", "").lower()
    value = float(text.replace(".inf", "inf").replace(".nan", "nan"))
    if not math.isfinite(value):
        raise pyyaml.constructor.ConstructorError(None, None, f"{node.value} cannot be written as JSON", node.start_mark)
    # JSON knows numbers, not their spelling: 1e3 is the integer 1000 for Kubernetes.
    return int(value) if "." not in text and "e" in text and value.is_integer() and abs(value) < 2**53 else value


def _map(loader: _Loader, node: pyyaml.MappingNode) -> dict[str, Any]:
    loader.flatten_mapping(node)
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, dict | list):
            raise pyyaml.constructor.ConstructorError(None, None, "a mapping key must be a string", key_node.start_mark)
        mapping[_key(key)] = loader.construct_object(value_node, deep=True)
    return mapping


def _text(dumper: _Dumper, text: str) -> pyyaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)


_TAGS = (("bool", _TRUE_OR_FALSE), ("null", _NULL), ("int", _INT), ("float", _FLOAT))
for _tag, _pattern in _TAGS:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, None)
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, None)
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])
_Dumper.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])
_Dumper.add_implicit_resolver("tag:yaml.org,2002:timestamp", _ODD, None)
_CONSTRUCTORS: dict[str, Any] = {
    "bool": _bool,
    "int": _int,
    "float": _float,
    "map": _map,
    "null": pyyaml.CSafeLoader.construct_yaml_null,
    "str": pyyaml.CSafeLoader.construct_yaml_str,
    "timestamp": pyyaml.CSafeLoader.construct_yaml_str,
    "seq": pyyaml.CSafeLoader.construct_yaml_seq,
}
for _tag, _construct in _CONSTRUCTORS.items():
    _Loader.yaml_constructors[f"tag:yaml.org,2002:{_tag}"] = _construct
_Loader.yaml_constructors[None] = pyyaml.CSafeLoader.construct_undefined
_Dumper.add_representer(str, _text)
