"""What an action's script returned → what is to be asked of the API server. Pure.

By Argo CD's contract a script returns its object, changed, or a list of ``{operation = "create" | "patch", resource = …}``, where only its own
object can be patched. A patch is a JSON merge patch: the difference between the object as it was and as it was returned.

Lua cannot hold all of JSON. A null is gone when it comes back, large whole numbers are rounded, and an empty table that a script made may be
a list or an object. None of these alone is a change.
"""

from __future__ import annotations

from typing import Any

import msgspec

from homeostat.actions.errors import ActionScriptError
from homeostat.model.objects import Key, Object, key_of


class Patch(msgspec.Struct, frozen=True):
    """A JSON merge patch for the object that the action was run on; never empty."""

    body: Object


class Create(msgspec.Struct, frozen=True):
    """An object to be made. One without a namespace belongs into that of the object that the action was run on, if its kind has any."""

    object: Object


Effect = Patch | Create


def read(answer: Any, live: Object) -> tuple[Effect, ...]:
    """The effects that a script asks for. Raises :class:`ActionScriptError` for an answer that is none."""
    key = key_of(live)
    if isinstance(answer, dict):
        return _patches(key, live, answer)
    if not isinstance(answer, list):
        raise ActionScriptError(key, f"expect table output from Lua script, not {_LUA.get(type(answer), 'nil')}")
    effects: list[Effect] = []
    for place, one in enumerate(answer, 1):
        operation = one.get("operation") if isinstance(one, dict) else None
        resource = one.get("resource") if isinstance(one, dict) else None
        where = f"entry {place} of what the script returned"
        if operation not in {"create", "patch"}:
            raise ActionScriptError(key, f'{where}: operation: expected "create" or "patch", found {operation!r}')
        if not isinstance(resource, dict):
            raise ActionScriptError(key, f"{where}: resource: expected an object")
        effects += _patches(key, live, resource) if operation == "patch" else (_create(key, resource, where),)
    return tuple(effects)


def difference(before: Object, after: Object) -> Object:
    """The JSON merge patch that makes ``after`` of ``before``; empty when nothing that Lua can hold differs."""
    patch: Object = {}
    for name in before.keys() | after.keys():
        was, now = before.get(name), after.get(name)
        if _alike(was, now):
            continue
        if isinstance(was, dict) and now == []:
            now = {}
        patch[name] = difference(was, now) if isinstance(was, dict) and isinstance(now, dict) else now
    return patch


def fields(patch: Object) -> list[str]:
    """The fields that a merge patch changes, such as ``spec.template.metadata.annotations``, sorted: names, no values."""
    found = []
    for name, value in patch.items():
        below = fields(value) if isinstance(value, dict) else []
        plain = all(part.isidentifier() for one in below for part in one.split("."))
        found += [f"{name}.{one}" for one in below] if below and plain else [name]
    return sorted(set(found))


def _patches(key: Key, live: Object, resource: Object) -> tuple[Patch, ...]:
    if _identity(resource) != _identity(live):
        raise ActionScriptError(
            key,
            f"the script returned another object to be patched: apiVersion, kind, namespace and name are {_identity(resource)}"[:400],
            hint='only the object itself can be patched; `operation = "create"` makes others',
        )
    body = difference(live, resource)
    return (Patch(body),) if body else ()


def _identity(obj: Object) -> list[Any]:
    metadata = obj.get("metadata")
    told = metadata if isinstance(metadata, dict) else {}
    return [obj.get("apiVersion"), obj.get("kind"), told.get("namespace"), told.get("name")]


def _create(key: Key, resource: Object, where: str) -> Create:
    metadata = resource.get("metadata")
    if not isinstance(resource.get("apiVersion"), str) or not isinstance(resource.get("kind"), str) or not isinstance(metadata, dict):
        raise ActionScriptError(key, f"{where}: expected an object with apiVersion, kind and metadata")
    if not all(isinstance(metadata.get(name, ""), str) for name in ("name", "generateName", "namespace")):
        raise ActionScriptError(key, f"{where}: metadata: expected text for name and namespace")
    if not metadata.get("name") and not metadata.get("generateName"):
        raise ActionScriptError(key, f"{where}: metadata.name: expected a name")
    return Create(resource)


def _alike(was: Any, now: Any) -> bool:
    """Whether ``now`` is what a script that changed nothing would have returned of ``was``."""
    if isinstance(was, bool) or isinstance(now, bool):
        return was is now
    if isinstance(was, int | float) and isinstance(now, int | float):
        return float(was) == float(now)
    if isinstance(was, dict) and isinstance(now, dict):
        return all(_alike(was.get(name), now.get(name)) for name in was.keys() | now.keys())
    if isinstance(was, list) and isinstance(now, list):
        kept = [item for item in was if item is not None]
        return len(kept) == len(now) and all(map(_alike, kept, now))
    return was == now or (now == [] and (was is None or was == {}))


_LUA = {str: "string", bool: "boolean", int: "number", float: "number"}
