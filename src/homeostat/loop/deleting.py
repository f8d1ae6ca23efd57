"""The deletion of an app: one duty after the other is done and taken off its resource, and then that may go (reference 2.8).

In the order of :class:`~homeostat.model.app.Duty`: PreDelete hooks run, the objects go (the highest wave first), PostDelete hooks run, what hooks left
behind goes. All that has to be remembered stands in the duties and in the cluster, so a kill anywhere costs nothing; objects and hooks are waited
for by the watch, not by a worker. What may go, and what comes next, is ``sync/deletion.py``'s rule: what the app does not own is never touched.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec
import structlog

from homeostat.compare.health.scripts import Judge
from homeostat.live.cluster import Cluster
from homeostat.live.errors import NotFoundError
from homeostat.loop.desire import Desirer, UndesiredError
from homeostat.loop.look import Looker
from homeostat.loop.memory import Memory, Wanted
from homeostat.loop.observing import observe
from homeostat.loop.seam import Apps
from homeostat.model import times
from homeostat.model.app import App, Duty
from homeostat.model.hooks import HOOK_FINALIZER, HookType
from homeostat.model.manifest import Desired
from homeostat.model.objects import GroupKind, Key, Object, key_of
from homeostat.model.settings import Settings
from homeostat.model.sync import Plan, ResultCode
from homeostat.sync import deletion
from homeostat.sync.errors import WaveError
from homeostat.sync.run import Done, Runner, RunOptions
from homeostat.sync.step import Cleanup, LiveHealth, RunWave, Tidy, Wait

log = structlog.get_logger()

TRY_AGAIN = 10.0
"""Seconds until something that was refused, or of which nothing is heard, is looked at again."""

PATIENCE = 10.0
"""Seconds after which an object that is kept by somebody else's finalizer is worth a condition."""

FIRST_RETRY = 10.0
LONGEST_RETRY = 300.0
"""Seconds until a hook that failed runs again: twice as long each time."""

NAMED = 3

_NO_KEEPERS = frozenset({"foregroundDeletion", "orphan", HOOK_FINALIZER})
"""Finalizers that go by themselves: the garbage collector's, and our own."""


class Pending(msgspec.Struct, frozen=True):
    """Why the app is still there. ``failed``: something is in the way; ``seconds``: when to look again if nothing is seen to change.

    ``abandoned``: nothing more can be done for it: once this has been told the app goes, and what it has is left.
    """

    message: str
    failed: bool = False
    seconds: float | None = None
    abandoned: bool = False


