"""One attempt of a sync: plan, step, carry out, record, as far as it goes without waiting.

Everything that an attempt has to remember stands in the app's status (design point 7); what is kept in :class:`Memory` beside it (the plan, the
time of the last wave) saves work and is made anew after a restart. When an attempt begins, and what its end means, is ``syncing.py``'s business.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from msgspec.structs import replace

from homeostat.compare.health.scripts import Judge
from homeostat.compare.ignore import Ignorer
from homeostat.live.cluster import Cluster
from homeostat.loop.memory import Expected, Made
from homeostat.loop.observing import observe
from homeostat.loop.turn import Turn
from homeostat.model import times
from homeostat.model.objects import Key, Object
from homeostat.model.settings import Settings
from homeostat.model.sync import Method, Operation, OperationPhase, OperationState, Plan, SyncStatus, Task, TaskResult, Wave
from homeostat.sync import events
from homeostat.sync import options as opt
from homeostat.sync.plan import PlanInput, Target, plan
from homeostat.sync.rehearse import rehearse
from homeostat.sync.run import Done, Runner, run_options
from homeostat.sync.step import Finish, LiveHealth, RunWave, Tidy, Wait, failure_message, hooks_of, record, step, terminate, to_observe
from homeostat.sync.writing import expected

Save = Callable[[Turn], Awaitable[None]]

CONFIRMED = "deletion-approved"
"""Under this name an operation's ``info`` says when somebody confirmed what a deletion guard held."""

SAVE_EVERY = 1.0
"""Seconds between two writes of the progress of a long sync. A kill between them costs applies that change nothing."""

SAVE_SHARE = 0.1
"""At most this much of a sync's time goes into writing its progress: the status of an app with a thousand objects takes its time."""

TIDY_AGAIN = 5.0
"""Seconds until hooks that could not be tidied up are tried again."""


