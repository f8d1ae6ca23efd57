"""Runs the scripts of resource actions in evaluators: which actions has this object, and what does one of them ask for.

By Argo CD's contract (reference 1.7) scripts have the globals ``obj`` and ``actionParams``, the base and table libraries, the time, and one second.
``discovery.lua`` returns a table from names to ``{disabled, displayName, iconClass, params}``; ours may say ``reason``, too: why it is disabled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from homeostat.actions import catalogue, effects
from homeostat.actions.errors import ActionScriptError, DisabledActionError, ParameterError, UnknownActionError
from homeostat.evaluate.errors import EvaluationError
from homeostat.evaluate.pool import Pool
from homeostat.evaluate.requests import LuaRequest
from homeostat.model.objects import Object, key_of
from homeostat.model.settings import ActionScripts


class Param(msgspec.Struct, frozen=True):
    """A parameter of an action. Its value is text; without a ``default`` it must be given."""

    name: str
    default: str | None = None


class Action(msgspec.Struct, frozen=True):
    """An action that an object has. ``display_name`` and ``icon_class`` are for a page; ``reason`` says why it is disabled, where that is known."""

    name: str
    disabled: bool = False
    reason: str = ""
    display_name: str = ""
    icon_class: str = ""
    params: tuple[Param, ...] = ()


class _Told(msgspec.Struct, rename="camel"):
    """One entry of what a discovery script returned. Lua has one empty table for lists and objects."""

    disabled: bool | None = None
    reason: str | None = None
    display_name: str | None = None
    icon_class: str | None = None
    params: list[Param] | dict[str, Any] | None = None


class Engine:
    """``builtin`` are our scripts (:func:`catalogue.load`), ``custom`` the operator's. The ``pool``'s time limit for one script applies."""

    def __init__(self, pool: Pool, *, builtin: catalogue.Builtin, custom: Sequence[ActionScripts] = ()) -> None:
        self._pool = pool
        self._builtin = builtin
        self._custom = custom

    async def discover(self, obj: Object) -> tuple[Action, ...]:
        """The actions that ``obj`` has as it is, by name. Raises :class:`ActionScriptError`, :class:`~homeostat.evaluate.errors.EvaluateError`."""
        offer = self._find(obj)
        found: dict[str, Action] = {}
        for script in offer.discoveries if offer else ():
            told = await self._evaluate(script, obj, {}, "the discovery of actions")
            for name, one in _entries(obj, told).items():
                found.setdefault(name, one)
        return tuple(found[name] for name in sorted(found))

    async def run(self, obj: Object, name: str, params: Mapping[str, str]) -> tuple[effects.Effect, ...]:
        """What the action asks to be done; nothing when it changes nothing.

        Raises :class:`UnknownActionError`, :class:`DisabledActionError`, :class:`ParameterError`, and what :meth:`discover` raises.
        """
        actions = {action.name: action for action in await self.discover(obj)}
        action = actions.get(name)
        if action is None:
            raise UnknownActionError(key_of(obj), name, actions)
        if action.disabled:
            raise DisabledActionError(key_of(obj), name, action.reason)
        offer = self._find(obj)
        script = offer.definitions.get(name) if offer else None
        if script is None:
            raise ActionScriptError(
                key_of(obj), f"action `{name}` is offered and defined nowhere", hint=f"add it to `definitions` in {_place(obj)}"
            )
        answer = await self._evaluate(script, obj, _filled(obj, action, params), f"action `{name}`")
        return effects.read(answer, obj)

    def _find(self, obj: Object) -> catalogue.Offer | None:
        return catalogue.find(key_of(obj).group_kind, builtin=self._builtin, custom=self._custom)

    async def _evaluate(self, script: str, obj: Object, params: dict[str, str], what: str) -> Any:
        key = key_of(obj)
        try:
            answer = await self._pool.evaluate(LuaRequest(script=script, obj=obj, params=params), subject=f"{what} of {key}")
        except EvaluationError as error:
            # What a script says of a Secret may quote what is in it.
            said = f"the script failed in line {error.line}" if key.kind == "Secret" and not key.group else error.message
            raise ActionScriptError(key, f"{what}: {said}") from None
        return answer.value


def _entries(obj: Object, told: Any) -> dict[str, Action]:
    if told == []:
        return {}
    key = key_of(obj)
    if not isinstance(told, dict):
        raise ActionScriptError(
            key, "the discovery of actions: expected a table from names to what is known of each", hint=f"mend it in {_place(obj)}"
        )
    found = {}
    for name, value in told.items():
        try:
            one = msgspec.convert(value or {}, _Told)
        except msgspec.ValidationError as error:
            raise ActionScriptError(key, f"the discovery of actions: `{name}`: {error}", hint=f"mend it in {_place(obj)}") from None
        params = tuple(one.params) if isinstance(one.params, list) else ()
        found[name] = Action(name, bool(one.disabled), one.reason or "", one.display_name or "", one.icon_class or "", params)
    return found


def _filled(obj: Object, action: Action, given: Mapping[str, str]) -> dict[str, str]:
    """``given`` with the defaults of the others. An action that declares none may read any."""
    names = [param.name for param in action.params]
    for name in given:
        if names and name not in names:
            raise ParameterError(key_of(obj), f"action `{action.name}` has no parameter `{name}`", hint=f"it takes {', '.join(names)}")
    filled = {param.name: param.default for param in action.params if param.default is not None} | dict(given)
    for name in names:
        if name not in filled:
            raise ParameterError(key_of(obj), f"action `{action.name}` needs a value for `{name}`", hint=f"give it with `--param {name}=…`")
    return filled


def _place(obj: Object) -> str:
    group, kind = key_of(obj).group_kind
    return f"ConfigMap argocd-cm, resource.customizations.actions.{f'{group}_{kind}' if group else kind}"
