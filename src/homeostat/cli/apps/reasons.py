"""Why a field is what it is: who owns it, which sync brought it, and the sentence that sums it up. Pure; the facts come from ``why``.

Who wrote what is read from ``metadata.managedFields``. Their time is that of the manager's last write that changed anything of the object, so it is
the latest at which it can have written one field.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from homeostat.cli.apps import words
from homeostat.cli.apps.origins import Place
from homeostat.cli.apps.resources import key_in
from homeostat.compare import fields, predecessors
from homeostat.compare.drift import DifferenceKind
from homeostat.compare.fields import FieldSet, Path
from homeostat.compare.predecessors import MANAGER
from homeostat.model import times
from homeostat.model.app import App
from homeostat.model.objects import Key, Object

_SLACK = 2.0
"""Seconds by which the clocks of the API server and the controller may differ; both write whole seconds."""


class Writer(msgspec.Struct, rename="camel", omit_defaults=True):
    """An entry of managedFields that owns a field, or (``part``) something below it."""

    manager: str
    operation: str = ""
    time: str = ""
    subresource: str = ""
    part: bool = False

    @property
    def ours(self) -> bool:
        return self.manager == MANAGER and self.operation == "Apply"


class Delivery(msgspec.Struct, rename="camel", omit_defaults=True):
    """The sync that an object came with. ``id`` is that of the history; a sync of some objects only has none."""

    revision: str = ""
    started: str = ""
    finished: str = ""
    by: str = ""
    id: int | None = None
    phase: str = ""
    result: str = ""
    message: str = ""


class Reason(msgspec.Struct, rename="camel"):
    """One field. ``git``, ``live`` and ``expected`` (what the API server makes of Git's value) are ``None`` where there is none; Secrets are masked."""

    path: str
    verdict: str
    rule: str
    git: Any = None
    live: Any = None
    expected: Any = None
    difference: str = ""
    origin: Place = Place()
    writers: list[Writer] = []


class Facts(msgspec.Struct, frozen=True):
    """What is known of one field. ``ignored_by`` is the rule by which a difference does not count; ``compared`` says that Git claims the field.

    ``spelled``: the same value in other words, such as 1000m and 1.
    """

    path: Path
    wished: bool
    there: bool
    same: bool
    spelled: bool
    compared: bool
    difference: DifferenceKind | None
    ignored_by: str
    writers: tuple[Writer, ...]


def writers(live: Object, path: Path) -> list[Writer]:
    """Who owns the field, the latest first; with none, who owns something below it."""
    found = [
        Writer(
            str(entry.get("manager") or ""),
            str(entry.get("operation") or ""),
            str(entry.get("time") or ""),
            str(entry.get("subresource") or ""),
            part,
        )
        for entry in predecessors.entries_of(live)
        if (part := _holds(predecessors.fields_of(entry), path)) is not None
    ]
    found.sort(key=lambda one: one.time, reverse=True)
    return [one for one in found if not one.part] or found


def _holds(owned: FieldSet, path: Path) -> bool | None:
    """Whether the set holds the field (``False``: as a whole, ``True``: a part of it), or nothing of it (``None``)."""
    if not owned:
        return None
    node: FieldSet = owned
    for place, element in enumerate(path):
        if place and not node:
            return False  # one whole value, whatever is in it
        below = node.get(element)
        if below is None:
            return None
        node = below
    return bool(path) and not fields.is_member(node)


def delivery(app: Object, key: Key, live: Object | None) -> Delivery | None:
    """The sync by which the object became what we last wrote of it; where we never wrote it, the last sync that tried to."""
    state = words.part(app, "status", "operationState")
    result = next((one for one in words.results_of(app) if key_in(one) == key), {})
    wrote = next((one.time for one in writers(live, ()) if one.ours), "") if live is not None else ""
    if not wrote:
        return _under_way(state, result) if result else None
    at = times.parse(wrote)
    syncs = [_recorded(entry) for entry in words.items(app, "status", "history")]
    if state and state.get("startedAt") not in {one.started for one in syncs}:
        syncs.append(_under_way(state, result))
    elif syncs and result:
        syncs[-1].result, syncs[-1].message = str(result.get("status") or ""), str(result.get("message") or "")
    # Of two that share the second in which it was written, the later one.
    return next((one for slack in (0.0, _SLACK) for one in reversed(syncs) if _spans(one, at, slack)), None)


def _spans(sync: Delivery, at: float, slack: float) -> bool:
    if not sync.started or times.parse(sync.started) > at + slack:
        return False
    return not sync.finished or times.parse(sync.finished) + slack >= at


def _recorded(entry: dict[str, Any]) -> Delivery:
    return Delivery(
        words.revision_in(entry, wide=True),
        str(entry.get("deployStartedAt") or ""),
        str(entry.get("deployedAt") or ""),
        _by(words.part(entry, "initiatedBy")),
        entry.get("id"),
        "Succeeded",
    )


def _under_way(state: dict[str, Any], result: dict[str, Any]) -> Delivery:
    return Delivery(
        words.revision_in(words.part(state, "syncResult"), wide=True),
        str(state.get("startedAt") or ""),
        str(state.get("finishedAt") or ""),
        _by(words.part(state, "operation", "initiatedBy")),
        None,
        str(state.get("phase") or ""),
        str(result.get("status") or ""),
        str(result.get("message") or ""),
    )


def _by(initiator: dict[str, Any]) -> str:
    return "the controller" if initiator.get("automated") else str(initiator.get("username") or "somebody")


def rule(facts: Facts) -> str:
    """By which rule the field is compared, or not."""
    if facts.ignored_by:
        return f"{facts.ignored_by}: differences do not count"
    if facts.path[:1] == ("f:status",) and not facts.compared:
        return "status is the cluster's own: it is not compared"
    if facts.difference is not None:
        return f"compared, and {facts.difference}"
    if facts.compared:
        return "compared, and the same"
    return "compared when it is applied" if facts.wished else "not compared: Git does not name it"


def verdict(facts: Facts, app: App) -> str:
    """One sentence about the field."""
    others = [one for one in facts.writers if not one.ours]
    culprit = others[0] if others and not any(one.ours for one in facts.writers) else None
    if facts.difference is not None:
        return _differs(facts, app, culprit)
    if facts.ignored_by and facts.wished and not facts.same:
        return f"live differs from Git{_written(culprit)}, and {facts.ignored_by} says that this does not count, so it stays"
    if facts.compared or (facts.wished and facts.there):
        if not facts.same:
            return f"live differs from what Git says{_written(culprit)}; such an object is not compared"
        by = f", though {culprit.manager} wrote it last" if culprit is not None else ""
        counts = f"; a difference would not count, by {facts.ignored_by}" if facts.ignored_by else ""
        spelled = ", in the API server's own spelling" if facts.spelled else ""
        return f"live is what Git wants{spelled}{by}{counts}"
    if facts.wished:
        return "Git wants it, and live does not have it yet"
    if not facts.there:
        return "neither Git nor live have this field"
    if facts.path[:1] == ("f:status",):
        by = f" ({_who(culprit)})" if culprit is not None else ""
        return f"status is the cluster's own{by}: Git has no say in it"
    if culprit is not None:
        return f"Git does not name it: {_who(culprit)}, and there it stays"
    if facts.writers:
        return "Git does not name it: Homeostat set it"
    return "Git does not name it and nobody owns it: it is the API server's default"


def _differs(facts: Facts, app: App, culprit: Writer | None) -> str:
    name = app.key.name
    if facts.difference is DifferenceKind.DROPPED:
        return f"Git does not name it any more, and live still has it; {remedy(app, healed=False)}"
    if culprit is not None:
        since = f" since {_clock(culprit.time)}" if culprit.time else ""
        return f"live differs from Git{since}, written by {_named(culprit)}; {remedy(app, healed=True)}"
    if facts.writers:
        return f"Git has changed since app `{name}` was last synced; {remedy(app, healed=False)}"
    what = "live lacks what Git wants" if not facts.there else "live differs from Git, and nobody owns the field"
    return f"{what}; {remedy(app, healed=True)}"


def remedy(app: App, *, healed: bool) -> str:
    """Who brings live to what Git wants. ``healed``: it is drift, and no news in Git."""
    by_hand = f"`homeostat app sync {app.key.name}` does"
    if not app.policy.automated:
        return (
            f"automated sync is off, so nobody puts it back: {by_hand}"
            if healed
            else f"automated sync is off, so nobody brings it: {by_hand}"
        )
    if healed and not app.policy.self_heal:
        return f"selfHeal is off, so nobody puts it back: {by_hand}"
    return "selfHeal puts it back" if healed else "the next automated sync brings it"


def _written(writer: Writer | None) -> str:
    if writer is None:
        return ""
    return (f" since {_clock(writer.time)}" if writer.time else "") + f", written by {_named(writer)}"


def _who(writer: Writer) -> str:
    return f"{_named(writer)} wrote it" + (f" at {_clock(writer.time)}" if writer.time else "")


def _named(writer: Writer) -> str:
    return f"{writer.manager} (through {writer.subresource})" if writer.subresource else writer.manager


def _clock(stamp: str) -> str:
    return times.minute(times.parse(stamp))


def readable(parts: Iterable[str], most: int = 3) -> str:
    """The first few of many names."""
    names = list(parts)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def differing(reasons: Iterable[Reason]) -> Iterator[str]:
    """The paths that differ and count."""
    return (one.path for one in reasons if one.difference)
