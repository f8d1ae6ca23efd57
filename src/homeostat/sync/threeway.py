"""The three-way merge of a client-side apply: what was applied last, what is desired, what is live → what shall be.

By the rules of ``kubectl apply``: what was applied before and is desired no more goes, what is desired comes, what live has besides stays. Lists
are merged item by item where the kind's schema says so (:mod:`homeostat.live.schemas`), else they are whole values.

Unlike ``kubectl``, which sends the patch in directives (``$setElementOrder``), what shall be is computed here, and a JSON merge patch of it is sent
that names the version it was computed from: the same outcome for every kind, and no item that somebody adds meanwhile is lost. Pure.
"""

from __future__ import annotations

import copy
from typing import Any

import orjson

from homeostat.compare import fields, predecessors
from homeostat.compare.predecessors import LAST_APPLIED
from homeostat.live.schemas import Shape
from homeostat.model.objects import Object

_GONE: Any = object()
_IDENTITY = frozenset({"apiVersion", "kind", "status"})
_SERVERS = frozenset({"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields"}) | {
    "resourceVersion",
    "selfLink",
    "uid",
}


def with_last_applied(desired: Object) -> Object:
    """``desired`` with itself in the annotation ``last-applied-configuration``, as ``kubectl apply`` writes it."""
    obj = copy.deepcopy(desired)
    annotations = obj["metadata"].get("annotations") or {}
    annotations.pop(LAST_APPLIED, None)
    obj["metadata"]["annotations"] = annotations
    text = orjson.dumps(obj, option=orjson.OPT_SORT_KEYS).decode()
    obj["metadata"]["annotations"] = {**annotations, LAST_APPLIED: f"{text}\n"}
    return obj


def patch_for(desired: Object, live: Object, shape: Shape) -> dict[str, Any]:
    """The JSON merge patch that makes of ``live`` what shall be, annotation included; empty when nothing changes. Both stay as they are."""
    merged = _merged(_declared(_applied_last(live)), _declared(with_last_applied(desired)), live, shape)
    patch: dict[str, Any] = _difference(live, merged)
    if patch:
        patch.setdefault("metadata", {})["resourceVersion"] = live["metadata"]["resourceVersion"]
    return patch


def _applied_last(live: Object) -> dict[str, Any]:
    """What was applied last, by whichever means: an object that we applied server-side before has no annotation, and our entry tells instead."""
    config = predecessors.last_applied(live)
    if config is None:
        own = predecessors.own_entry(predecessors.entries_of(live))
        owned = fields.project(live, predecessors.fields_of(own)) if own is not None else None
        config = owned if isinstance(owned, dict) else {}
    return config


def _declared(config: dict[str, Any]) -> dict[str, Any]:
    """What of ``config`` an author has a say in: not who the object is, nor what the API server fills in (``creationTimestamp: null``)."""
    declared = {name: value for name, value in config.items() if name not in _IDENTITY}
    metadata = config.get("metadata")
    if isinstance(metadata, dict):
        declared["metadata"] = {name: value for name, value in metadata.items() if name not in _SERVERS}
    return declared


def _merged(original: Any, desired: dict[str, Any], live: dict[str, Any], shape: Shape) -> dict[str, Any]:
    before = original if isinstance(original, dict) else {}
    result = {name: value for name, value in live.items() if name in desired or name not in before}
    for name, want in desired.items():
        if want is None:
            result.pop(name, None)
            continue
        have = live.get(name)
        below = shape.child(name)
        if isinstance(want, dict):
            result[name] = _merged(before.get(name), want, have if isinstance(have, dict) else {}, below)
        elif isinstance(want, list) and isinstance(have, list) and below.merges:
            old = before.get(name)
            result[name] = _merged_list(old if isinstance(old, list) else [], want, have, below)
        else:
            result[name] = want
    if shape.retains:
        result = {name: value for name, value in result.items() if name in desired}
    return result


def _merged_list(original: list[Any], desired: list[Any], live: list[Any], shape: Shape) -> list[Any]:
    keys = shape.keys
    old, wanted, there = _by_key(original, keys), _by_key(desired, keys), _by_key(live, keys)
    if wanted is None or there is None:
        return desired  # Items that cannot be told apart: an environment variable that is named twice.
    old = old or {}
    stays = [key for key in there if key in wanted or key not in old]
    merged = {key: there[key] for key in stays}
    for key, want in wanted.items():
        have = there.get(key)
        if keys:
            merged[key] = _merged(old.get(key), want, have if have is not None else {}, shape.item())
        else:
            merged[key] = want
    return [merged[key] for key in _ordered(list(wanted), stays)]


def _by_key(items: list[Any], keys: Any) -> dict[Any, Any] | None:
    """The items by their key fields, or by their values; ``None`` when two are the same or one has no key."""
    found: dict[Any, Any] = {}
    for item in items:
        key: Any
        if keys:
            if not isinstance(item, dict):
                return None
            key = tuple(item.get(name, default) for name, default in keys.items())
            if None in key:
                return None
        else:
            key = item
        if isinstance(key, dict | list) or key in found:
            return None
        found[key] = item
    return found


def _ordered(wanted: list[Any], stays: list[Any]) -> list[Any]:
    """The desired order. What only live has keeps its place where live has the desired items in that order already, else it comes last."""
    named = set(wanted)
    common = [key for key in stays if key in named]
    there = set(stays)
    if common != [key for key in wanted if key in there]:
        return wanted + [key for key in stays if key not in named]
    result: list[Any] = []
    coming = iter(wanted)
    for key in stays:
        if key in named:
            for other in coming:
                result.append(other)
                if other == key:
                    break
        else:
            result.append(key)
    return [*result, *coming]


def _difference(live: Any, merged: Any) -> Any:
    """The JSON merge patch (RFC 7386) that makes ``merged`` of ``live``, both mappings."""
    patch: dict[str, Any] = {name: None for name in live if name not in merged}
    for name, want in merged.items():
        have = live.get(name, _GONE)
        if isinstance(want, dict) and isinstance(have, dict):
            below = _difference(have, want)
            if below:
                patch[name] = below
        elif have is _GONE or want != have or type(want) is not type(have):
            patch[name] = want
    return patch
