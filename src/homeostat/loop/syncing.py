"""A sync of one app, from the operation that asks for it to the end, one safe point at a time.

All that a sync remembers is the :class:`OperationState` in the app's status (design point 7): :meth:`Syncer.proceed` is called again and again,
by this process or the next, goes as far as it can, and never waits for health; that is an entry in the index, woken by the watch. Which operation
is wanted is decided in ``decide``; what a plan holds and what comes next in it is ``sync``'s business.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

import structlog
from msgspec.structs import replace

from homeostat.compare.drift import echo
from homeostat.compare.health.scripts import Judge
from homeostat.live.cluster import Cluster
from homeostat.loop import metrics
from homeostat.loop.decide import Decision, Verdict
from homeostat.loop.memory import Expected
from homeostat.loop.turn import Turn
from homeostat.model import times
from homeostat.model.app import Retry
from homeostat.model.errors import HomeostatError
from homeostat.model.objects import Key
from homeostat.model.settings import Settings
from homeostat.model.sync import History, Operation, OperationPhase, OperationState, Plan, SyncSelection, SyncStatus, Task, TaskResult
from homeostat.sync import events, retry
from homeostat.sync import options as opt
from homeostat.sync.plan import PlanInput, Target, plan
from homeostat.sync.rehearse import rehearse
from homeostat.sync.run import Done, Runner, run_options
from homeostat.sync.select import heal_selection
from homeostat.sync.step import Finish, LiveHealth, Observed, RunWave, Wait, failure_message, record, step, terminate, to_observe

log = structlog.get_logger()

Save = Callable[[Turn], Awaitable[None]]

SAVE_EVERY = 1.0
"""Seconds between two writes of the progress of a long sync. A kill between them costs applies that change nothing."""


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
    )


def _differing(turn: Turn) -> tuple[SyncSelection, ...]:
    keys = [r.key for r in turn.look.resources if r.status is SyncStatus.OUT_OF_SYNC]
    return heal_selection(keys, of=[r.key for r in turn.look.resources])


class Syncer:
    """Carries syncs out on one cluster."""

    def __init__(
        self, cluster: Cluster, *, judge: Judge, settings: Callable[[], Settings], on_event: events.Listener = events.nobody
    ) -> None:
        self._cluster = cluster
        self._judge = judge
        self._settings = settings
        self._runner = Runner(cluster)
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

    def stop(self, turn: Turn) -> None:
        """Somebody called the sync off: what was done stays done, and nothing more follows."""
        assert turn.state is not None
        self._finish(turn, terminate(turn.state.results), retried=False)

    def supersede(self, turn: Turn) -> None:
        """A newer revision (or another source) takes over: the sync under way ends here."""
        assert turn.state is not None
        self._finish(
            turn, Finish(turn.state.results, OperationPhase.FAILED, f"superseded by {turn.revision}: {turn.state.message}"), retried=False
        )

    async def proceed(self, turn: Turn, *, save: Save) -> None:
        """Goes on with the sync under way as far as it can; ``save`` writes what is recorded so far. Sets ``turn.state`` and ``turn.again``."""
        state = turn.state
        assert state is not None
        due = retry.waiting_until(state)
        if due is not None:
            if due > turn.now:
                turn.look_again(due - turn.now)
                return
            turn.state = retry.next_attempt(state)
        problem = self._problem(turn)
        if problem:
            self._finish(turn, Finish(state.results, OperationPhase.ERROR, problem), retried=False)
            return
        try:
            await self._run(turn, save=save)
        except HomeostatError as error:
            results = turn.state.results if turn.state is not None else ()
            self._finish(turn, Finish(results, OperationPhase.FAILED, _with_hint(error)))

    def _problem(self, turn: Turn) -> str:
        assert turn.state is not None
        operation = turn.state.operation
        if operation.problem:
            return operation.problem
        if operation.source is not None and operation.source != turn.source:
            return "operation.sync.source is not spec.source: to sync another source than the app's own is not supported yet"
        if turn.wanted is None:
            return "; ".join(c.message for c in turn.conditions) or "what the app wants is not known"
        return "; ".join(opt.unsupported_options(turn.app.policy, turn.wanted.objects.values(), operation))

    async def _run(self, turn: Turn, *, save: Save) -> None:
        saved = False
        written = time.monotonic()
        operation = self._operation(turn)
        asked = opt.effective(turn.app.policy, operation)
        while True:
            state = turn.state
            assert state is not None
            made = self._plan(turn)
            done = step(made, state.results, await self._observe(to_observe(made, state.results)), dry_run=operation.dry_run)
            turn.state = state = replace(state, results=done.results)
            match done:
                case RunWave(wave=wave):
                    if not saved and not state.results:
                        wrong = await self._rehearsed(turn, made, asked)
                        if wrong:
                            message = f"{failure_message(wrong)} (nothing was done, for objects would be pruned as well)"
                            self._finish(turn, Finish(wrong, OperationPhase.FAILED, message))
                            return
                        # Before the first effect, so that whoever looks, and whoever takes over, knows what is going on.
                        await save(turn)
                        saved = True
                    options = run_options(asked, dry_run=operation.dry_run, plan=made)
                    outcome = await self._runner.run(wave, options=options, on_event=self._on_event)
                    self._remember(turn, outcome)
                    # A kind that came with this wave is watched from here on, so that its objects are not taken for gone.
                    await self._cluster.ensure({one.task.key.group_kind for one in outcome if one.answer is not None})
                    turn.state = replace(state, results=record(made, state.results, [d.result for d in outcome]))
                    if time.monotonic() - written > SAVE_EVERY:
                        await save(turn)
                        written = time.monotonic()
                case Wait(reason=reason, keys=keys):
                    self._on_event(events.Waiting(reason, keys))
                    turn.state = replace(state, message=reason)
                    return
                case Finish():
                    self._finish(turn, done)
                    return

    async def _rehearsed(self, turn: Turn, made: Plan, asked: Sequence[str]) -> tuple[TaskResult, ...]:
        """What is wrong with the plan before anything is done. What is there already was asked about by the look."""
        if self._operation(turn).dry_run:
            return ()

        def doubtful(task: Task) -> bool:
            known = turn.memory.expected.get(task.key)
            return known is None or bool(known.error)

        return await rehearse(self._runner, made, options=asked, doubtful=doubtful)

    def _operation(self, turn: Turn) -> Operation:
        assert turn.state is not None
        return turn.state.operation

    def _plan(self, turn: Turn) -> Plan:
        app, wanted = turn.app, turn.wanted
        assert wanted is not None
        index = self._cluster.index
        differing = {r.key for r in turn.look.resources if r.status is not SyncStatus.SYNCED}
        managed = (index.get(key) for key in index.managed(app.id) - wanted.objects.keys())
        namespace = app.destination.namespace
        return plan(
            PlanInput(
                app_id=app.id,
                targets=[
                    *(Target(desired, index.get(key), key in differing) for key, desired in wanted.objects.items()),
                    *(Target(hook) for hook in wanted.hooks),
                ],
                managed=[obj for obj in managed if obj is not None],
                namespace=namespace,
                namespace_exists=index.node(Key("", "Namespace", "", namespace)) is not None,
                operation=self._operation(turn),
                options=opt.effective(app.policy, self._operation(turn)),
                tracking=self._settings().tracking,
                recorded=turn.state.results if turn.state is not None else (),
            )
        )

    async def _observe(self, keys: Sequence[Key]) -> LiveHealth:
        observed: dict[Key, Observed | None] = {}
        for key in keys:
            live = self._cluster.index.get(key)
            if live is None:
                observed[key] = None
                continue
            metadata = live["metadata"]
            observed[key] = Observed(
                health=await self._judge.judge(live), deleting="deletionTimestamp" in metadata, uid=metadata.get("uid", "")
            )
        return observed.get

    def _remember(self, turn: Turn, outcome: Sequence[Done]) -> None:
        """The answers of the applies are what the objects are expected to be from now on."""
        wanted = turn.wanted
        assert wanted is not None
        for done in outcome:
            if done.answer is not None and done.task.key in wanted.digests and not self._operation(turn).dry_run:
                turn.memory.expected[done.task.key] = Expected(
                    wanted.digests[done.task.key], echo=echo(done.answer, desired=done.task.desired, applied=True)
                )

    def _finish(self, turn: Turn, end: Finish, *, retried: bool = True) -> None:
        state = turn.state
        assert state is not None
        now = time.time()
        ended = replace(state, phase=end.phase, message=end.message, results=end.results, finished_at=times.stamp(now))
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
        if ended.phase is OperationPhase.SUCCEEDED and not operation.dry_run and not operation.resources:
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


def _with_hint(error: HomeostatError) -> str:
    return f"{error} (hint: {error.hint})" if error.hint else str(error)
