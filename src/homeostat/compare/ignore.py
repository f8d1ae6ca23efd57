"""``ignoreDifferences``: which differences do not count, by an app's rules and the system's.

A rule is chosen by the group and kind of an object (globs), and by its name and namespace. It names JSON pointers, jq path expressions, and
managers whose fields are not looked at. Both sides of a comparison are cut the same way, before they are compared; a path that is not there is
fine. Rules are Argo CD's (reference 1.5, 2.3). Where the rules come from is ``argo``'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from homeostat.compare import drift, fields, predecessors
from homeostat.compare.drift import Difference, Echo, Sides
from homeostat.compare.errors import IgnoreError
from homeostat.compare.fields import FieldSet
from homeostat.evaluate.errors import EvaluateError
from homeostat.evaluate.pool import Pool
from homeostat.evaluate.requests import JqRequest
from homeostat.model.app import Ignore
from homeostat.model.glob import matches
from homeostat.model.objects import Key, Object, key_of

_NO_RULES: Final[tuple[Ignore, ...]] = ()


class Ignored(msgspec.Struct, frozen=True):
    """What does not count of one object. ``pointers`` are split into their parts; ``programs`` are whole jq programs."""

    pointers: tuple[tuple[str, ...], ...] = ()
    programs: tuple[str, ...] = ()
    managers: frozenset[str] = frozenset()

    def cut(self, two: Sides) -> Sides:
        """The two sides without what pointers and managers name. The jq programs are not run here."""
        claimed, dropped = two.claimed, two.dropped
        if self.managers:
            trusted: FieldSet = {}
            for entry in two.entries:
                if entry.get("manager") in self.managers:
                    trusted = fields.union(trusted, predecessors.fields_of(entry))
            claimed, dropped = fields.difference(claimed, trusted), fields.difference(dropped, trusted)
        if not self.pointers and not self.programs:
            return msgspec.structs.replace(two, claimed=claimed, dropped=dropped, whole=False)
        desired, live = two.desired, fields.project(two.live, fields.union(claimed, dropped))
        for pointer in self.pointers:
            desired, live = without(desired, pointer), without(live, pointer)
        return msgspec.structs.replace(two, claimed=claimed, dropped=dropped, desired=desired, live=live, whole=False)


def choose(rules: Iterable[Ignore], key: Key) -> Ignored | None:
    """What the rules that are meant for ``key`` say together, or ``None`` when none is. Raises :class:`IgnoreError` for a bad pointer."""
    pointers: list[tuple[str, ...]] = []
    programs: list[str] = []
    managers: set[str] = set()
    for rule in rules:
        if (rule.name and rule.name != key.name) or (rule.namespace and rule.namespace != key.namespace):
            continue
        if not matches(rule.group, key.group) or not matches(rule.kind, key.kind):
            continue
        pointers += (_parts(pointer) for pointer in rule.json_pointers)
        programs += (_program(expression) for expression in rule.jq_path_expressions)
        managers.update(rule.managed_fields_managers)
    if not pointers and not programs and not managers:
        return None
    return Ignored(tuple(pointers), tuple(programs), frozenset(managers))


class Ignorer:
    """Chooses and carries out the rules. ``system`` answers the rules that hold for every app; ``pool`` runs jq."""

    def __init__(self, pool: Pool | None, system: Callable[[], tuple[Ignore, ...]] = lambda: _NO_RULES) -> None:
        self._pool = pool
        self._system = system

    def rules_for(self, key: Key, rules: tuple[Ignore, ...]) -> Ignored | None:
        """What an app's own ``rules`` and the system's ignore of ``key``; ``None`` for nothing."""
        system = self._system()
        return choose((*system, *rules), key) if system or rules else None

    async def differences(self, echo: Echo, live: Object, ignored: Ignored) -> tuple[Difference, ...]:
        """:func:`drift.differences` of what is left. Raises :class:`IgnoreError` when a jq program fails or overruns."""
        if drift.settled(echo, live):
            return ()
        two = ignored.cut(drift.sides(echo, live))
        if ignored.programs:
            two = await self._filter(two, ignored.programs, key_of(live))
        return drift.judge(two)

    async def shown(self, ignored: Ignored, desired: Object, live: Object) -> tuple[Object, Object]:
        """Both whole objects without what is ignored: for people to read, where :meth:`differences` decides. Raises :class:`IgnoreError`."""
        for entry in predecessors.entries_of(live):
            if entry.get("manager") in ignored.managers:
                trusted = predecessors.fields_of(entry)
                desired, live = fields.without(desired, trusted), fields.without(live, trusted)
        for pointer in ignored.pointers:
            desired, live = without(desired, pointer), without(live, pointer)
        if ignored.programs:
            desired, live = await self._run(ignored.programs, desired, live, key_of(live))
        return desired, live

    async def _filter(self, two: Sides, programs: tuple[str, ...], key: Key) -> Sides:
        live = two.live if two.live is not fields.MISSING else {}
        desired, live = await self._run(programs, two.desired, live, key)
        return msgspec.structs.replace(two, desired=desired, live=live)

    async def _run(self, programs: tuple[str, ...], desired: Any, live: Any, key: Key) -> tuple[Any, Any]:
        if self._pool is None:
            raise IgnoreError(f"ignoreDifferences for {key}: jqPathExpressions need an evaluator, and there is none here")
        try:
            answer = await self._pool.evaluate(JqRequest(programs=programs, inputs=(desired, live)), subject=f"ignoreDifferences for {key}")
        except EvaluateError as error:
            raise IgnoreError(f"ignoreDifferences for {key}: jqPathExpressions: {error}", hint=error.hint) from error
        desired, live = answer.value
        return desired, live


def without(value: Any, parts: tuple[str, ...]) -> Any:
    """``value`` without what a JSON pointer names; ``value`` itself when it is not there. Nothing is changed in place."""
    name, rest = parts[0], parts[1:]
    if isinstance(value, dict):
        if name not in value:
            return value
        if not rest:
            return {key: below for key, below in value.items() if key != name}
        below = without(value[name], rest)
        return value if below is value[name] else {**value, name: below}
    if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
        place = int(name)
        if not rest:
            return value[:place] + value[place + 1 :]
        below = without(value[place], rest)
        return value if below is value[place] else [*value[:place], below, *value[place + 1 :]]
    return value


def _parts(pointer: str) -> tuple[str, ...]:
    if not pointer.startswith("/"):
        raise IgnoreError(f"ignoreDifferences: jsonPointers: {pointer!r} does not start with /", hint="write it like /spec/replicas")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/"))


def _program(expression: str) -> str:
    # A path that does not fit the object is fine («Cannot iterate over null»): it stays as it is. The line break ends a comment.
    return f". as $whole | try del({expression}\n) catch $whole"
