"""From manifests to desired objects: checked, in their namespace, marked as the app's, each key once (reference 1.6, 2.2).

Pure: what the cluster knows comes in as ``scope``. Manifests are not changed; what differs is copied.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from homeostat.model.errors import InvalidError
from homeostat.model.manifest import Desired, Manifest, Origin
from homeostat.model.objects import GroupKind, Key, Object, split_api_version
from homeostat.model.tracking import Tracking

REPEATED = "RepeatedResourceWarning"
EXCLUDED = "ExcludedResourceWarning"

Scope = Callable[[GroupKind], bool | None]
"""True: namespaced. False: cluster-scoped. None: a kind that the cluster does not know."""


def nothing(_kind: GroupKind) -> bool:
    """No kind is excluded."""
    return False


class Normalised(msgspec.Struct, frozen=True):
    """``problems`` say what is wrong with which manifest: with any, the app has no desired state. ``warnings`` are (condition type, message).

    ``unknown`` says, for objects of a kind that neither the cluster nor a CustomResourceDefinition of the same app has, where they stand; they
    are desired all the same, and taken for namespaced as Argo CD does: the kind may come later.
    """

    desired: dict[Key, Desired]
    problems: tuple[str, ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()
    unknown: dict[Key, str] = msgspec.field(default_factory=dict)


def normalise(
    manifests: Iterable[Manifest],
    *,
    scope: Scope,
    namespace: str,
    tracking: Tracking,
    app_id: str,
    excluded: Callable[[GroupKind], bool] = nothing,
) -> Normalised:
    """The desired objects of the app ``app_id``, whose destination is ``namespace``. Of several with one key the last counts.

    Objects of ``excluded`` kinds are left out, with a warning each.
    """
    manifests = tuple(manifests)
    brought = _scopes_brought(manifests)
    desired: dict[Key, Desired] = {}
    problems: list[str] = []
    unknown: dict[Key, str] = {}
    places: dict[Key, list[Origin]] = {}
    for number, manifest in enumerate(manifests):
        try:
            kind = check(manifest.object)
            namespaced = scope(kind)
            if namespaced is None:
                namespaced = brought.get(kind)
            obj = _placed(manifest.object, namespaced is not False, namespace)
            tracking.mark(obj, app_id=app_id, namespace=namespace)
        except InvalidError as error:
            problems.append(_at(manifest.origin, str(error)))
            continue
        metadata = obj["metadata"]
        # An object with generateName gets its name when it is created: until then its place in the app tells it from others.
        name = metadata.get("name") or f"{metadata['generateName']}{number}"
        key = Key(kind.group, kind.kind, metadata.get("namespace") or "", name)
        if namespaced is None:
            unknown[key] = _at(manifest.origin, f"the cluster has no kind {kind.kind} in {manifest.object['apiVersion']} ({key})")
        desired.pop(key, None)  # the last one counts, and stands where it stands
        desired[key] = Desired(key, obj, manifest.origin)
        places.setdefault(key, []).append(manifest.origin)
    warnings = tuple((REPEATED, _repeated(key, origins)) for key, origins in places.items() if len(origins) > 1)
    for key in [key for key in desired if excluded(key.group_kind)]:
        del desired[key]
        unknown.pop(key, None)
        warnings += ((EXCLUDED, f"Resource {key.group}/{key.kind} {key.name} is excluded in the settings"),)
    return Normalised(desired, tuple(problems), warnings, unknown)


def check(obj: Object) -> GroupKind:
    """The kind of ``obj``, once it has all that makes an object one; raises :class:`InvalidError` that names the field, never a value of it."""
    api_version, kind = obj.get("apiVersion"), obj.get("kind")
    if not isinstance(kind, str) or not kind:
        raise InvalidError("Object 'Kind' is missing: a manifest needs apiVersion, kind and metadata.name")
    if not isinstance(api_version, str) or not api_version or api_version.count("/") > 1:
        raise InvalidError(f"{kind}: apiVersion is missing or not of the form group/version")
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        raise InvalidError(f"{kind}: metadata is missing or not a mapping")
    for field in ("name", "generateName", "namespace"):
        value = metadata.get(field)
        if value is not None and not isinstance(value, str):
            raise InvalidError(f"{kind}: metadata.{field} must be a string, found {_called(value)}")
    name = metadata.get("name") or metadata.get("generateName")
    if not name:
        raise InvalidError(f"{kind}: metadata.name is missing")
    for field in ("labels", "annotations"):
        _check_texts(f"{kind} {name}: metadata.{field}", metadata.get(field))
    return GroupKind(split_api_version(api_version)[0], kind)


def _check_texts(field: str, texts: Any) -> None:
    if texts is None:
        return
    if not isinstance(texts, dict):
        raise InvalidError(f"{field} must be a mapping of strings, found {_called(texts)}")
    for name, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise InvalidError(f"{field}.{name} must be a string, found {_called(text)}; put it in quotes")


def _called(value: Any) -> str:
    match value:
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return type(value).__name__


def _placed(obj: Object, namespaced: bool, namespace: str) -> Object:
    """A copy of ``obj`` in its namespace, deep enough for the tracking marks to be set."""
    metadata = dict(obj["metadata"])
    for field in ("labels", "annotations"):
        if isinstance(metadata.get(field), dict):
            metadata[field] = dict(metadata[field])
    if not namespaced:
        metadata.pop("namespace", None)
    elif not metadata.get("namespace"):
        if namespace:
            metadata["namespace"] = namespace
        else:
            metadata.pop("namespace", None)
    return {**_data_of_secret(obj), "metadata": metadata}


def _data_of_secret(obj: Object) -> Object:
    """A Secret with its ``stringData`` where the server will put it: what is owned under ``stringData`` could never be dropped again."""
    texts = obj.get("stringData")
    if obj.get("kind") != "Secret" or obj.get("apiVersion") != "v1" or not isinstance(texts, dict):
        return obj
    data = obj.get("data")
    if not isinstance(data, dict | None) or not all(isinstance(text, str) for text in texts.values()):
        return obj  # the server says what is wrong with it
    encoded = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
    return {**{field: value for field, value in obj.items() if field != "stringData"}, "data": {**(data or {}), **encoded}}


def _scopes_brought(manifests: tuple[Manifest, ...]) -> dict[GroupKind, bool]:
    """The scopes of the kinds that the app's own CustomResourceDefinitions will bring."""
    scopes: dict[GroupKind, bool] = {}
    for manifest in manifests:
        if manifest.object.get("kind") != "CustomResourceDefinition":
            continue
        spec = manifest.object.get("spec")
        names = spec.get("names") if isinstance(spec, dict) else None
        if isinstance(spec, dict) and isinstance(names, dict):
            kind = GroupKind(str(spec.get("group") or ""), str(names.get("kind") or ""))
            scopes[kind] = spec.get("scope") != "Cluster"
    return scopes


def _repeated(key: Key, origins: list[Origin]) -> str:
    message = f"Resource {key.group}/{key.kind}/{key.namespace}/{key.name} appeared {len(origins)} times among application resources."
    where = [str(origin) for origin in origins]
    return f"{message} It stands in {', '.join(where)}: the last one is used." if all(where) else message


def _at(origin: Origin, message: str) -> str:
    where = str(origin)
    return f"{where}: {message}" if where else message
