"""The hooks of a deletion: run before the objects of an app go, and after, and cleaned up in the end.

What comes next is told by ``sync/deletion.py``, from what is live alone; the manifests come from the source, so a source that is gone is in the way.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable

from homeostat.loop.desire import Desirer, UndesiredError
from homeostat.loop.memory import Memory, Wanted
from homeostat.loop.remains import TRY_AGAIN, Pending, Remains, is_going, kinds_of, options_of, refused
from homeostat.model import times
from homeostat.model.app import App, Duty
from homeostat.model.hooks import HookType
from homeostat.model.manifest import Desired
from homeostat.model.objects import Object, key_of
from homeostat.model.sync import Plan
from homeostat.sync import deletion
from homeostat.sync.errors import WaveError
from homeostat.sync.step import RunWave, Tidy, Wait

FIRST_RETRY = 10.0
LONGEST_RETRY = 300.0
"""Seconds until a hook that failed runs again: twice as long each time."""


class LastHooks:
    """Of the apps of one cluster."""

    def __init__(self, remains: Remains, *, desirer: Desirer) -> None:
        self._remains = remains
        self._desirer = desirer

    async def run(self, app: App, hook_type: HookType, memory: Memory) -> Pending | None:
        """``None`` when all hooks of the type are well."""
        left = memory.hooks_due - time.monotonic()
        if left > 0 and not app.refresh:
            return Pending(memory.hooks_said, failed=True, seconds=left)
        due, memory.hooks_due = memory.hooks_due > 0, 0.0
        try:
            plan = await self._hook_plan(app, hook_type, memory)
        except (UndesiredError, WaveError) as error:
            hint = "restore the source, or take the finalizer that stands for these hooks off the app to go on without them"
            return Pending(f"the {hook_type} hooks of the app cannot be read: {error} (hint: {hint})", failed=True, seconds=TRY_AGAIN)
        kinds = {task.key.group_kind for task in plan.tasks}
        await self._remains.cluster.ensure(kinds)
        obstacle = self._remains.unknown(kinds) or self._foreign(app, plan)
        if obstacle is not None:
            return obstacle
        last: deletion.HookStep | None = None
        while True:
            step = deletion.hook_step(plan, await self._remains.observe(app, (task.key for task in plan.tasks)))
            again, last = step == last, step
            match step:
                case Wait(reason=reason):
                    return Pending(f"{hook_type}: {reason}")
                case RunWave() | Tidy() if again:
                    return Pending(f"{hook_type}: waiting to see what became of hooks", seconds=TRY_AGAIN)
                case RunWave(wave=wave):
                    done = await self._remains.runner.run(wave, options=options_of(app))
                    if refusal := refused(done):
                        return _after_failure(hook_type, refusal, memory)
                case Tidy(cleanups=cleanups):
                    if problem := await self._remains.tidy(cleanups):
                        return problem
                case deletion.Failed(message=message, cleanups=cleanups):
                    if not due:
                        return _after_failure(hook_type, message, memory)
                    due = False
                    if problem := await self._remains.tidy(cleanups):
                        return problem
                case deletion.Finished(cleanups=cleanups):
                    memory.hooks_failed = 0
                    return await self._remains.tidy(cleanups)

    async def _hook_plan(self, app: App, hook_type: HookType, memory: Memory) -> Plan:
        """The hooks as they were when the app was synced last; once one has failed, as the source has them by then, where it may have been mended."""
        if not app.sources:
            raise UndesiredError("; ".join(app.problems), revision="")
        synced = app.history[-1].revision if app.history else app.synced_revision
        wanted: Wanted | None = None
        if synced and not memory.hooks_failed:
            with contextlib.suppress(UndesiredError):  # that commit may be gone; what the source asks for need not be
                wanted = await self._desirer.wanted(app, memory, revision=synced)
        if wanted is None:
            wanted = await self._desirer.wanted(app, memory, asked_at=time.monotonic() if memory.hooks_failed else None)
        tracking = self._remains.tracking
        attempt = deletion.attempt_of(
            app_id=app.id, namespace=app.destination.namespace, tracking=tracking, revision=wanted.revision, deleted_at=app.deleted_at
        )
        return deletion.plan_hooks(wanted.hooks, hook_type, attempt)

    def _foreign(self, app: App, plan: Plan) -> Pending | None:
        """An object of somebody else that stands where a hook is to be."""
        for task in plan.tasks:
            node = self._remains.cluster.index.node(task.key)
            if node is not None and node.app != app.id:
                whose = f"to the app {node.app}" if node.app else "to no app"
                message = f"{task.key} is a hook of this app, but the object of that name belongs {whose}: rename one of them, or delete it"
                return Pending(message, failed=True, seconds=TRY_AGAIN)
        return None

    async def clean_up(self, app: App, hook_type: HookType) -> Pending | None:
        """``None`` when the hooks of the type that are to go are gone."""
        if unknown := self._remains.unknown(kinds_of(app)):
            return unknown
        hooks = await self._hooks(app, hook_type)
        live = await self._remains.observe(app, map(key_of, hooks))
        if problem := await self._remains.tidy(deletion.clean_up(hooks, live)):
            return problem
        going = [hook for hook in await self._hooks(app, hook_type) if is_going(hook)]
        return self._remains.wait(app, f"waiting for the {hook_type} hooks to go", going) if going else None

    async def _hooks(self, app: App, hook_type: HookType) -> list[Object]:
        return deletion.hooks_among(await self._remains.live(app.id), hook_type, app_id=app.id, tracking=self._remains.tracking)


def duties_of(hooks: Iterable[Desired]) -> frozenset[Duty]:
    """What an app with these hooks owes them when it is deleted."""
    types = deletion.needed(hooks)
    before = {Duty.BEFORE, Duty.CLEANUP_BEFORE} if HookType.PRE_DELETE in types else set()
    after = {Duty.AFTER, Duty.CLEANUP_AFTER} if HookType.POST_DELETE in types else set()
    return frozenset(before | after)


def _after_failure(hook_type: HookType, message: str, memory: Memory) -> Pending:
    """Says what failed and when it is tried again. What failed stays until then, for whoever wants to know why."""
    wait = min(FIRST_RETRY * 2.0 ** min(memory.hooks_failed, 10), LONGEST_RETRY)
    memory.hooks_failed += 1
    memory.hooks_due = time.monotonic() + wait
    when = f"next attempt at {times.clock(time.time() + wait)} or with a refresh, with the hooks that Git has then"
    memory.hooks_said = f"{hook_type} hooks failed: {message} ({when})"
    return Pending(memory.hooks_said, failed=True, seconds=wait)
