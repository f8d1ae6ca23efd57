"""Drift: what differs between desired and live, judged in the server's own words.

The API server's answer to an apply (or an apply dry-run) is the object as it will be, and names in ``managedFields`` what of it is ours. That
part is the :class:`Echo`: what desired claims, with defaults, admission and the spelling of quantities as the server has them. Drift is

- a claimed field whose value in live is another (``changed``) or that live does not have (``missing``);
- a field that live says is ours, or that a predecessor declared, and that desired claims no more (``dropped``).

So there is no table of defaults, and what others add beside our fields is no drift. ``status`` is not looked at unless asked for. Values of a
Secret leave this module as masks. Which differences do not count is ``ignore``'s business; asking the server, and what to do about drift, are not done here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec

from homeostat.compare import fields, mask, predecessors
from homeostat.compare.claims import claims, is_secret, without_status
from homeostat.compare.errors import VersionsDifferError
from homeostat.compare.fields import EMPTY, MISSING, FieldSet, Path
from homeostat.compare.known import TypedFields, same
from homeostat.compare.predecessors import LAST_APPLIED, LAST_APPLIED_PATH, MANAGER
from homeostat.model.objects import Object, key_of


class DifferenceKind(StrEnum):
    CHANGED = "changed"
    MISSING = "missing"
    DROPPED = "dropped"


Found: TypeAlias = tuple[Path, DifferenceKind, Any, Any]
"""Path, kind, desired value, live value."""


class Difference(msgspec.Struct, frozen=True):
    """One field that differs. ``path`` is readable; ``desired`` and ``live`` are its values, ``None`` where there is none.

    The values of a Secret are masked: equal masks stand for equal values.
    """

    path: str
    kind: DifferenceKind
    desired: Any = None
    live: Any = None


class Echo(msgspec.Struct, frozen=True):
    """What desired claims of one object, in the server's words. Holds the values of Secrets: its ``repr`` shows none.

    ``fields`` is our field set and ``values`` the answer cut down to it. ``resource_version`` is the version at which live is known to hold all
    of it (empty when only a dry-run was asked). ``present`` are fields of which only the being there is claimed: desired has an empty mapping or
    list, and what is in it is others'. ``kept`` are fields that we give up and that stay as they are (a default, a co-owner's). ``written`` says
    that the cluster is known to have our entry in managedFields.
    """

    api_version: str
    fields: FieldSet
    values: Any
    resource_version: str = ""
    present: frozenset[Path] = frozenset()
    kept: FieldSet = {}
    written: bool = False
    manager: str = MANAGER
    updates: bool = False
    """The object is patched or replaced and not applied (``updated.py``): what the updater's entry names is ours as well."""

    def __repr__(self) -> str:
        return f"Echo({self.api_version}, {sum(1 for _ in fields.members(self.fields))} fields, at {self.resource_version or 'a dry-run'})"

    __str__ = __repr__


def echo(
    answer: Object, manager: str = MANAGER, *, desired: Object | None = None, before: Object | None = None, applied: bool = False
) -> Echo:
    """The echo in the ``answer`` to an apply.

    ``desired`` is what was sent: with it an empty mapping in desired (``strategy: {}``) is known to claim nothing of what the server put into it;
    without it, that is guessed from what others own. ``before`` is the live object before a dry-run: with it a field that leaves desired while
    its value stays (because it is the default) is no drift. ``applied`` is true for a real apply, false for a dry-run: the answer to a dry-run
    carries the live object's resourceVersion although it is not that object.
    """
    entries = predecessors.entries_of(answer)
    own = predecessors.own_entry(entries, manager)
    claimed = claims(predecessors.fields_of(own), answer) if own is not None else {}
    values = fields.project(answer, claimed) if claimed else {}
    others = [predecessors.fields_of(entry) for entry in entries if entry is not own]
    present: set[Path] = set()
    find_present(claimed, values, desired if desired is not None else MISSING, others, (), present)
    kept: FieldSet = {}
    written = applied
    if before is not None and not applied:
        previous = predecessors.own_entry(predecessors.entries_of(before), manager)
        if previous is not None:
            written = True
            kept = unchanged(fields.difference(claims(predecessors.fields_of(previous), before), claimed), answer, before)
    metadata = answer.get("metadata") or EMPTY
    return Echo(
        api_version=answer.get("apiVersion") or "",
        fields=claimed,
        values={} if values is MISSING else values,
        resource_version=str(metadata.get("resourceVersion") or "") if applied else "",
        present=frozenset(present),
        kept=kept,
        written=written,
        manager=manager,
    )