class Deleter:
    """Deletes apps of one cluster."""

    def __init__(
        self, cluster: Cluster, *, apps: Apps, desirer: Desirer, looker: Looker, judge: Judge, settings: Callable[[], Settings]
    ) -> None:
        self._cluster = cluster
        self._apps = apps
        self._desirer = desirer
        self._looker = looker
        self._judge = judge
        self._settings = settings
        self._runner = Runner(cluster)

    async def delete(self, app: App, memory: Memory) -> Pending | None:
        """Goes on as far as it can; ``None`` when nothing is left to do. Raises :class:`ApiError` when nobody can tell what there is."""
        refusal = _refusal(app)
        if refusal is not None:
            return refusal
        await self._looker.attend(app, (), memory)
        duties = app.duties
        if Duty.OBJECTS in duties and (pending := self._unconfirmed(app)):
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
        held = deletion.held_hooks(self._live(app_id), app_id=app_id, tracking=self._settings().tracking)
        problems = await self._runner.tidy(held)
        if problems:
            log.warning("hooks of an app that is gone keep our finalizer", app=app_id, problems=problems)

    async def _do(self, duty: Duty, app: App, memory: Memory) -> Pending | None:
        match duty:
            case Duty.BEFORE:
                return await self._run_hooks(app, HookType.PRE_DELETE, memory)
            case Duty.OBJECTS:
                return await self._delete_objects(app)
            case Duty.AFTER:
                return await self._run_hooks(app, HookType.POST_DELETE, memory)
            case Duty.CLEANUP_BEFORE:
                return await self._clean_up(app, HookType.PRE_DELETE)
            case Duty.CLEANUP_AFTER:
                return await self._clean_up(app, HookType.POST_DELETE)

    # The objects.

    def _unconfirmed(self, app: App) -> Pending | None:
        """Objects that ask for a confirmation hold everything up, hooks included: while nobody has confirmed, nothing is lost."""
        if app.approved_at and app.approved_at >= app.deleted_at:
            return None
        keys = deletion.to_confirm(self._plan(app), app.policy.options)
        if not keys:
            return None
        return Pending(
            f"waiting for a confirmation that {_named(keys)} may be deleted (Delete=confirm): `homeostat app confirm-deletion {app.key.name}`, "
            f"or the annotation argocd.argoproj.io/deletion-approved with the time of now, such as {times.stamp(time.time())[:11]}12:00:00Z",
            failed=True,
        )

    async def _delete_objects(self, app: App) -> Pending | None:
        unknown = self._unknown({key.group_kind for key in app.recorded})
        if unknown is not None:
            return unknown
        held = deletion.held_hooks(self._live(app.id), app_id=app.id, tracking=self._settings().tracking)
        if held and (problem := await self._tidy(held)):
            return problem
        before = Plan()
        while (plan := self._plan(app)).waves:
            going = [task.live for task in plan.tasks if task.live is not None and _is_going(task.live)]
            if going or plan == before:
                return _waiting(app, f"waiting for the objects of wave {plan.waves[0].number} to go", going)
            done = await self._runner.run(plan.waves[0], options=_options(app))
            if refused := _refused(done):
                return Pending(refused, failed=True, seconds=TRY_AGAIN)
            before = plan
        return None

    def _plan(self, app: App) -> Plan:
        own = Key("argoproj.io", app.key.kind, app.key.namespace, app.key.name)
        tracking = self._settings().tracking
        return deletion.plan_deletion(self._live(app.id), app_id=app.id, own=own, options=app.policy.options, tracking=tracking)

    def _live(self, app_id: str) -> list[Object]:
        index = self._cluster.index
        return [obj for obj in map(index.get, sorted(index.managed(app_id))) if obj is not None]

    def _unknown(self, kinds: Collection[GroupKind]) -> Pending | None:
        """Kinds of which nobody can tell what there is. Of one that is served no more there is nothing left."""
        unavailable = self._cluster.unavailable(kinds)
        told = [f"{kind}: {error}" for kind, error in sorted(unavailable.items()) if not isinstance(error, NotFoundError)]
        if not told:
            return None
        return Pending(f"what is left of the app cannot be told: {'; '.join(told)}", failed=True, seconds=TRY_AGAIN)

    # Its hooks.

    async def _run_hooks(self, app: App, hook_type: HookType, memory: Memory) -> Pending | None:
        try:
            plan = await self._hook_plan(app, hook_type, memory)
        except (UndesiredError, WaveError) as error:
            hint = "restore the source, or take the finalizer that stands for these hooks off the app to go on without them"
            return Pending(f"the {hook_type} hooks of the app cannot be read: {error} (hint: {hint})", failed=True, seconds=TRY_AGAIN)
        kinds = {task.key.group_kind for task in plan.tasks}
        await self._cluster.ensure(kinds)
        obstacle = self._unknown(kinds) or self._foreign(app, plan)
        if obstacle is not None:
            return obstacle
        last: deletion.HookStep | None = None
        while True:
            step = deletion.hook_step(plan, await self._observe(app, (task.key for task in plan.tasks)))
            again, last = step == last, step
            match step:
                case Wait(reason=reason):
                    return Pending(f"{hook_type}: {reason}")
                case RunWave() | Tidy() if again:
                    return Pending(f"{hook_type}: waiting to see what became of hooks", seconds=TRY_AGAIN)
                case RunWave(wave=wave):
                    done = await self._runner.run(wave, options=_options(app))
                    if refused := _refused(done):
                        return _after_failure(hook_type, refused, memory)
                case Tidy(cleanups=cleanups):
                    if problem := await self._tidy(cleanups):
                        return problem
                case deletion.Failed(message=message, cleanups=cleanups):
                    if not 0 < memory.hooks_due <= time.monotonic():
                        return _after_failure(hook_type, message, memory)
                    memory.hooks_due = 0.0
                    if problem := await self._tidy(cleanups):
                        return problem
                case deletion.Finished(cleanups=cleanups):
                    memory.hooks_failed, memory.hooks_due = 0, 0.0
                    return await self._tidy(cleanups)

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
        tracking = self._settings().tracking
        attempt = deletion.attempt_of(
            app_id=app.id, namespace=app.destination.namespace, tracking=tracking, revision=wanted.revision, deleted_at=app.deleted_at
        )
        return deletion.plan_hooks(wanted.hooks, hook_type, attempt)

    def _foreign(self, app: App, plan: Plan) -> Pending | None:
        """An object of somebody else that stands where a hook is to be."""
        for task in plan.tasks:
            node = self._cluster.index.node(task.key)
            if node is not None and node.app != app.id:
                whose = f"to the app {node.app}" if node.app else "to no app"
                message = f"{task.key} is a hook of this app, but the object of that name belongs {whose}: rename one of them, or delete it"
                return Pending(message, failed=True, seconds=TRY_AGAIN)
        return None

    async def _clean_up(self, app: App, hook_type: HookType) -> Pending | None:
        unknown = self._unknown({key.group_kind for key in app.recorded})
        if unknown is not None:
            return unknown
        hooks = self._hooks(app, hook_type)
        live = await self._observe(app, map(key_of, hooks))
        if problem := await self._tidy(deletion.clean_up(hooks, live)):
            return problem
        going = [hook for hook in self._hooks(app, hook_type) if _is_going(hook)]
        return _waiting(app, f"waiting for the {hook_type} hooks to go", going) if going else None

    def _hooks(self, app: App, hook_type: HookType) -> list[Object]:
        return deletion.hooks_among(self._live(app.id), hook_type, app_id=app.id, tracking=self._settings().tracking)

    async def _observe(self, app: App, keys: Iterable[Key]) -> LiveHealth:
        return await observe(self._cluster.index, self._judge, keys, app_id=app.id)

    async def _tidy(self, cleanups: Sequence[Cleanup]) -> Pending | None:
        """``None`` when all of it is done."""
        problems = await self._runner.tidy(cleanups)
        return Pending("; ".join(problems), failed=True, seconds=TRY_AGAIN) if problems else None


