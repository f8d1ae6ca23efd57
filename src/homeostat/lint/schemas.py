"""Which kinds there are, and their schemas: those of a Kubernetes version, of Argo CD, and of the definitions found in a repository.

A version's schemas ship with the package (``bundle.py`` makes them). A validator is made when its kind is first met. Regular expressions run in linear
time and nothing is fetched, whatever a definition says. What an error of a schema is called is ``validate.py``'s business.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import orjson

from homeostat.argo import crds
from homeostat.lint import bundle, translate
from homeostat.lint.errors import LintError, SchemaError
from homeostat.lint.translate import Schema
from homeostat.model import yaml
from homeostat.model.errors import InvalidError
from homeostat.model.objects import GroupKind, Object

_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.\d+)?(?:[-+].*)?")
_FILE = re.compile(r"kubernetes-(\d+\.\d+)\.json\.gz")


class Kind(msgspec.Struct, frozen=True):
    """One version of a kind. ``custom``: a definition made it. ``open``: nothing is known of its fields. ``deprecated`` is a warning, if any."""

    api_version: str
    kind: str
    namespaced: bool
    schema: Schema
    custom: bool = False
    open: bool = False
    deprecated: str = ""


def versions() -> list[str]:
    """The Kubernetes versions whose schemas ship, newest first."""
    found = [match[1] for path in bundle.FOLDER.iterdir() if (match := _FILE.fullmatch(path.name))]
    return sorted(found, key=lambda version: tuple(map(int, version.split("."))), reverse=True)


class Catalogue:
    """The kinds that are known. Raises :class:`LintError` for a version without schemas."""

    def __init__(self, version: str = "") -> None:
        shipped = versions()
        match = _VERSION.fullmatch(version or shipped[0])
        self.version = f"{match[1]}.{match[2]}" if match else version
        if self.version not in shipped:
            raise LintError(
                f"there are no schemas of Kubernetes {version} here",
                hint=f"those of {', '.join(shipped)} ship; `--schemas` takes the OpenAPI documents of another",
            )
        schemas, kinds = _shipped(self.version)
        self._schemas = dict(schemas)
        self._kinds = dict(kinds)
        self._validators: dict[tuple[str, str], jsonschema_rs.Validator] = {}
        self._registry: jsonschema_rs.Registry | None = None
        for definition in crds.definitions():
            self.define(definition)

    def find(self, api_version: str, kind: str) -> Kind | None:
        """The kind, or ``None`` for one that nobody knows."""
        return self._kinds.get((api_version, kind))

    def versions_of(self, kind: GroupKind) -> list[str]:
        """The ``apiVersion`` values in which there is this kind."""
        return sorted(v for v, name in self._kinds if name == kind.kind and (v.rpartition("/")[0] or "") == kind.group)

    def elsewhere(self, kind: str) -> list[str]:
        """The ``apiVersion`` values of any group that have a kind of this name."""
        return sorted(v for v, name in self._kinds if name == kind)

    def is_namespaced(self, kind: GroupKind) -> bool | None:
        """``None`` for a kind that nobody knows."""
        return next((self._kinds[(v, kind.kind)].namespaced for v in self.versions_of(kind)), None)

    @property
    def api_versions(self) -> tuple[str, ...]:
        """What a chart is told that there is: ``apps/v1`` and ``apps/v1/Deployment``."""
        return tuple(sorted({v for v, _ in self._kinds} | {f"{v}/{kind}" for v, kind in self._kinds}))

    def define(self, definition: Object) -> None:
        """Takes in a CustomResourceDefinition. What is known already is replaced. Raises :class:`SchemaError`."""
        try:
            spec = definition["spec"]
            names, group, namespaced = spec["names"], spec["group"], spec["scope"] != "Cluster"
            for version in spec["versions"]:
                if not version.get("served", True):
                    continue
                schema = (version.get("schema") or {}).get("openAPIV3Schema")
                api_version = f"{group}/{version['name']}"
                warning = version.get("deprecationWarning") or f"{api_version} {names['kind']} is deprecated"
                kind = Kind(
                    api_version,
                    names["kind"],
                    namespaced,
                    translate.custom(schema) if schema is not None else {},
                    custom=True,
                    open=schema is None,
                    deprecated=warning if version.get("deprecated") is True else "",
                )
                self._kinds[(api_version, kind.kind)] = kind
                self._validators.pop((api_version, kind.kind), None)
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SchemaError(f"not a CustomResourceDefinition: {type(error).__name__} at {error}") from error

    def check(self) -> list[tuple[Kind, str]]:
        """The kinds of definitions whose schema is none, and why."""
        wrong = []
        for kind in self._kinds.values():
            if kind.custom:
                try:
                    self.validator(kind)
                except SchemaError as error:
                    wrong.append((kind, error.message))
        return wrong

    def load(self, folder: Path) -> None:
        """Takes in what lies in ``folder``: definitions (YAML), and OpenAPI v3 documents as an API server publishes them (JSON). Raises :class:`LintError`."""
        for path in sorted(folder.rglob("*")):
            if path.suffix not in {".yaml", ".yml", ".json"} or not path.is_file():
                continue
            try:
                documents = (
                    yaml.load_all(path.read_bytes(), name=str(path)) if path.suffix != ".json" else [orjson.loads(path.read_bytes())]
                )
            except (InvalidError, orjson.JSONDecodeError) as error:
                raise LintError(f"{path}: not a schema: {error}") from error
            for document in documents:
                if isinstance(document, dict) and document.get("kind") == "CustomResourceDefinition":
                    self.define(document)
                elif isinstance(document, dict) and isinstance(document.get("components"), dict):
                    schemas, kinds = _read(bundle.cut([document]))
                    self._schemas.update(schemas)
                    self._kinds.update(kinds)
        self._registry = None
        self._validators.clear()

    def validator(self, kind: Kind) -> jsonschema_rs.Validator:
        """Holds objects of ``kind`` against its schema. Raises :class:`SchemaError`."""
        key = (kind.api_version, kind.kind)
        known = self._validators.get(key)
        if known is None:
            if self._registry is None:
                self._registry = jsonschema_rs.Registry([(translate.BASE, {"$defs": self._schemas})], retriever=_refused)
            try:
                known = self._made(kind.schema, self._registry)
            except ValueError as error:
                raise SchemaError(f"{kind.api_version} {kind.kind}: {str(error).splitlines()[0]}") from error
            self._validators[key] = known
        return known

    def field(self, kind: Kind, steps: Iterable[str | int]) -> Schema:
        """The schema of the field at ``steps``; empty where there is none."""
        schema = self._behind(kind.schema)
        for step in steps:
            below = schema.get("items") if isinstance(step, int) else (schema.get("properties") or {}).get(step)
            if below is None:
                below = schema.get("additionalProperties")
            schema = self._behind(below) if isinstance(below, dict) else {}
        return schema

    def _behind(self, schema: Schema) -> Schema:
        return self._schemas.get(schema["$ref"].rpartition("/")[2], {}) if "$ref" in schema else schema

    @staticmethod
    def _made(schema: Schema, registry: jsonschema_rs.Registry) -> jsonschema_rs.Validator:
        return jsonschema_rs.Draft202012Validator(
            schema,
            registry=registry,
            offline=True,
            validate_formats=True,
            formats={"byte": _is_base64},
            pattern_options=jsonschema_rs.RegexOptions(),
            keywords={"x-kubernetes-list-map-keys": _OneOfEachKey},
        )


class _OneOfEachKey:
    """The items of a list are told apart by some of their fields: no two may have the same values there."""

    def __init__(self, _parent: dict[str, Any], value: Any, _path: list[str | int]) -> None:
        self._keys = tuple(value) if isinstance(value, list) else ()

    def validate(self, instance: Any) -> None:
        seen = set()
        for item in instance if isinstance(instance, list) else ():
            if not isinstance(item, dict):
                continue
            # What is left out may have a default, which is the same for all.
            key = orjson.dumps([item.get(name) for name in self._keys])
            if key in seen:
                shown = ", ".join(f"{name}: {item.get(name)}" for name in self._keys if name in item)
                raise ValueError(f"two items have the key {shown}")
            seen.add(key)


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode("".join(text.split("\n")).replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


@cache
def _shipped(version: str) -> tuple[Mapping[str, Schema], Mapping[tuple[str, str], Kind]]:
    return _read(orjson.loads(gzip.decompress((bundle.FOLDER / f"kubernetes-{version}.json.gz").read_bytes())))


def _read(cut: Mapping[str, Any]) -> tuple[dict[str, Schema], dict[tuple[str, str], Kind]]:
    schemas = {name: translate.builtin(schema) for name, schema in cut["schemas"].items()}
    kinds = {}
    for written, told in cut["kinds"].items():
        api_version, _, kind = written.rpartition("/")
        kinds[(api_version, kind)] = Kind(api_version, kind, told["namespaced"], translate.reference(told["schema"]))
    return schemas, kinds


def _refused(address: str) -> Any:
    raise ValueError(f"a schema refers to {address}, and nothing is fetched")