def find_present(node: FieldSet, values: Any, desired: Any, others: list[FieldSet], path: Path, found: set[Path]) -> None:
    """Adds the claimed paths where desired has an empty mapping or list, and the server or others have put something into it."""
    for element, below in node.items():
        if element == ".":
            continue
        value = fields.child(values, element)
        if not value or (type(value) is not dict and type(value) is not list):
            continue
        wanted = fields.written_child(desired, element)
        theirs = [other[element] for other in others if element in other]
        if below:
            find_present(below, value, wanted, theirs, (*path, element), found)
        elif wanted is not MISSING:
            if not wanted:
                found.add((*path, element))
        elif any(part and part.keys() != {"."} for part in theirs):
            found.add((*path, element))


def unchanged(node: FieldSet, answer: Any, before: Any) -> FieldSet:
    """The part of the set whose values are in both objects and the same."""
    result: FieldSet = {}
    for element, below in node.items():
        if element == ".":
            result[element] = below
            continue
        new, old = fields.child(answer, element), fields.child(before, element)
        if new is MISSING or old is MISSING:
            continue
        if not below:
            if new == old:
                result[element] = below
            continue
        rest = unchanged(below, new, old)
        if rest:
            result[element] = rest
    return result


class Sides(msgspec.Struct, frozen=True):
    """What is compared with what. Who cuts (``ignore``) answers another one of these.

    ``claimed`` and ``dropped`` are the fields to look at, ``desired`` and ``live`` the values; ``live`` may be the whole object or any projection of
    it that holds those fields. ``whole`` is false once something was cut. ``typed`` are fields whose spelling does not matter.
    """

    echo: Echo
    claimed: FieldSet
    dropped: FieldSet
    desired: Any
    live: Any
    entries: list[dict[str, Any]]
    own: dict[str, Any] | None
    secret: bool = False
    whole: bool = True
    typed: TypedFields = ()


def differences(echo: Echo, live: Object, *, ignore: Callable[[Sides], Sides] | None = None) -> tuple[Difference, ...]:
    """Where ``live`` departs from ``echo``; empty when it does not. ``live`` comes with its managedFields.

    ``ignore`` cuts both sides first. Raises :class:`VersionsDifferError` when the two are of different API versions.
    """
    if settled(echo, live):
        return ()
    found = sides(echo, live)
    return judge(ignore(found) if ignore is not None else found)


def settled(echo: Echo, live: Object) -> bool:
    """Whether ``live`` is the very object that the API server answered to our apply."""
    return bool(echo.resource_version) and (live.get("metadata") or EMPTY).get("resourceVersion") == echo.resource_version


def sides(echo: Echo, live: Object, *, status: bool = False) -> Sides:
    """Lays out what :func:`judge` compares, the ``status`` only when asked to; raises :class:`VersionsDifferError`."""
    if live.get("apiVersion") != echo.api_version:
        raise VersionsDifferError(key_of(live), desired=echo.api_version, live=str(live.get("apiVersion")))
    entries = predecessors.entries_of(live)
    own = predecessors.own_entry(entries, echo.manager)
    claimed, dropped = echo.fields, _dropped(echo, live, entries, own)
    if not status:
        claimed, dropped = without_status(claimed), without_status(dropped)
    return Sides(echo, claimed, dropped, echo.values, live, entries, own, is_secret(live))


