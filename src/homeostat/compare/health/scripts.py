"""Health by the operator's own Lua scripts, before the built-in rules.

Order (reference 1.7): the script for exactly this kind, else the first whose globs match, else the built-in rules. A script that returns
nothing leaves the object to the built-in rules. One that fails, runs for too long or answers nonsense makes this object Unknown, with the
reason, and harms nobody else: scripts run in the evaluators. What a script said of one version of an object is remembered.
Reading scripts from settings is not done here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import structlog

from homeostat.compare.health import builtin
from homeostat.compare.health.builtin import Verdict
from homeostat.compare.health.custom import application
from homeostat.evaluate.errors import EvaluateError, EvaluatorCrashError
from homeostat.evaluate.pool import Pool
from homeostat.evaluate.requests import LuaRequest
from homeostat.model.glob import matches
from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import GroupKind, Object, key_of
from homeostat.model.settings import HealthScript

log = structlog.get_logger(__name__)

_REMEMBERED: Final = 50_000
"""How many objects' answers are remembered; the oldest goes first."""


class _Said(NamedTuple):
    """What ``script`` said of an object at ``version``."""

    script: HealthScript
    version: str
    health: Health | None


class Judge:
    """Judges objects by scripts and built-in rules. ``scripts`` answers those that are in force, others in a new sequence; ``pool`` runs them."""

    def __init__(self, pool: Pool | None = None, scripts: Callable[[], Sequence[HealthScript]] = tuple) -> None:
        self._pool = pool
        self._scripts = scripts
        self._said: dict[str, _Said] = {}
        self._found: dict[GroupKind, HealthScript | None] = {}
        self._found_in: Sequence[HealthScript] = ()

    async def judge(self, obj: Object) -> Health | None:
        """The health of ``obj``; ``None`` when nobody judges its kind. Never raises for what is wrong with the object or a script."""
        return (await self.verdict(obj)).health

    async def gate(self, obj: Object) -> Health | None:
        """How a wave that waits for ``obj`` sees it: its health, and for a child Application without a script more than that.

        What it says of an Application must not become the health of an app: see :mod:`homeostat.compare.health.custom.application`.
        """
        health = await self.judge(obj)
        if health is None and key_of(obj).group_kind == application.APPLICATION:
            return application.gate(obj)
        return health

    async def verdict(self, obj: Object) -> Verdict:
        """The health of ``obj`` and the rule that it comes from."""
        pending = builtin.deletion(obj)
        if pending is not None:
            return Verdict(pending, builtin.PENDING_DELETION)
        script = self._script_for(obj)
        if script is not None:
            health = await self._ask(script, obj)
            if health is not None:
                return Verdict(health, f"Lua for {script.group}/{script.kind}" if script.group else f"Lua for {script.kind}")
        return builtin.verdict(obj)

    def _script_for(self, obj: Object) -> HealthScript | None:
        """:func:`find`, once for each kind until other scripts are in force: there may be many, and this runs with every event."""
        scripts = self._scripts()
        if not scripts:
            return None
        if scripts is not self._found_in:
            self._found, self._found_in = {}, scripts
        kind = key_of(obj).group_kind
        if kind not in self._found:
            self._found[kind] = find(scripts, kind)
        return self._found[kind]

    async def _ask(self, script: HealthScript, obj: Object) -> Health | None:
        metadata = obj.get("metadata") or {}
        uid, version = metadata.get("uid"), metadata.get("resourceVersion")
        known = self._said.get(uid) if uid and version else None
        if known is not None and known.version == version and known.script == script:
            return known.health
        health, lasts = await self._run(script, obj)
        if uid and version and lasts:
            self._said.pop(uid, None)
            while len(self._said) >= _REMEMBERED:
                del self._said[next(iter(self._said))]
            self._said[uid] = _Said(script, version, health)
        return health

    async def _run(self, script: HealthScript, obj: Object) -> tuple[Health | None, bool]:
        """What the script says, and whether it would say so again."""
        if self._pool is None:
            return Health(HealthStatus.UNKNOWN, "there is no evaluator for the health script of this kind"), False
        key = key_of(obj)
        try:
            answer = await self._pool.evaluate(
                LuaRequest(script=script.script, obj=obj, open_libs=script.open_libs), subject=f"health of {key}"
            )
        except EvaluatorCrashError as error:
            return Health(HealthStatus.UNKNOWN, str(error)), False
        except EvaluateError as error:
            log.warning("health script failed", object=str(key), error=str(error))
            return Health(HealthStatus.UNKNOWN, str(error)), True
        return _read(answer.value), True


def find(scripts: Sequence[HealthScript], of: GroupKind) -> HealthScript | None:
    """The script for this kind: named exactly, else the first whose globs match."""
    group, kind = of
    for script in scripts:
        if script.group == group and script.kind == kind:
            return script
    name = f"{group}/{kind}" if group else kind
    for script in scripts:
        if matches(f"{script.group}/{script.kind}" if script.group else script.kind, name):
            return script
    return None


def _read(value: Any) -> Health | None:
    """What a script returned, as health: ``nil`` is nothing, a status that is none is Unknown."""
    if value is None:
        return None
    if not isinstance(value, dict):
        return Health(HealthStatus.UNKNOWN, f"expect table output from Lua script, not {_LUA.get(type(value), 'table without a status')}")
    status, message = value.get("status"), value.get("message")
    if status not in _STATUSES or not isinstance(message, str | None):
        return Health(HealthStatus.UNKNOWN, "Lua returned an invalid health status")
    return Health(_STATUSES[status], message or "")


_LUA: Final = {str: "string", bool: "boolean", int: "number", float: "number"}
_STATUSES: Final[dict[Any, HealthStatus]] = {str(status): status for status in HealthStatus}
