"""A sync of one app, from the operation that asks for it to its end: attempts, what lets them begin, and what follows from them.

:meth:`Syncer.proceed` is called again and again, by this process or the next, goes as far as it can, and never waits for health; that is an entry
in the index, woken by the watch. Which operation is wanted is decided in ``decide``; what happens within an attempt is ``attempt``'s business.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from msgspec.structs import replace

from homeostat.compare.health.scripts import Judge
from homeostat.compare.ignore import Ignorer
from homeostat.live.cluster import Cluster
from homeostat.loop import metrics
from homeostat.loop.attempt import CONFIRMED, Attempts, Save
from homeostat.loop.decide import Decision, Verdict
from homeostat.loop.turn import Turn
from homeostat.model import times
from homeostat.model.app import Retry
from homeostat.model.errors import HomeostatError
from homeostat.model.settings import Settings
from homeostat.model.sync import History, Operation, OperationPhase, OperationState, SyncSelection, SyncStatus
from homeostat.model.windows import permitted
from homeostat.sync import events, retry
from homeostat.sync import options as opt
from homeostat.sync.select import heal_selection
from homeostat.sync.step import TERMINATED, Finish

log = structlog.get_logger()


def automated(turn: Turn, decision: Decision) -> Operation:
    """The operation that an automated sync or a self-heal asks for, as Argo CD writes it (reference 2.4)."""
    policy = turn.app.policy
    asked = policy.retry or Retry()
    heal = decision.verdict is Verdict.HEAL
    return Operation(
        revision=turn.revision,
        prune=policy.prune,
        resources=_differing(turn) if heal else (),
        options=policy.options,
        source=turn.source,
        automated=True,
        heal_attempts=decision.attempts if heal else 0,
        retry_limit=asked.limit,
        retry_duration=asked.duration,
        retry_factor=asked.factor,
        retry_max_duration=asked.max_duration,
        info=((CONFIRMED, times.stamp(turn.app.approved_at)),) if decision.confirmed else (),
    )


def _differing(turn: Turn) -> tuple[SyncSelection, ...]:
    keys = [r.key for r in turn.look.resources if r.status is SyncStatus.OUT_OF_SYNC and r.key not in turn.held]
    return heal_selection(keys, of=[r.key for r in turn.look.resources])


class Syncer:
    """Carries syncs out on one cluster."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        judge: Judge,
        ignorer: Ignorer,
        settings: Callable[[], Settings],
        on_event: events.Listener = events.nobody,
    ) -> None:
        self._settings = settings
        self._attempts = Attempts(cluster, judge=judge, ignorer=ignorer, settings=settings, on_event=on_event)
        self._on_event = on_event

    def start(self, turn: Turn, operation: Operation) -> None:
        """The operation begins; nothing has been done yet."""
        turn.requested = operation
        turn.state = OperationState(
            operation=operation,
            phase=OperationPhase.RUNNING,
            started_at=times.stamp(turn.now),
            revision=turn.revision,
            source=operation.source or turn.source,
        )
        log.info("sync started", app=str(turn.app.key), revision=turn.revision, automated=operation.automated, user=operation.username)

    async def stop(self, turn: Turn, *, message: str = TERMINATED) -> None:
        """The sync is called off: its running hooks are deleted, what else was done stays done, and nothing more follows."""
        results = await self._attempts.terminate(turn)
        self._finish(turn, Finish(results, OperationPhase.FAILED, message), retried=False)

    async def supersede(self, turn: Turn) -> None:
        """A newer revision (or another source) takes over: the sync under way ends here."""
        assert turn.state is not None
        await self.stop(turn, message=f"superseded by {turn.revision}: {turn.state.message}")

    async def proceed(self, turn: Turn, *, save: Save) -> None:
        """Goes on with the sync under way as far as it can; ``save`` writes what is recorded so far. Sets ``turn.state`` and ``turn.again``."""
        state = turn.state
        assert state is not None
        if await self._is_kept_back(turn, state):
            return
        due = retry.waiting_until(state)
        if due is not None:
            if due > turn.now:
                turn.look_again(due - turn.now)
                return
            turn.state = retry.next_attempt(state)
        problem = self._problem(turn, state.operation)
        if problem:
            self._finish(turn, Finish(state.results, OperationPhase.ERROR, problem), retried=False)
            return
        try:
            end = await self._attempts.proceed(turn, save=save)
        except HomeostatError as error:
            results = turn.state.results if turn.state is not None else ()
            end = Finish(results, OperationPhase.FAILED, f"{error} (hint: {error.hint})" if error.hint else str(error))
        if end is not None:
            self._finish(turn, end)

    async def _is_kept_back(self, turn: Turn, state: OperationState) -> bool:
        """Whether the time limit of syncs, or a sync window, lets the sync go no further now."""
        started = times.parse(state.started_at)
        limit = self._settings().sync_timeout
        if limit and turn.now > started + limit:
            await self.stop(turn, message=f"{TERMINATED}: not done within {limit:.0f} s (controller.sync.timeout.seconds)")
            return True
        if limit:
            turn.look_again(started + limit - turn.now)
        permission = permitted(turn.app.windows, manual=not state.operation.automated, now=turn.now, running_since=started)
        if permission.allowed:
            return False
        turn.state = replace(state, message=permission.message)
        if permission.changes_at is not None:
            turn.look_again(permission.changes_at - turn.now)
        return True

    def _problem(self, turn: Turn, operation: Operation) -> str:
        """Why nothing of the operation can be carried out; empty when all is well."""
        if operation.problem:
            return operation.problem
        if operation.source is not None and operation.source != turn.source:
            return "operation.sync.source is not spec.source: to sync another source than the app's own is not supported yet"
        if turn.wanted is None:
            return "; ".join(c.message for c in turn.conditions) or "what the app wants is not known"
        if opt.FAIL_ON_SHARED in opt.effective(turn.app.policy, operation):
            return "; ".join(f"Shared resource found: {told}" for told in turn.look.shared)
        return ""

    def _finish(self, turn: Turn, end: Finish, *, retried: bool = True) -> None:
        state = turn.state
        assert state is not None
        now = time.time()
        ended = replace(state, phase=end.phase, message=end.message, results=end.results, finished_at=times.stamp(now))
        turn.memory.made = None
        if retried:
            ended = retry.after_failure(ended, now=now)
        turn.state = ended
        due = retry.waiting_until(ended)
        if due is not None:
            turn.look_again(due - now)
            log.warning("sync failed, will be tried again", app=str(turn.app.key), message=end.message, attempt=ended.retry_count)
            return
        self._on_event(events.SyncFinished(ended.phase, ended.message))
        metrics.SYNCS.labels(turn.app.key.namespace, turn.app.key.name, str(ended.phase)).inc()
        log.info("sync finished", app=str(turn.app.key), phase=str(ended.phase), message=ended.message)
        operation = ended.operation
        whole = not operation.dry_run and not operation.resources and not operation.manifests
        if ended.phase is OperationPhase.SUCCEEDED and whole:
            self._add_history(turn, ended)

    def _add_history(self, turn: Turn, ended: OperationState) -> None:
        limit = turn.app.policy.history_limit
        entry = History(
            id=max((h.id for h in turn.history), default=-1) + 1,
            revision=ended.revision,
            started_at=ended.started_at,
            deployed_at=ended.finished_at,
            source=ended.source,
            automated=ended.operation.automated,
            username=ended.operation.username,
        )
        turn.history = (*turn.history, entry)[-limit:] if limit > 0 else ()