class Attempts:
    """Carries attempts out on one cluster."""

    def __init__(
        self, cluster: Cluster, *, judge: Judge, ignorer: Ignorer, settings: Callable[[], Settings], on_event: events.Listener
    ) -> None:
        self._cluster = cluster
        self._judge = judge
        self._ignorer = ignorer
        self._settings = settings
        self._runner = Runner(cluster)
        self._on_event = on_event

    async def proceed(self, turn: Turn, *, save: Save) -> Finish | None:
        """Goes on until the attempt ends, or has to wait: then ``None``, with the reason in ``turn.state.message``."""
        due = 0.0
        rehearsed = False
        last: Tidy | None = None
        made = await self._plan(turn)
        while True:
            state = _state(turn)
            now = step(made, state.results, await self._observe(turn, to_observe(made, state.results)), dry_run=state.operation.dry_run)
            turn.state = replace(state, results=now.results)
            match now:
                case Finish():
                    return now
                case Wait(reason=reason, keys=keys):
                    self._on_event(events.Waiting(reason, keys))
                    turn.state = replace(turn.state, message=reason)
                    return None
                case Tidy(reason=reason):
                    # An object that is let go may vanish: how it ended must be known to whoever goes on.
                    due = await _save(turn, save)
                    problems = await self._tidy(turn, now)
                    if problems or now == last:
                        turn.state = replace(turn.state, message="; ".join((reason, *problems)))
                        turn.look_again(TIDY_AGAIN)
                        return None
                    last = now
                case RunWave(wave=wave):
                    if self._is_too_early(turn):
                        return None
                    if not rehearsed and not state.results:
                        rehearsed = True
                        wrong = await self._rehearsed(turn, made)
                        if wrong:
                            message = f"{failure_message(wrong)} (nothing was done, for objects would be pruned as well)"
                            return Finish(wrong, OperationPhase.FAILED, message)
                    if time.monotonic() > due:
                        # Before the first effect too, so that whoever looks, and whoever takes over, knows what is going on.
                        due = await _save(turn, save)
                    await self._run(turn, made, wave)

    async def terminate(self, turn: Turn) -> tuple[TaskResult, ...]:
        """Ends an attempt that was called off: hooks that still run are deleted. Answers the results; what could not be deleted says so in them."""
        state = _state(turn)
        made = turn.memory.made.plan if turn.memory.made is not None else Plan()
        hooks = hooks_of(made, state.results)
        if not hooks:
            return state.results
        await self._cluster.ensure({key.group_kind for key in hooks})
        now = terminate(state.results, await self._observe(turn, hooks), made)
        if isinstance(now, Tidy):
            await self._tidy(turn, now)
        return now.results

    async def _run(self, turn: Turn, made: Plan, wave: Wave) -> None:
        state = _state(turn)
        options = run_options(_options(turn), dry_run=state.operation.dry_run, plan=made, take_over_from=turn.app.migration_manager)
        outcome = await self._runner.run(wave, options=options, on_event=self._on_event)
        self._remember(turn, outcome)
        # A kind that came with this wave is watched from here on, so that its objects are not taken for gone.
        await self._cluster.ensure({one.task.key.group_kind for one in outcome if one.answer is not None})
        turn.state = replace(state, results=record(made, state.results, [done.result for done in outcome]))
        turn.memory.wave_at = time.monotonic()

    async def _tidy(self, turn: Turn, now: Tidy) -> tuple[str, ...]:
        return await self._runner.tidy(now.cleanups, options=run_options(_options(turn)))

    def _is_too_early(self, turn: Turn) -> bool:
        """Whether the delay that somebody set between two waves is not over yet."""
        state = _state(turn)
        delay = self._settings().wave_delay
        left = turn.memory.wave_at + delay - time.monotonic()
        if not delay or not state.results or left <= 0:
            return False
        turn.state = replace(state, message=f"waiting {delay:.0f} s between two waves")
        turn.look_again(left)
        return True

    async def _plan(self, turn: Turn) -> Plan:
        """The plan of this attempt: made once, or again when what it rests on has changed."""
        app, wanted, state = turn.app, turn.wanted, _state(turn)
        assert wanted is not None
        approved = bool(app.approved_at) and app.approved_at >= times.parse(state.started_at)
        held = {} if is_confirmed(state.operation) else turn.held
        run = f"{state.started_at}/{state.retry_count}"
        basis = (wanted.basis, wanted.revision, state.operation, run, approved, held, app.policy, app.destination)
        known = turn.memory.made
        if known is not None and known.basis == basis:
            return known.plan
        index, options = self._cluster.index, _options(turn)
        differing = {r.key for r in turn.look.resources if r.status is not SyncStatus.SYNCED}
        targets = [Target(desired, index.get(key), key in differing) for key, desired in wanted.objects.items()]
        if opt.RESPECT_IGNORED in options:
            targets = [await self._respecting(turn, target) for target in targets]
        managed = (index.get(key) for key in index.managed(app.id) - wanted.objects.keys())
        namespace = app.destination.namespace
        made = plan(
            PlanInput(
                app_id=app.id,
                targets=[*targets, *(Target(hook) for hook in wanted.hooks)],
                managed=[obj for obj in managed if obj is not None],
                namespace=namespace,
                namespace_live=self._namespace(namespace),
                namespace_labels=app.policy.namespace_labels or {},
                namespace_annotations=app.policy.namespace_annotations or {},
                operation=state.operation,
                options=options,
                tracking=self._settings().tracking,
                recorded=state.results,
                revision=state.revision,
                started_at=state.started_at,
                run=run,
                approved=approved,
                held=held,
            )
        )
        # What an earlier process made in this attempt may be of kinds that nobody watches yet.
        await self._cluster.ensure({task.key.group_kind for task in made.tasks if task.hook_type})
        turn.memory.made = Made(basis, made)
        return made

    def _namespace(self, name: str) -> Object | None:
        """The namespace as far as it is known: whole where metadata is declared for it, else by name."""
        key = Key("", "Namespace", "", name)
        if self._cluster.index.node(key) is None:
            return None
        return self._cluster.index.get(key) or {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}

    async def _respecting(self, turn: Turn, target: Target) -> Target:
        """The target with the live values of the fields that are ignored."""
        live, desired = target.live, target.desired
        ignored = self._ignorer.rules_for(desired.key, turn.app.ignore) if live is not None else None
        if live is None or ignored is None:
            return target
        method = opt.writing(desired.object, live, _options(turn), _state(turn).operation).method
        sent = await self._ignorer.respect(desired.object, live, ignored, whole=method is not Method.APPLY)
        return replace(target, desired=replace(desired, object=sent))

    async def _rehearsed(self, turn: Turn, made: Plan) -> tuple[TaskResult, ...]:
        """What is wrong with the plan before anything is done. What is there already was asked about by the look."""
        if _state(turn).operation.dry_run:
            return ()

        def doubtful(task: Task) -> bool:
            known = turn.memory.expected.get(task.key)
            return known is None or bool(known.error)

        return await rehearse(self._runner, made, options=_options(turn), doubtful=doubtful)

    async def _observe(self, turn: Turn, keys: Iterable[Key]) -> LiveHealth:
        return await observe(self._cluster.index, self._judge, keys, app_id=turn.app.id)

    def _remember(self, turn: Turn, outcome: Sequence[Done]) -> None:
        """The answers of the applies are what the objects are expected to be from now on."""
        wanted = turn.wanted
        assert wanted is not None
        for done in outcome:
            if done.answer is not None and done.task.key in wanted.digests and not _state(turn).operation.dry_run:
                turn.memory.expected[done.task.key] = Expected(
                    wanted.digests[done.task.key],
                    echo=expected(done.task.writing.method, done.answer, desired=done.task.desired or {}, applied=True),
                )


def is_confirmed(operation: Operation) -> bool:
    """Whether what deletion guards hold may go in this operation."""
    return any(name == CONFIRMED for name, _ in operation.info)


async def _save(turn: Turn, save: Save) -> float:
    """Writes down what is recorded so far. Answers when that is due again, by the monotonic clock."""
    began = time.monotonic()
    await save(turn)
    now = time.monotonic()
    return now + max(SAVE_EVERY, (now - began) / SAVE_SHARE)


def _state(turn: Turn) -> OperationState:
    assert turn.state is not None
    return turn.state


def _options(turn: Turn) -> tuple[str, ...]:
    return opt.effective(turn.app.policy, _state(turn).operation)
