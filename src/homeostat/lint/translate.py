"""Kubernetes' schemas → JSON Schema, so that a library made for it can hold objects against them.

What the API server makes of a schema, and JSON Schema would not (KEP-2885, "Server Side Unknown Field Validation"; the documentation of structural
schemas): a field that is not named is unknown, unless the schema preserves it; ``null`` gives way to a default;
int-or-string, embedded objects, ``nullable``. Rules in CEL are not run. Pure.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

BASE = "kubernetes:schemas"
"""The address under which the schemas of the bundle know each other."""

METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

_AS_IT_IS = (
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "multipleOf",
    "uniqueItems",
    "x-kubernetes-list-map-keys",
)
_INTEGERS = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_FORMATS = frozenset({"byte", "date-time"})
"""The others are passed over: what the API server checks of them differs from what JSON Schema says."""


def reference(name: str) -> Schema:
    """A reference to the schema ``name`` of the bundle."""
    return {"$ref": f"{BASE}#/$defs/{name}"}


def builtin(schema: Schema) -> Schema:
    """A schema of an API server's OpenAPI v3 document, for an object without nulls. An object without properties is free-form."""
    return _translated(schema, custom=False, structural=True)


def custom(schema: Schema) -> Schema:
    """The ``openAPIV3Schema`` of a CustomResourceDefinition, for a whole object: metadata are those of every object."""
    translated = _embedded(_translated(schema, custom=True, structural=True))
    translated["type"] = "object"
    return translated


def _embedded(translated: Schema) -> Schema:
    fields = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    return {**translated, "properties": {**fields, **translated.get("properties", {}), "metadata": reference(METADATA)}}


def _translated(schema: Schema, *, custom: bool, structural: bool) -> Schema:
    """``structural``: what stands here names the fields that there are; else it only adds conditions (``allOf``, ``not``, …)."""
    named = schema.get("$ref") or next((part["$ref"] for part in schema.get("allOf", ()) if isinstance(part, dict) and "$ref" in part), "")
    if named and not custom:
        return reference(str(named).rpartition("/")[2])
    out: Schema = {name: schema[name] for name in _AS_IT_IS if name in schema}
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        return {**out, "type": ["integer", "string", *(["null"] if schema.get("nullable") else [])]}
    _limits(schema, out)
    kind = schema.get("type")
    if kind:
        out["type"] = [kind, "null"] if schema.get("nullable") else kind
    for junction in ("allOf", "anyOf", "oneOf"):
        if schema.get(junction):
            out[junction] = [_translated(part, custom=custom, structural=False) for part in schema[junction]]
    if isinstance(schema.get("not"), dict):
        out["not"] = _translated(schema["not"], custom=custom, structural=False)
    if isinstance(schema.get("items"), dict):
        out["items"] = _translated(schema["items"], custom=custom, structural=structural)
    _fields(schema, out, custom=custom, structural=structural)
    return out


def _fields(schema: Schema, out: Schema, *, custom: bool, structural: bool) -> None:
    properties, required = schema.get("properties") or {}, schema.get("required") or []
    if required:
        out["required"] = required
    if properties:
        out["properties"] = {
            name: _translated(below, custom=custom, structural=structural)
            if name in required or "default" not in below or not structural
            else _or_null(_translated(below, custom=custom, structural=structural))
            for name, below in properties.items()
        }
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        out["additionalProperties"] = _translated(others, custom=custom, structural=structural)
    elif others is None and structural and (properties or (custom and schema.get("type") == "object")):
        out.setdefault("properties", {})  # without, the library does not tell which field is one too many
        out["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    if schema.get("x-kubernetes-embedded-resource"):
        out.update(_embedded(out))
        out["required"] = [*dict.fromkeys([*required, "apiVersion", "kind"])]


def _or_null(schema: Schema) -> Schema:
    """A null gives way to the default, where there is one. Server-side apply refuses all others."""
    kind = schema.get("type")
    if isinstance(kind, str):
        schema["type"] = [kind, "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    elif isinstance(kind, list) and "null" not in kind:
        schema["type"] = [*kind, "null"]
    return schema


def _limits(schema: Schema, out: Schema) -> None:
    form = schema.get("format")
    if schema.get("type") == "integer" and form in _INTEGERS:
        least, most = _INTEGERS[form]
        out["minimum"] = max(least, out.get("minimum", least))
        out["maximum"] = min(most, out.get("maximum", most))
    elif form in _FORMATS:
        out["format"] = form
    # A switch in OpenAPI 3.0, the limit itself in JSON Schema.
    for switch, limit, exclusive in (
        ("exclusiveMinimum", "minimum", "exclusiveMinimum"),
        ("exclusiveMaximum", "maximum", "exclusiveMaximum"),
    ):
        if schema.get(switch) is True and limit in out:
            out[exclusive] = out.pop(limit)
