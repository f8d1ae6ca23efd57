"""Carries out ``ignoreDifferences``: both sides of a comparison are cut the same way, before they are compared.

A rule names JSON pointers, jq path expressions, and managers whose fields are not looked at; a path that is not there is fine. To that come what
``resource.compareoptions`` says of ``status``, and the fields whose type is known (``known``). Rules are Argo CD's (reference 1.5, 2.3): which of
them are meant for an object is ``rules``'s business, what a sync sends of ignored fields ``respect``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from homeostat.compare import drift, fields, predecessors, rules
from homeostat.compare.drift import Difference, Echo, Sides
from homeostat.compare.errors import IgnoreError
from homeostat.compare.fields import FieldSet
from homeostat.compare.known import TypedFields, typed_fields
from homeostat.compare.respect import respect
from homeostat.evaluate.errors import EvaluateError, EvaluationError
from homeostat.evaluate.pool import Pool
from homeostat.evaluate.requests import JqRequest
from homeostat.model.app import Ignore
from homeostat.model.objects import GroupKind, Key, Object, key_of
from homeostat.model.settings import Settings

_CRD: Final = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")
_REMEMBERED: Final = 10_000
"""Expressions of which it is remembered whether they compile."""


class Ignored(msgspec.Struct, frozen=True):
    """What does not count of one object. ``status``: what Git declares of the status counts; ``typed``: fields whose spelling does not."""

    pointers: tuple[tuple[str, ...], ...] = ()
    programs: tuple[str, ...] = ()
    managers: frozenset[str] = frozenset()
    status: bool = False
    typed: TypedFields = ()

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
            return msgspec.structs.replace(two, claimed=claimed, dropped=dropped, whole=two.whole and not self.managers)
        desired, live = two.desired, fields.project(two.live, fields.union(claimed, dropped))
        for pointer in self.pointers:
            desired, live = without(desired, pointer), without(live, pointer)
        return msgspec.structs.replace(two, claimed=claimed, dropped=dropped, desired=desired, live=live, whole=False)


class Ignorer:
    """Chooses and carries out the rules. ``settings`` answers what holds for every app; ``pool`` runs jq."""

    def __init__(self, pool: Pool | None, settings: Callable[[], Settings] = Settings) -> None:
        self._pool = pool
        self._settings = settings
        self._compiled: dict[str, str] = {}

    def rules_for(self, key: Key, own: tuple[Ignore, ...]) -> Ignored | None:
        """What an app's ``own`` rules and the settings ignore of ``key``; ``None`` for nothing. Raises :class:`IgnoreError` for a bad pointer."""
        settings = self._settings()
        typed = typed_fields(settings.known_types, key.group_kind)
        mode = settings.ignore_resource_status_field
        status = mode == "none" or (mode == "crd" and key.group_kind != _CRD)
        if not (settings.ignore or own or typed or status):
            return None
        chosen = rules.choose((*settings.ignore, *own), key)
        if not (chosen or typed or status):
            return None
        return Ignored(chosen.pointers, chosen.programs, chosen.managers, status, typed)

    async def problems(self, asked: tuple[Ignore, ...]) -> tuple[str, ...]:
        """What is wrong with rules, each with the place where it stands. Costs next to nothing for rules that were asked about before.

        An app with problems must not be synced on its own account: what was meant to be ignored would be overwritten.
        """
        found = []
        for number, rule in enumerate(asked):
            where = rules.place(rule, number)
            found += [f"{where}{field}: {problem}" for field, problem in rules.malformed(rule)]
            for place, expression in enumerate(rule.jq_path_expressions):
                problem = await self._compile(expression)
                if problem:
                    found.append(f"{where}jqPathExpressions[{place}]: {problem}")
        return tuple(found)

    async def differences(self, echo: Echo, live: Object, ignored: Ignored) -> tuple[Difference, ...]:
        """:func:`drift.differences` of what is left. Raises :class:`IgnoreError` when a jq program fails or overruns."""
        if drift.settled(echo, live):
            return ()
        two = ignored.cut(drift.sides(echo, live, status=ignored.status))
        if ignored.programs:
            desired, cut = await self._run(ignored.programs, two.desired, two.live if two.live is not fields.MISSING else {}, key_of(live))
            two = msgspec.structs.replace(two, desired=desired, live=cut)
        return drift.judge(msgspec.structs.replace(two, typed=ignored.typed) if ignored.typed else two)

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

    async def respect(self, desired: Object, live: Object, ignored: Ignored, *, whole: bool = False) -> Object:
        """What a sync sends for ``desired`` when it leaves ignored fields as they are in ``live`` (``RespectIgnoreDifferences=true``).

        ``whole`` where the write replaces the object (or patches it without regard to owners). Raises :class:`IgnoreError`.
        """
        desired_cut, live_cut = await self.shown(ignored, desired, live)
        return respect(desired, live, desired_cut=desired_cut, live_cut=live_cut, whole=whole)

    async def cut(self, obj: Object, programs: Iterable[str]) -> Any:
        """``obj`` without what the jq programs take out of it. Raises :class:`IgnoreError`."""
        result, _ = await self._run(tuple(programs), obj, {}, key_of(obj))
        return result

    async def _run(self, programs: tuple[str, ...], desired: Any, live: Any, key: Key) -> tuple[Any, Any]:
        if self._pool is None:
            raise IgnoreError(f"ignoreDifferences for {key}: jqPathExpressions need an evaluator, and there is none here")
        try:
            answer = await self._pool.evaluate(JqRequest(programs=programs, inputs=(desired, live)), subject=f"ignoreDifferences for {key}")
        except EvaluateError as error:
            raise IgnoreError(f"ignoreDifferences for {key}: jqPathExpressions: {error}", hint=error.hint) from error
        desired, live = answer.value
        if not isinstance(desired, dict) or not isinstance(live, dict):
            raise IgnoreError(f"ignoreDifferences for {key}: jqPathExpressions: what is left is no object", hint="an expression is a path")
        return desired, live

    async def _compile(self, expression: str) -> str:
        """Why the expression is none; empty when it is one. Asked once."""
        known = self._compiled.get(expression)
        if known is not None:
            return known
        if self._pool is None:
            return ""
        try:
            await self._pool.evaluate(JqRequest(programs=(rules.program(expression),), inputs=()), subject="jqPathExpressions")
            problem = ""
        except EvaluationError as error:
            reason = error.message.rpartition('": ')[2]  # behind the program, which the user did not write
            problem = f"{expression!r} is not a jq path expression: {reason}"
        except EvaluateError as error:
            return str(error)  # of the evaluator, not of the expression: asked again
        if len(self._compiled) >= _REMEMBERED:
            self._compiled.clear()
        self._compiled[expression] = problem
        return problem


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
