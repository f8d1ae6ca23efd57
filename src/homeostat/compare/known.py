"""Known types of fields: two spellings of one quantity (``1000m`` and ``1``) or one duration are no difference.

The API server normalises the fields of its own kinds, and so the echo is spelled as live is. Of custom resources it keeps what was written, which
their controllers may write anew. ``resource.customizations.knownTypeFields.<group_kind>`` says which of their fields hold a type of Kubernetes;
Argo CD knows of Rollouts without being told. A type is described by where in it there are quantities: types that have none need no entry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final, TypeAlias

from homeostat.compare.fields import Path
from homeostat.model import durations
from homeostat.model.objects import GroupKind
from homeostat.model.settings import KnownType

Shape: TypeAlias = Mapping[str, Any] | str
"""``QUANTITY``, ``DURATION``, or the fields that lead to some; ``*`` is any field. Lists are walked through."""

TypedFields: TypeAlias = tuple[tuple[tuple[str, ...], Shape], ...]
"""Paths of fields and what is in them."""

QUANTITY: Final = "quantity"
DURATION: Final = "duration"

_LIST: Final = {"*": QUANTITY}
_REQUIREMENTS: Final = {"limits": _LIST, "requests": _LIST}
_DIVISOR: Final = {"resourceFieldRef": {"divisor": QUANTITY}}
_ENV: Final = {"valueFrom": _DIVISOR}
_CONTAINER: Final = {"resources": _REQUIREMENTS, "env": _ENV}
_CLAIM_SPEC: Final = {"resources": _REQUIREMENTS}
_CLAIM_TEMPLATE: Final = {"spec": _CLAIM_SPEC}
_EMPTY_DIR: Final = {"sizeLimit": QUANTITY}
_DOWNWARD: Final = {"items": _DIVISOR}
_PROJECTED: Final = {"sources": {"downwardAPI": _DOWNWARD}}
_EPHEMERAL: Final = {"volumeClaimTemplate": _CLAIM_TEMPLATE}
_VOLUME: Final = {"emptyDir": _EMPTY_DIR, "ephemeral": _EPHEMERAL, "downwardAPI": _DOWNWARD, "projected": _PROJECTED}
_POD_SPEC: Final = {
    "containers": _CONTAINER,
    "initContainers": _CONTAINER,
    "ephemeralContainers": _CONTAINER,
    "volumes": _VOLUME,
    "overhead": _LIST,
    "resources": _REQUIREMENTS,
}
_POD: Final = {"spec": _POD_SPEC}
_LIMIT_ITEM: Final = dict.fromkeys(("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"), _LIST)
_LIMITS: Final = {"limits": _LIMIT_ITEM}
_QUOTA: Final = {"hard": _LIST}
_VOLUME_SPEC: Final = {"capacity": _LIST}

_TYPES: Final[Mapping[str, Shape]] = {
    "core/Quantity": QUANTITY,
    "meta/v1/Duration": DURATION,
    "core/v1/ResourceList": _LIST,
    "core/v1/ResourceRequirements": _REQUIREMENTS,
    "core/v1/VolumeResourceRequirements": _REQUIREMENTS,
    "core/v1/ResourceFieldSelector": {"divisor": QUANTITY},
    "core/v1/EnvVar": _ENV,
    "core/v1/EnvVarSource": _DIVISOR,
    "core/v1/Container": _CONTAINER,
    "core/v1/EphemeralContainer": _CONTAINER,
    "core/v1/EphemeralContainerCommon": _CONTAINER,
    "core/v1/EmptyDirVolumeSource": _EMPTY_DIR,
    "core/v1/EphemeralVolumeSource": _EPHEMERAL,
    "core/v1/DownwardAPIProjection": _DOWNWARD,
    "core/v1/DownwardAPIVolumeFile": _DIVISOR,
    "core/v1/DownwardAPIVolumeSource": _DOWNWARD,
    "core/v1/ProjectedVolumeSource": _PROJECTED,
    "core/v1/VolumeProjection": {"downwardAPI": _DOWNWARD},
    "core/v1/Volume": _VOLUME,
    "core/v1/VolumeSource": _VOLUME,
    "core/v1/PodSpec": _POD_SPEC,
    "core/v1/Pod": _POD,
    "core/v1/PodTemplateSpec": _POD,
    "core/v1/PodTemplate": {"template": _POD},
    "core/v1/ReplicationControllerSpec": {"template": _POD},
    "core/v1/PersistentVolumeClaim": _CLAIM_TEMPLATE,
    "core/v1/PersistentVolumeClaimSpec": _CLAIM_SPEC,
    "core/v1/PersistentVolumeClaimTemplate": _CLAIM_TEMPLATE,
    "core/v1/PersistentVolume": {"spec": _VOLUME_SPEC},
    "core/v1/PersistentVolumeSpec": _VOLUME_SPEC,
    "core/v1/LimitRange": {"spec": _LIMITS},
    "core/v1/LimitRangeSpec": _LIMITS,
    "core/v1/LimitRangeItem": _LIMIT_ITEM,
    "core/v1/ResourceQuota": {"spec": _QUOTA},
    "core/v1/ResourceQuotaSpec": _QUOTA,
}

_BUILT_IN: Final = (KnownType("argoproj.io", "Rollout", "spec.template.spec", "core/v1/PodSpec"),)
_CORE_TYPE: Final = re.compile(r"core/v1/[A-Z][A-Za-z0-9]*")


def is_known(name: str) -> bool:
    """Whether ``name`` is the name of a type that can be named in settings: any of the core API's, ``core/Quantity`` or ``meta/v1/Duration``."""
    return name in _TYPES or _CORE_TYPE.fullmatch(name) is not None