def judge(two: Sides) -> tuple[Difference, ...]:
    """Compares the two sides, field by field."""
    found: list[Found] = []
    _walk(two, two.claimed, two.desired, two.live, (), found)
    if two.dropped:
        staying = [
            predecessors.fields_of(entry) for entry in two.entries if entry is not two.own and not predecessors.is_predecessor(entry)
        ]
        _drop(two.dropped, two.live, [two.echo.fields, *staying], (), found)
    if not found and two.whole and two.own is None and two.echo.written and two.claimed:
        # NB: an entry also goes when others changed every field in it; then the values tell, and say more.
        found.append((("f:metadata", "f:managedFields"), DifferenceKind.MISSING, two.echo.manager, None))
    if not found:
        return ()
    masks = mask.Masks() if two.secret else None
    return tuple(
        Difference(
            fields.readable(path),
            kind,
            masks.at(path, desired) if masks and desired is not None else desired,
            masks.at(path, live) if masks and live is not None else live,
        )
        for path, kind, desired, live in found
    )


def _walk(two: Sides, node: FieldSet, desired: Any, live: Any, path: Path, found: list[Found]) -> None:
    for element, below in node.items():
        if element == ".":
            continue
        want, have = fields.child(desired, element), fields.child(live, element)
        if want is have:
            continue
        here = (*path, element)
        if have is MISSING:
            found.append((here, DifferenceKind.MISSING, want, None))
        elif below:
            if type(want) is type(have) or want is MISSING:
                _walk(two, below, want, have, here, found)
            else:
                found.append((here, DifferenceKind.CHANGED, want, have))
        elif want is MISSING:
            found.append((here, DifferenceKind.CHANGED, None, have))
        elif (want != have or (type(want) is bool) is not (type(have) is bool)) and not _stands(two, here, want, have):
            found.append((here, DifferenceKind.CHANGED, want, have))


def _stands(two: Sides, path: Path, want: Any, have: Any) -> bool:
    """Whether different content is no drift: only the mapping or list itself is claimed and what is in it is others', or it is spelled differently."""
    if two.typed and same(two.typed, path, want, have):
        return True
    if type(want) is not type(have) or (type(want) is not dict and type(want) is not list):
        return False
    if path in two.echo.present:
        return True
    if want:
        return False
    # NB: an empty mapping that is one whole value (a podSelector) and was filled is drift; then nobody owns a field below it.
    return any(
        (part := fields.lookup(predecessors.fields_of(entry), path)) and part.keys() != {"."}
        for entry in two.entries
        if entry is not two.own
    )


def _drop(node: FieldSet, live: Any, staying: list[FieldSet], path: Path, found: list[Found]) -> None:
    """Adds what the API server would remove: fields that live has and that neither desired nor anybody else who stays owns."""
    for element, below in node.items():
        if element == ".":
            continue
        value = fields.child(live, element)
        if value is MISSING:
            continue
        here = (*path, element)
        theirs = [other[element] for other in staying if element in other]
        if not theirs and fields.is_member(below):
            if here[:2] == LAST_APPLIED_PATH[:2] and (here == LAST_APPLIED_PATH or (len(here) == 2 and value.keys() <= {LAST_APPLIED})):
                continue  # It goes with the first apply, and nobody has to know.
            found.append((here, DifferenceKind.DROPPED, None, value))
        elif below:
            _drop(below, value, theirs, here, found)


def _dropped(echo: Echo, live: Object, entries: list[dict[str, Any]], own: dict[str, Any] | None) -> FieldSet:
    """What is ours in live, or was a predecessor's, and is claimed no more."""
    result: FieldSet = {}
    if own is not None or echo.updates:
        ours = predecessors.owned(entries, live) if echo.updates else claims(predecessors.fields_of(own or EMPTY), live)
        if ours != echo.fields:
            result = fields.difference(ours, echo.fields)
            if result and echo.kept:
                result = fields.difference(result, echo.kept)
    for entry in entries:
        if entry is not own and predecessors.is_predecessor(entry):
            theirs = fields.difference(predecessors.declared(entry, live), echo.fields)
            if theirs:
                result = fields.union(result, theirs)
    return result
