"""``RespectIgnoreDifferences``: the object to send, in which the ignored fields are as live has them.

Which fields are ignored is read off two cuts (``ignore`` makes them): what the rules took out of desired or out of live is left alone. Pure.

- An ignored field that both have gets live's value; one that live does not have is not sent.
- An ignored field that desired does not have is sent only where leaving it out would take it away: when it is ours in live (an apply would drop it),
  or when the write replaces the whole object. Sending others' fields would make them ours.
- Items of a list are matched by the keys that the API server merges by (live's managedFields say which), else by ``name``, else by their place; a
  list that cannot be matched is live's as a whole, as in Argo CD.

``status`` is never sent from live. Rules: Argo CD's ``normalizeTargetResources``, which matches by the schema's merge keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from homeostat.compare import fields, predecessors
from homeostat.compare.fields import EMPTY, MISSING, FieldSet
from homeostat.model.objects import Object

_SERVERS: Final = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
"""Fields of metadata that the API server alone writes."""


def respect(desired: Object, live: Object, *, desired_cut: Object, live_cut: Object, whole: bool = False) -> Object:
    """``desired`` with live's values in every field that one of the cuts lacks. ``whole``: the write replaces the object. Nothing is changed in place."""
    if desired == desired_cut and live == live_cut:
        return desired
    entries = predecessors.entries_of(live)
    lists: FieldSet = {}
    owned: FieldSet = {}
    for entry in entries:
        lists = fields.union(lists, predecessors.fields_of(entry))
        if predecessors.is_predecessor(entry):
            owned = fields.union(owned, predecessors.declared(entry, live))
    own = predecessors.own_entry(entries)
    if own is not None:
        owned = fields.union(owned, predecessors.fields_of(own))
    merge = _Merge(whole)
    result = merge.mappings(desired, desired_cut, _writable(live), _writable(live_cut), lists, owned, False)
    named = {name: desired["metadata"][name] for name in ("name", "namespace") if name in desired["metadata"]}
    result["metadata"] = {**result.get("metadata", {}), **named}
    return {**result, "apiVersion": desired["apiVersion"], "kind": desired["kind"]}


def _writable(live: Object) -> Object:
    metadata = live.get("metadata")
    writable = {name: value for name, value in live.items() if name != "status"}
    if isinstance(metadata, dict):
        writable["metadata"] = {name: value for name, value in metadata.items() if name not in _SERVERS}
    return writable