@lru_cache(maxsize=4096)
def typed_fields(known: tuple[KnownType, ...], kind: GroupKind) -> TypedFields:
    """The typed fields of ``kind``: what the settings say, else what is built in."""
    chosen = [one for one in known if (one.group, one.kind) == kind] or [one for one in _BUILT_IN if (one.group, one.kind) == kind]
    return tuple((tuple(one.field.split(".")), _TYPES[one.type]) for one in chosen if one.type in _TYPES)


def same(typed: TypedFields, path: Path, one: Any, other: Any) -> bool:
    """Whether two values of the field at ``path`` (or of what contains typed fields) differ in nothing but the spelling of typed fields."""
    names = tuple(element[2:] for element in path if element[0] == "f")
    for field, shape in typed:
        inner = _below(shape, names[len(field) :]) if names[: len(field)] == field else _around(field[len(names) :], shape, field, names)
        if inner is not None and _spelled(one, inner) == _spelled(other, inner):
            return True
    return False


def _below(shape: Shape, names: tuple[str, ...]) -> Shape | None:
    for name in names:
        if isinstance(shape, str):
            return None
        found = shape.get(name, shape.get("*"))
        if found is None:
            return None
        shape = found
    return shape


def _around(rest: tuple[str, ...], shape: Shape, field: tuple[str, ...], names: tuple[str, ...]) -> Shape | None:
    if field[: len(names)] != names:
        return None
    for name in reversed(rest):
        shape = {name: shape}
    return shape


def _spelled(value: Any, shape: Shape) -> Any:
    """``value`` with one spelling of everything that ``shape`` knows."""
    if isinstance(value, list):
        return [_spelled(item, shape) for item in value]
    if shape == QUANTITY:
        return _quantity(value)
    if shape == DURATION:
        return _duration(value)
    if isinstance(value, dict) and not isinstance(shape, str):
        return {name: _spelled(below, found) if (found := shape.get(name, shape.get("*"))) else below for name, below in value.items()}
    return value


_QUANTITY: Final = re.compile(r"([+-]?(?:\d{1,40}\.?\d{0,40}|\.\d{1,40}))(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?\d{1,2}))?", re.ASCII)
_SUFFIXES: Final = {
    **{suffix: Fraction(1000) ** power for suffix, power in zip("numkMGTPE", (-3, -2, -1, 1, 2, 3, 4, 5, 6), strict=True)},
    **{f"{letter}i": Fraction(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}


def _quantity(value: Any) -> Any:
    """The number that a quantity stands for (``resource.Quantity``); what is none stays as it is."""
    if type(value) is int or type(value) is float:
        value = str(value)
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    number, suffix, exponent = found.groups()
    factor = _SUFFIXES[suffix] if suffix else Fraction(10) ** int(exponent or 0)
    return QUANTITY, Fraction(number) * factor


def _duration(value: Any) -> Any:
    try:
        return durations.parse(value) if isinstance(value, str) else value
    except ValueError:
        return value
