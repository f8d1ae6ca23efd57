"""The health of an app's objects, one by one. An Application's status has none for them (``resourceHealthSource: appTree``), so they are looked at.

The rules are the controller's: the operator's Lua scripts, then the built-in ones. An evaluator is started only where there is such a script.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from homeostat.argo.resources import CONFIG_MAPS
from homeostat.argo.settings import CONFIG, read_settings
from homeostat.cli import output as out
from homeostat.cli.apps import words
from homeostat.cli.apps.control import Applications
from homeostat.cli.apps.resources import key_in
from homeostat.compare.health import builtin
from homeostat.compare.health.scripts import Judge, find
from homeostat.live.discovery import Discovery
from homeostat.live.errors import ApiError, ForbiddenError, NotFoundError
from homeostat.model import tasks
from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import Object, key_of
from homeostat.model.settings import HealthScript

_AT_ONCE = 16
_MISSING = Health(HealthStatus.MISSING)


async def judged(applications: Applications, app: Object) -> Object:
    """``app`` with the health of each object in ``status.resources``. Objects that may not be looked at stay without, which is said."""
    entries = words.resources_of(app)
    if not entries or app["status"].get("resourceHealthSource") != "appTree":
        return app
    discovery = Discovery(applications.client)
    scripts, _ = await asyncio.gather(_scripts(applications), discovery.refresh())
    gate = asyncio.Semaphore(_AT_ONCE)

    async def get(entry: dict[str, Any]) -> Object | None:
        key = key_in(entry)
        resource = discovery.find(key.group_kind, entry.get("version") or "")
        unjudged = key.group_kind in builtin.STATUSLESS and find(scripts, key.group_kind) is None
        if resource is None or (unjudged and entry.get("status") == "Synced"):
            return {}
        async with gate:
            try:
                return await applications.client.get(resource, key.namespace, key.name)
            except NotFoundError:
                return None

    try:
        objects = await tasks.together(*(get(entry) for entry in entries))
    except ForbiddenError as error:
        out.say("warning", f"the health of the objects is not known: {error}")
        return app
    healths = await _judge(objects, scripts)
    resources = [
        {**entry, "health": {"status": str(health.status), **({"message": health.message} if health.message else {})}} if health else entry
        for entry, health in zip(entries, healths, strict=True)
    ]
    return {**app, "status": {**app["status"], "resources": resources}}


async def _scripts(applications: Applications) -> Sequence[HealthScript]:
    try:
        config = await applications.client.get(CONFIG_MAPS, applications.namespace, CONFIG)
    except ApiError:
        return ()  # Whoever may not read the settings sees what the built-in rules say.
    return read_settings({CONFIG: config}, namespace=applications.namespace).health_scripts


async def _judge(objects: Sequence[Object | None], scripts: Sequence[HealthScript]) -> list[Health | None]:
    async def all_by(judge: Judge) -> list[Health | None]:
        return [_MISSING if obj is None else await judge.judge(obj) if obj else None for obj in objects]

    if not any(obj and find(scripts, key_of(obj).group_kind) for obj in objects):
        return await all_by(Judge())
    from homeostat import toolchain  # noqa: PLC0415
    from homeostat.evaluate.pool import Pool  # noqa: PLC0415

    with out.progress() as tell:
        program = await asyncio.to_thread(toolchain.program, "evaluator", progress=tell)
    async with Pool(program=program, size=1) as pool:
        return await all_by(Judge(pool, lambda: scripts))
