"""One look at one app, from its resource to its status: the loop's picture as code.

Level-based and idempotent: everything is read anew, so calling it once too often changes nothing, and being killed anywhere loses nothing. Which
app is looked at, and when, is ``engine``'s business; the stages themselves are next door (``desire``, ``look``, ``decide``, ``syncing``, ``deleting``).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import structlog
from msgspec.structs import replace

from homeostat.live.cluster import Cluster
from homeostat.live.errors import ApiError
from homeostat.loop.attempt import is_confirmed
from homeostat.loop.decide import Verdict, decide
from homeostat.loop.deleting import Deleter
from homeostat.loop.desire import OPTION_WARNING, Desirer, UndesiredError
from homeostat.loop.guarding import Guarding
from homeostat.loop.lasthooks import duties_of
from homeostat.loop.look import Looker
from homeostat.loop.memory import Memory
from homeostat.loop.seam import Apps
from homeostat.loop.syncing import Syncer, automated
from homeostat.loop.turn import Turn
from homeostat.model import times
from homeostat.model.app import NO_DUTIES, App, AppKey, Duty
from homeostat.model.health import Health, HealthStatus
from homeostat.model.sync import Operation, OperationPhase
from homeostat.sync import guards
from homeostat.sync import options as opt
from homeostat.sync.step import TERMINATED

log = structlog.get_logger()

Clock = Callable[[], float]

AGAIN = 120.0
"""Seconds until what could not be told is looked at again, if nothing is seen to change before."""


class After(msgspec.Struct, frozen=True):
    """What the engine does next with the app: look again in ``seconds``; ``None``: when something changes."""

    seconds: float | None = None


class Reconciler:
    """Looks at apps, one call an app. Many calls run side by side, never two for one app."""

    def __init__(
        self,
        *,
        apps: Apps,
        cluster: Cluster,
        desirer: Desirer,
        looker: Looker,
        guarding: Guarding,
        syncer: Syncer,
        deleter: Deleter,
        clock: Clock = time.time,
    ) -> None:
        self._apps = apps
        self._cluster = cluster
        self._desirer = desirer
        self._looker = looker
        self._guarding = guarding
        self._syncer = syncer
        self._deleter = deleter
        self._clock = clock
        self._memories: dict[AppKey, Memory] = {}
        self._ids: dict[str, AppKey] = {}

    def memory(self, key: AppKey) -> Memory | None:
        return self._memories.get(key)

    def key_of(self, app_id: str) -> AppKey | None:
        """The app whose objects are tracked under ``app_id``, when it has been looked at."""
        return self._ids.get(app_id)

    async def reconcile(self, key: AppKey, *, asked_at: float | None = None) -> After:
        """One look. ``asked_at``: somebody asked for it at that (monotonic) time, and what the source said before does not count.

        Raises :class:`homeostat.live.errors.ApiError` when the API server cannot be asked: nothing is concluded from that, and the engine tries
        again. An error of our own is told in the app's conditions, and raised.
        """
        app = self._apps.get(key)
        if app is None:
            known = self._memories.get(key)
            if known is not None and known.app_id:
                await self._deleter.let_go(known.app_id)
            self.forget(key)
            return After()
        if app.skip:
            return After()
        memory = self._memories.setdefault(key, Memory())
        memory.app_id = app.id
        self._ids[app.id] = key
        if app.deleting:
            return await self._delete(app, memory)
        turn = Turn.begin(app, memory, now=self._clock())
        try:
            if turn.state is not None and turn.state.phase is OperationPhase.TERMINATING:
                await self._syncer.stop(turn)
                if turn.requested is not None and turn.requested.raw == turn.state.operation.raw:
                    turn.requested = None  # it is what was called off, and must not begin anew
            if app.problems:
                turn.tell("InvalidSpecError", app.problems)
                self._refuse(turn, "; ".join(app.problems))
            else:
                await self._look_and_act(turn, asked_at)
        except ApiError:
            raise
        except Exception as error:
            # What it says may hold anything, a secret included: the log of the controller is for operators, the status is for everybody.
            turn.tell("UnknownError", [f"an error of the controller itself ({type(error).__name__}): its log says more"])
            await self._apps.report(turn.app, turn.report())
            raise
        await self._apps.report(turn.app, turn.report())
        return After(turn.again)

    def forget(self, key: AppKey) -> None:
        """The app's resource is gone. Its objects stay, unless the finalizer has taken care of them."""
        memory = self._memories.pop(key, None)
        self._desirer.forget(key)
        if memory is not None and memory.app_id:
            self._cluster.release(memory.app_id)
            self._ids.pop(memory.app_id, None)

    async def _delete(self, app: App, memory: Memory) -> After:
        if not app.duties:
            return After()
        turn = Turn.begin(app, memory, now=self._clock())
        if turn.running:
            await self._syncer.stop(turn, message=f"{TERMINATED}: the app is being deleted")
            turn.app = await self._apps.report(app, turn.report())
        pending = await self._deleter.delete(app, memory)
        if pending is None:
            return After()
        if pending.unchanged:
            return After(pending.seconds)
        look = await self._looker.look_unwanted(app)
        turn.look = replace(look, health=Health(HealthStatus.PROGRESSING, pending.message))
        if pending.failed:
            turn.tell("DeletionError", [pending.message])
        await self._apps.report(turn.app, turn.report())
        if pending.abandoned:
            await self._apps.bind(turn.app, NO_DUTIES)
        return After(pending.seconds)

    async def _bind(self, turn: Turn) -> None:
        """The app does not go without the hooks of its deletion. Before its status says that it is synced: whoever deletes it then counts on them."""
        if turn.wanted is None or (turn.pinned is not None and turn.pinned.manifests):
            return
        duties = duties_of(turn.wanted.hooks) | turn.app.duties & {Duty.OBJECTS}
        if duties != turn.app.duties:
            await self._apps.bind(turn.app, duties)
            turn.app = replace(turn.app, duties=duties)

    async def _look_and_act(self, turn: Turn, asked_at: float | None) -> None:
        app, memory = turn.app, turn.memory
        if app.refresh and asked_at is None:
            asked_at = time.monotonic()
        new = asked_at is None and bool(app.created) and not app.synced_revision
        if new:
            # Whoever creates an app has just pushed what it is about. All that were created since the last fetch share the next.
            asked_at = time.monotonic() - max(turn.now - app.created, 0.0)
        if asked_at is not None:
            memory.expected = {key: known for key, known in memory.expected.items() if not known.error}
        pinned = turn.pinned
        revision = pinned.revision if pinned is not None and not _asks_anew(turn, pinned) else ""
        asked = replace(app, sources=app.operation_sources) if pinned is not None and app.operation_sources else app
        hard = app.refresh == "hard"
        if revision and asked_at is not None:
            await self._desirer.locator.poll(app)  # what is looked at is one commit; what the source asks for is wanted afterwards
        try:
            try:
                if pinned is not None and pinned.manifests:
                    self._desirer.allow_handed_in(app)
                    turn.wanted = self._desirer.handed_in(app, pinned.manifests, memory)
                else:
                    turn.wanted = await self._desirer.wanted(asked, memory, revision=revision, asked_at=asked_at, hard=hard)
            except UndesiredError:
                if not new:
                    raise
                # The time of its creation is known to the second; a push may lie between the last fetch and that.
                turn.wanted = await self._desirer.wanted(asked, memory, revision=revision, asked_at=time.monotonic(), hard=hard)
        except UndesiredError as error:
            turn.revision = error.revision
            turn.reconciled_at = times.stamp(turn.now)
            turn.tell("ComparisonError", [f"{error} (hint: {error.hint})" if error.hint else str(error)])
            await self._looker.attend(app, (), memory)
            turn.look = await self._looker.look_unwanted(app)
            asked_for = turn.requested is not None and not turn.running
            self._refuse(turn, str(error))
            turn.look_again(0 if asked_for else AGAIN)  # at what the source asks for, when it was the operation that cannot be told
            return
        turn.revision = turn.wanted.revision
        await self._bind(turn)
        if asked_at is not None or turn.revision != app.synced_revision:
            turn.reconciled_at = times.stamp(turn.now)
        trouble = self._desirer.locator.trouble(app)
        if trouble:
            turn.tell("ComparisonError", [f"{trouble} (going on with {turn.revision}, the last revision known)"])
        for kind, message in turn.wanted.warnings:
            turn.tell(kind, [message])
        turn.tell("ComparisonError", turn.wanted.unknown)
        turn.tell(OPTION_WARNING, opt.ignored_options(app.policy, (), turn.pinned))
        await self._look(turn)
        await self._guard(turn)
        await self._begin(turn)
        if turn.running:
            await self._syncer.proceed(turn, save=self._save)
            await self._look(turn)
        if any(one.message for one in turn.look.resources):
            turn.look_again(AGAIN)  # the server refused to say what an object would be
        if pinned is not None and (revision or pinned.manifests or asked is not app) and not _is_held_on_to(turn, pinned):
            turn.look_again(0)  # at what the source asks for, now that what the operation asked for is done with

    async def _look(self, turn: Turn) -> None:
        assert turn.wanted is not None
        turn.look = await self._looker.look(turn.app, turn.wanted, turn.memory)

    async def _guard(self, turn: Turn) -> None:
        """What must not be pruned until somebody has confirmed it. What a human asks for with ``prune`` is not held."""
        assert turn.wanted is not None
        held = await self._guarding.held(turn.app, turn.look.resources, turn.wanted.objects.keys())
        asked = turn.pinned or (turn.state.operation if turn.running and turn.state is not None else None)
        by_hand = asked is not None and asked.prune and not asked.automated
        if not held or (asked is not None and (is_confirmed(asked) or (by_hand and not asked.resources))):
            return
        turn.held = {} if by_hand else held
        turn.tell(guards.HELD, [guards.message(turn.app, held)])

    async def _begin(self, turn: Turn) -> None:
        """Starts the sync that was asked for, or that follows from the look; a newer revision takes over from one that is under way."""
        if turn.running:
            state = turn.state
            assert state is not None
            if state.revision == turn.revision and state.source == turn.source:
                return
            await self._syncer.supersede(turn)
            if not state.operation.automated:
                self._syncer.start(turn, state.operation)
                return
            turn.app = replace(turn.app, state=None)  # what happened to the old revision says nothing about the new one
        elif turn.requested is not None:
            self._syncer.start(turn, turn.requested)
            return
        decision = decide(
            turn.app,
            revision=turn.revision,
            source=turn.source,
            status=turn.look.status,
            resources=turn.look.resources,
            now=turn.now,
            held=turn.held,
            confirmed=guards.approved(turn.app, turn.held),
            namespace_differs=turn.look.namespace_differs,
        )
        if decision.condition:
            turn.tell(decision.kind, [decision.condition])
        if decision.verdict is Verdict.LATER:
            turn.look_again(decision.seconds)
        if decision.verdict in {Verdict.SYNC, Verdict.HEAL}:
            self._syncer.start(turn, automated(turn, decision))

    def _refuse(self, turn: Turn, why: str) -> None:
        """An operation was asked for, and what the app wants cannot be told: it ends here, and nothing has been done."""
        if turn.running or turn.requested is None:
            return
        self._syncer.start(turn, turn.requested)
        assert turn.state is not None
        turn.state = replace(turn.state, phase=OperationPhase.ERROR, message=why, finished_at=times.stamp(turn.now))

    async def _save(self, turn: Turn) -> None:
        turn.app = await self._apps.report(turn.app, turn.report())
        turn.refreshed = False  # one that is asked for from here on is another one


def _is_held_on_to(turn: Turn, operation: Operation) -> bool:
    """Whether what ``operation`` asks for goes on to count before what the source does."""
    return turn.running and (turn.runs_hook or not operation.automated)


def _asks_anew(turn: Turn, operation: Operation) -> bool:
    """Whether this attempt asks anew what the revision is (``retry.refresh``)."""
    return operation.refresh and turn.running and turn.state is not None and turn.state.retry_count > 0
