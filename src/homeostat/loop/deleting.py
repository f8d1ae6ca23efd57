"""The deletion of an app: one duty after the other is done and taken off its resource, and then that may go (reference 2.8).

In the order of :class:`~homeostat.model.app.Duty`: PreDelete hooks run, the objects go (the highest wave first), PostDelete hooks run, what hooks left
behind goes. All that has to be remembered stands in the duties and in the cluster, so a kill anywhere costs nothing; objects and hooks are waited
for by the watch, not by a worker. What may go, and what comes next, is ``sync/deletion.py``'s rule: what the app does not own is never touched.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import structlog

from homeostat.loop.lasthooks import LastHooks
from homeostat.loop.look import Looker
from homeostat.loop.memory import Memory
from homeostat.loop.remains import TRY_AGAIN, Pending, Remains, is_going, kinds_of, named, options_of, refused
from homeostat.loop.seam import Apps
from homeostat.model import times
from homeostat.model.app import App, Duty
from homeostat.model.hooks import HookType
from homeostat.model.objects import Key, Object
from homeostat.model.sync import Plan
from homeostat.sync import deletion

log = structlog.get_logger()


class Deleter:
    """Deletes apps of one cluster."""

    def __init__(self, remains: Remains, *, apps: Apps, looker: Looker, hooks: LastHooks) -> None:
        self._remains = remains
        self._apps = apps
        self._looker = looker
        self._hooks = hooks

    async def delete(self, app: App, memory: Memory) -> Pending | None:
        """Goes on as far as it can; ``None`` when nothing is left to do. Raises :class:`ApiError` when nobody can tell what there is."""
        refusal = _refusal(app)
        if refusal is not None:
            return refusal
        unchanged = self._remains.unchanged(app)
        if unchanged is not None:
            return unchanged
        await self._looker.attend(app, (), memory)
        await self._remains.cluster.ensure(kinds_of(app))
        duties = app.duties
        if Duty.OBJECTS in duties and (pending := self._remains.unknown(kinds_of(app)) or await self._unconfirmed(app)):
            return pending
        for duty in Duty:
            if duty in duties:
                if pending := await self._do(duty, app, memory):
                    return pending
                duties -= {duty}
                await self._apps.bind(app, duties)
        log.info("app deleted", app=str(app.key))
        return None

    async def let_go(self, app_id: str) -> None:
        """An app went without our doing, and its objects stay: our finalizer on hooks of its last sync would keep them, and their namespace, for ever."""
        self._remains.forget(app_id)
        held = deletion.held_hooks(await self._remains.live(app_id), app_id=app_id, tracking=self._remains.tracking)
        problems = await self._remains.runner.tidy(held)
        if problems:
            log.warning("hooks of an app that is gone keep our finalizer", app=app_id, problems=problems)

    async def _do(self, duty: Duty, app: App, memory: Memory) -> Pending | None:
        match duty:
            case Duty.BEFORE:
                return await self._hooks.run(app, HookType.PRE_DELETE, memory)
            case Duty.OBJECTS:
                return await self._delete_objects(app)
            case Duty.AFTER:
                return await self._hooks.run(app, HookType.POST_DELETE, memory)
            case Duty.CLEANUP_BEFORE:
                return await self._hooks.clean_up(app, HookType.PRE_DELETE)
            case Duty.CLEANUP_AFTER:
                return await self._hooks.clean_up(app, HookType.POST_DELETE)

    async def _unconfirmed(self, app: App) -> Pending | None:
        """Objects that ask for a confirmation hold everything up, hooks included: while nobody has confirmed, nothing is lost."""
        if app.approved_at and app.approved_at >= app.deleted_at:
            return None
        keys = deletion.to_confirm(self._plan(app, await self._remains.live(app.id)), app.policy.options)
        if not keys:
            return None
        return Pending(
            f"waiting for a confirmation that {named(keys)} may be deleted (Delete=confirm): `homeostat app confirm-deletion {app.key.name}`, "
            f"or the annotation argocd.argoproj.io/deletion-approved with the time of now, such as {times.stamp(time.time())[:11]}12:00:00Z",
            failed=True,
        )

    async def _delete_objects(self, app: App) -> Pending | None:
        if unknown := self._remains.unknown(kinds_of(app)):
            return unknown
        live = await self._remains.live(app.id)
        held = deletion.held_hooks(live, app_id=app.id, tracking=self._remains.tracking)
        if held:
            if problem := await self._remains.tidy(held):
                return problem
            live = await self._remains.live(app.id)
        before = Plan()
        while (plan := self._plan(app, live)).waves:
            going = [task.live for task in plan.tasks if task.live is not None and is_going(task.live)]
            if going or plan == before:
                return self._remains.wait(app, f"waiting for the objects of wave {plan.waves[0].number} to go", going)
            done = await self._remains.runner.run(plan.waves[0], options=options_of(app))
            if refusal := refused(done):
                return Pending(refusal, failed=True, seconds=TRY_AGAIN)
            before, live = plan, await self._remains.live(app.id)
        return None

    def _plan(self, app: App, live: Iterable[Object]) -> Plan:
        own = Key("argoproj.io", app.key.kind, app.key.namespace, app.key.name)
        tracking = self._remains.tracking
        return deletion.plan_deletion(live, app_id=app.id, own=own, options=app.policy.options, tracking=tracking)


def _refusal(app: App) -> Pending | None:
    """Why nothing of the app may be deleted."""
    if not app.destination.known:
        where = app.destination.server or app.destination.name or "no cluster"
        return Pending(
            f"{where} is no cluster that is known here: the app goes, and what it may have there stays", failed=True, abandoned=True
        )
    if app.unfit:
        hint = "see to the project, or take the finalizers off the app to leave its objects"
        return Pending(f"nobody can tell what of the app may be deleted: {app.unfit} (hint: {hint})", failed=True)
    return None