def duties_of(hooks: Iterable[Desired]) -> frozenset[Duty]:
    """What an app with these hooks owes them when it is deleted."""
    types = deletion.needed(hooks)
    before = {Duty.BEFORE, Duty.CLEANUP_BEFORE} if HookType.PRE_DELETE in types else set()
    after = {Duty.AFTER, Duty.CLEANUP_AFTER} if HookType.POST_DELETE in types else set()
    return frozenset(before | after)


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


def _after_failure(hook_type: HookType, message: str, memory: Memory) -> Pending:
    """Says what failed and when it is tried again. What failed stays until then, for whoever wants to know why."""
    now = time.monotonic()
    if memory.hooks_due <= now:
        memory.hooks_due = now + min(FIRST_RETRY * 2.0**memory.hooks_failed, LONGEST_RETRY)
        memory.hooks_failed += 1
    left = memory.hooks_due - now
    told = f"{hook_type} hooks failed: {message} (next attempt at {times.clock(time.time() + left)}, with the hooks that Git has then)"
    return Pending(told, failed=True, seconds=left)


def _waiting(app: App, reason: str, going: Sequence[Object]) -> Pending:
    """Says who keeps the objects that are on their way out, once that takes long. Child apps have words of their own."""
    now = time.time()
    stuck: list[str] = []
    later: list[float] = []
    for obj in going:
        keepers = [name for name in obj["metadata"].get("finalizers") or () if name not in _NO_KEEPERS]
        if not keepers or obj["kind"] == app.key.kind:
            continue
        left = times.parse(obj["metadata"]["deletionTimestamp"]) + PATIENCE - now
        if left > 0:
            later.append(left)
        else:
            stuck.append(f"{key_of(obj)} (finalizer {', '.join(keepers)})")
    seconds = min(later, default=TRY_AGAIN if not going else None)
    if not stuck:
        return Pending(reason, seconds=seconds)
    more = f" and {len(stuck) - NAMED} more" if len(stuck) > NAMED else ""
    return Pending(f"{reason}: somebody else keeps {'; '.join(stuck[:NAMED])}{more}", failed=True, seconds=seconds)


def _is_going(obj: Object) -> bool:
    return "deletionTimestamp" in obj["metadata"]


def _refused(done: Iterable[Done]) -> str:
    return "; ".join(f"{one.result.key}: {one.result.message}" for one in done if one.result.status is ResultCode.SYNC_FAILED)


def _options(app: App) -> RunOptions:
    return RunOptions(propagation="Background" if app.finalizer == "background" else "Foreground")


def _named(keys: Sequence[Key]) -> str:
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return f"{', '.join(map(str, keys[:NAMED]))}{more}"
