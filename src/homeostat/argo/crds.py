"""The custom resource definitions of Argo CD's kinds, generated from the structs in ``types``.

``python -m homeostat.argo.crds`` writes ``deploy/crds``; a test holds that the files there are what this makes. Names, printer columns, short
names and subresources are those of Argo CD 3.5: Application has no status subresource, so that whoever may write one may also ask for a
sync. A schema accepts whatever Argo CD's accepts. Putting the definitions on a cluster is ``install.py``'s business.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import inspect as shapes

from homeostat.argo.types.application import Application
from homeostat.argo.types.applicationset import ApplicationSet
from homeostat.argo.types.base import Wire
from homeostat.argo.types.project import AppProject
from homeostat.model.objects import Object

GROUP = "argoproj.io"
VERSION = "v1alpha1"

_COLUMNS: list[dict[str, Any]] = [
    {"jsonPath": ".status.sync.status", "name": "Sync Status", "type": "string"},
    {"jsonPath": ".status.health.status", "name": "Health Status", "type": "string"},
    {"jsonPath": ".status.sync.revision", "name": "Revision", "priority": 10, "type": "string"},
    {"jsonPath": ".spec.project", "name": "Project", "priority": 10, "type": "string"},
]


class Kind(msgspec.Struct, frozen=True):
    """How one kind is known to the API server."""

    root: type[Wire]
    plural: str
    short_names: tuple[str, ...]
    columns: tuple[dict[str, Any], ...] = ()
    subresources: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        return f"{self.plural}.{GROUP}"


KINDS = (
    Kind(Application, "applications", ("app", "apps"), columns=tuple(_COLUMNS), subresources={}),
    Kind(ApplicationSet, "applicationsets", ("appset", "appsets"), subresources={"status": {}}),
    Kind(AppProject, "appprojects", ("appproj", "appprojs")),
)


def definitions() -> list[Object]:
    """The three definitions as objects."""
    return [_definition(kind) for kind in KINDS]


def files() -> dict[str, str]:
    """File name in ``deploy/crds`` → YAML."""
    named = zip(("application-crd.yaml", "applicationset-crd.yaml", "appproject-crd.yaml"), definitions(), strict=True)
    return {name: yaml.safe_dump(definition, width=140) for name, definition in named}


def write(folder: Path) -> None:
    """Writes :func:`files` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")


def _definition(kind: Kind) -> Object:
    name = kind.root.__name__
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _schema(shapes.type_info(kind.root))},
    }
    if kind.columns:
        version["additionalPrinterColumns"] = [dict(column) for column in kind.columns]
    if kind.subresources is not None:
        version["subresources"] = kind.subresources
    # The API server fills metadata in by itself; a schema may only say that it is an object.
    version["schema"]["openAPIV3Schema"]["properties"]["metadata"] = {"type": "object"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.name, "labels": {"app.kubernetes.io/name": kind.name, "app.kubernetes.io/part-of": "argocd"}},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": name,
                "listKind": f"{name}List",
                "plural": kind.plural,
                "singular": name.lower(),
                "shortNames": list(kind.short_names),
            },
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def _schema(shape: shapes.Type) -> dict[str, Any]:
    """A structural schema (no references, one type per value) for the shape of a field."""
    match shape:
        case shapes.Metadata(type=inner, extra_json_schema=extra):
            return {**_schema(inner), **(extra or {})}
        case shapes.StructType(cls=cls, fields=fields):
            return _object(cls, fields)
        case shapes.UnionType(types=choices):
            return _choice([choice for choice in choices if not isinstance(choice, shapes.NoneType)])
        case shapes.VarTupleType(item_type=item):
            return {"type": "array", "items": _schema(item)}
        case shapes.DictType(value_type=shapes.AnyType()):
            return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        case shapes.DictType(value_type=value):
            return {"type": "object", "additionalProperties": _schema(value)}
        case shapes.LiteralType(values=values):
            return {"type": "string", "enum": list(values)}
        case shapes.StrType(min_length=shortest, max_length=longest):
            limits = {"minLength": shortest, "maxLength": longest}
            return {"type": "string", **{name: limit for name, limit in limits.items() if limit is not None}}
        case shapes.IntType():
            return {"type": "integer", "format": "int64"}
        case shapes.BoolType():
            return {"type": "boolean"}
    raise TypeError(f"no schema for {shape!r}")


def _object(cls: type[Any], fields: tuple[shapes.Field, ...]) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "description": " ".join((inspect.getdoc(cls) or "").split()),
        "properties": {field.encode_name: _schema(field.type) for field in fields},
    }
    required = sorted(field.encode_name for field in fields if field.required)
    if required:
        schema["required"] = required
    return schema


def _choice(choices: list[shapes.Type]) -> dict[str, Any]:
    if len(choices) == 1:
        return _schema(choices[0])
    if {type(choice) for choice in choices} == {shapes.IntType, shapes.StrType}:
        return {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
    raise TypeError(f"no structural schema for a choice between {choices!r}")


if __name__ == "__main__":
    write(Path(__file__).parents[3] / "deploy" / "crds")
