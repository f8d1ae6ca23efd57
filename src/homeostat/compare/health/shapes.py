"""The shapes that the statuses of most custom resources have, so that a rule is a line of data.

:class:`Conditions` for a list of conditions, :class:`Phases` for one word. Both know the two things that nearly all controllers share: a boolean
that suspends the object, and ``status.observedGeneration``, without which a status may speak of an older spec. A kind that fits neither gets
a function of its own, in ``custom/``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from homeostat.compare.health import read
from homeostat.compare.health.read import Fields
from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import GroupKind, Object

RuleFunction: TypeAlias = Callable[[Object], Health | None]
"""Judges an object of its kind; ``None``: there is nothing to judge by. May raise :class:`homeostat.compare.health.read.MalformedError`."""

HEALTHY: Final = HealthStatus.HEALTHY
PROGRESSING: Final = HealthStatus.PROGRESSING
DEGRADED: Final = HealthStatus.DEGRADED
SUSPENDED: Final = HealthStatus.SUSPENDED
UNKNOWN: Final = HealthStatus.UNKNOWN


_OPEN: Final = ("Unknown", "", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Judged by conditions: Healthy when all of ``good`` are True.

    One of ``bad`` that is True is Degraded, of ``paused`` Suspended, of ``busy`` Progressing, in this order and before ``good``. One of ``good``
    that is neither True nor Unknown is ``when_false``; one that is Unknown is Progressing; ``reasons`` says otherwise for some reasons. While one is
    not there, the object is ``absent`` (``None``: has no health). ``tell`` is the field that becomes the message.
    """

    good: tuple[str, ...] = ("Ready",)
    bad: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()
    when_false: HealthStatus = DEGRADED
    reasons: Mapping[str, HealthStatus] = field(default_factory=dict)
    absent: HealthStatus | None = PROGRESSING
    suspend: tuple[str, ...] = ()
    tell: Literal["message", "reason"] = "message"

    def __call__(self, obj: Object) -> Health | None:
        held = held_up(obj, self.suspend)
        if held is not None:
            return held
        found = by_type(read.mapping(obj, "status"))
        for kinds, status in ((self.bad, DEGRADED), (self.paused, SUSPENDED), (self.busy, PROGRESSING)):
            for kind in kinds:
                if kind in found and found[kind].get("status") == "True":
                    return Health(status, self._said(found[kind]))
        good = [found[kind] for kind in self.good if kind in found]
        for condition in good:
            if condition.get("status") != "True":
                otherwise = PROGRESSING if read.text(condition, "status") in _OPEN else self.when_false
                return Health(self.reasons.get(read.text(condition, "reason"), otherwise), self._said(condition))
        if len(good) < len(self.good):
            return Health(self.absent, waiting_for(obj)) if self.absent is not None else None
        return Health(HEALTHY, self._said(good[0]))

    def _said(self, condition: Fields) -> str:
        return read.text(condition, self.tell) or read.text(condition, "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Judged by one word at ``path``: what ``words`` says of it, else ``other``. No word yet: ``absent`` (``None``: has no health).

    The message is the text at ``said``, else the word itself.
    """

    words: Mapping[str, HealthStatus]
    path: tuple[str, ...] = ("status", "phase")
    said: tuple[str, ...] = ("status", "message")
    other: HealthStatus = PROGRESSING
    absent: HealthStatus | None = PROGRESSING
    suspend: tuple[str, ...] = ()

    def __call__(self, obj: Object) -> Health | None:
        held = held_up(obj, self.suspend)
        if held is not None:
            return held
        word = text_at(obj, self.path)
        if not word:
            return Health(self.absent, waiting_for(obj)) if self.absent is not None else None
        return Health(self.words.get(word, self.other), text_at(obj, self.said) or word)


def unjudged(_obj: Object) -> Health | None:
    """Has no health of its own: its controller reports nothing about whether it works."""
    return None


def words(
    *, healthy: str = "", progressing: str = "", degraded: str = "", suspended: str = "", unknown: str = ""
) -> dict[str, HealthStatus]:
    """The table of :class:`Phases`; words are separated by ``|``."""
    table = ((HEALTHY, healthy), (PROGRESSING, progressing), (DEGRADED, degraded), (SUSPENDED, suspended), (UNKNOWN, unknown))
    return {word: status for status, listed in table for word in listed.split("|") if word}


def kinds(group: str, names: str, rule: RuleFunction) -> dict[GroupKind, RuleFunction]:
    """``rule`` for the kinds ``names`` (separated by blanks) of ``group``."""
    return {GroupKind(group, name): rule for name in names.split()}


def held_up(obj: Object, suspend: tuple[str, ...] = ()) -> Health | None:
    """Suspended by the boolean at ``suspend``, or Progressing while the status speaks of an older spec; else ``None``."""
    if suspend and read.flag(read.mapping(obj, *suspend[:-1]), suspend[-1]):
        return Health(SUSPENDED, f"{obj['kind']} is suspended")
    generation, observed = generations(obj)
    if observed is not None and observed < generation:
        return Health(PROGRESSING, f"Waiting for generation {generation} to be observed")
    return None


def generations(obj: Object) -> tuple[int, int | None]:
    """``metadata.generation`` and ``status.observedGeneration``; a controller that writes a text there (Argo Rollouts) is understood too."""
    generation, observed = (_whole(read.mapping(obj, part).get(name)) for part, name in _GENERATIONS)
    return generation or 0, observed


_GENERATIONS: Final = (("metadata", "generation"), ("status", "observedGeneration"))


def _whole(value: object) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def by_type(status: Fields) -> dict[object, Fields]:
    """The conditions by their type, in the order in which they stand there."""
    return {found["type"]: found for found in read.items(status, "conditions") if isinstance(found.get("type"), str)}


def text_at(obj: Object, path: tuple[str, ...]) -> str:
    return read.text(read.mapping(obj, *path[:-1]), path[-1])


def waiting_for(obj: Object) -> str:
    return f"Waiting for the status of this {obj['kind']}"