class _Merge:
    """One walk through four trees: desired, desired as it was cut, live, live as it was cut. ``MISSING`` where one ends.

    ``lists`` is the set of all managers' fields (it knows how lists are keyed), ``owned`` what is ours. ``ignored``: everything from here down is.
    """

    def __init__(self, whole: bool) -> None:
        self._whole = whole

    def mappings(
        self,
        desired: Any,
        desired_cut: Any,
        live: Any,
        live_cut: Any,
        lists: Mapping[str, Any],
        owned: Mapping[str, Any] | None,
        ignored: bool,
    ) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for name in dict.fromkeys((*desired, *live)):
            element = f"f:{name}"
            value = self._value(
                desired.get(name, MISSING),
                _child(desired_cut, name),
                live.get(name, MISSING),
                _child(live_cut, name),
                lists.get(element) or EMPTY,
                owned.get(element) if owned else None,
                ignored,
            )
            if value is not MISSING:
                result[name] = value
        return result

    def _value(
        self,
        desired: Any,
        desired_cut: Any,
        live: Any,
        live_cut: Any,
        lists: Mapping[str, Any],
        owned: Mapping[str, Any] | None,
        ignored: bool,
    ) -> Any:
        ignored = ignored or (desired is not MISSING and desired_cut is MISSING) or (live is not MISSING and live_cut is MISSING)
        if not ignored and desired == desired_cut and live == live_cut:
            return desired
        if desired is MISSING:
            return self._only_live(live, live_cut, lists, owned, ignored)
        if live is MISSING:
            return MISSING if ignored else desired
        if type(desired) is dict and type(live) is dict:
            return self.mappings(desired, desired_cut, live, live_cut, lists, owned, ignored)
        if type(desired) is list and type(live) is list:
            return self._items(desired, desired_cut, live, live_cut, lists, owned, ignored)
        return live if ignored else desired

    def _only_live(self, live: Any, live_cut: Any, lists: Mapping[str, Any], owned: Mapping[str, Any] | None, ignored: bool) -> Any:
        """What of a field that desired does not have is sent all the same."""
        if not self._whole and owned is None:
            return MISSING
        if ignored:
            return live if self._whole or not owned else fields.project(live, owned)
        if type(live) is dict:
            return self.mappings({}, {}, live, live_cut, lists, owned, False) or MISSING
        return MISSING

    def _items(
        self,
        desired: Any,
        desired_cut: Any,
        live: Any,
        live_cut: Any,
        lists: Mapping[str, Any],
        owned: Mapping[str, Any] | None,
        ignored: bool,
    ) -> Any:
        if any(element[0] == "v" for element in lists):
            return self._set(desired, desired_cut, live, live_cut, owned, ignored)
        keys = {element: fields.key_of(element) for element in lists if element[0] == "k"}
        names = tuple(next(iter(keys.values()), ("name",)))
        elements = {tuple(key.values()): element for element, key in keys.items()}
        there, wanted = _by_key(live, names), _by_key(desired, names)
        if there is None or wanted is None:
            return self._by_place(desired, desired_cut, live, live_cut, ignored)
        there_cut = _by_key(live_cut, names) or {}
        wanted, wanted_cut = _aligned(wanted, there), _aligned(_by_key(desired_cut, names) or {}, there)
        result = []
        for key in dict.fromkeys((*wanted, *there)):
            element = elements.get(key, "")
            value = self._value(
                wanted.get(key, MISSING),
                wanted_cut.get(key, MISSING),
                there.get(key, MISSING),
                there_cut.get(key, MISSING),
                lists.get(element) or EMPTY,
                owned.get(element) if owned else None,
                ignored,
            )
            # An item that desired does not have, and of which only a part is ignored, goes as desired says.
            if value is not MISSING and (key in wanted or ignored or key not in there_cut):
                result.append(value)
        return result

    def _set(self, desired: Any, desired_cut: Any, live: Any, live_cut: Any, owned: Mapping[str, Any] | None, ignored: bool) -> list[Any]:
        kept, there = ([], []) if ignored else (_list(desired_cut), _list(live_cut))
        ours = [fields.child(live, element) for element in owned or () if element[0] == "v"]
        mine = [item for item in live if self._whole or item in desired or item in ours]
        return [*kept, *(item for item in mine if item not in there and item not in kept)]

    def _by_place(self, desired: Any, desired_cut: Any, live: Any, live_cut: Any, ignored: bool) -> Any:
        if ignored or not (len(desired) == len(live) == len(_list(desired_cut)) == len(_list(live_cut))):
            return live
        four = zip(desired, desired_cut, live, live_cut, strict=True)
        return [self._value(one, one_cut, other, other_cut, EMPTY, None, False) for one, one_cut, other, other_cut in four]


def _child(value: Any, name: str) -> Any:
    return value.get(name, MISSING) if type(value) is dict else MISSING


def _list(value: Any) -> list[Any]:
    return value if type(value) is list else []


def _aligned(wanted: dict[tuple[Any, ...], Any], there: dict[tuple[Any, ...], Any]) -> dict[tuple[Any, ...], Any]:
    """The wanted items under live's keys: key fields that an item leaves out (their default is meant) match anything."""
    result = {}
    for key, item in wanted.items():
        matching = [key] if key in there else [one for one in there if all(a is None or a == b for a, b in zip(key, one, strict=True))]
        result[matching[0] if len(matching) == 1 else key] = item
    return result


def _by_key(items: Any, names: Iterable[str]) -> dict[tuple[Any, ...], Any] | None:
    """The items by their key; ``None`` when one has none, or two have the same."""
    if type(items) is not list:
        return None
    found: dict[tuple[Any, ...], Any] = {}
    for item in items:
        if type(item) is not dict:
            return None
        key = tuple(item.get(name) for name in names)
        if all(part is None for part in key) or key in found or any(type(part) in {dict, list} for part in key):
            return None
        found[key] = item
    return found
