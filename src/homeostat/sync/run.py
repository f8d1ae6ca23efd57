"""The runner: carries the tasks of a wave out against a cluster. The only module of a sync with effects.

Every task may be carried out twice: an apply of what is there changes nothing, a delete names the uid that it means. So a runner that was killed
leaves nothing to clean up. Which wave comes next, and whether a failure is tried again, is told by ``step.py`` and ``retry.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from homeostat.compare.predecessors import NAMESPACE_MANAGER
from homeostat.compare.takeover import takeover
from homeostat.live.client import MANAGER
from homeostat.live.errors import AlreadyExistsError, ApiError, ConflictError, InvalidObjectError, NotFoundError, UnavailableError
from homeostat.model.hooks import RUN, DeletePolicy
from homeostat.model.objects import GroupKind, Object, annotations_of
from homeostat.model.resources import Resource
from homeostat.model.sync import Action, Method, OperationPhase, Plan, ResultCode, Task, TaskResult, Wave
from homeostat.sync import established, messages, tidying
from homeostat.sync import options as opt
from homeostat.sync.events import Listener, TaskFinished, TaskStarted, WaveStarted, nobody
from homeostat.sync.images import images_of
from homeostat.sync.order import CRD, NAMESPACE, defined_by
from homeostat.sync.step import Cleanup
from homeostat.sync.tidying import Target
from homeostat.sync.writing import Writer, is_spared

_UNPROCESSABLE = 422
"""What the API server answers to a change that it does not allow; a malformed object has another status."""


class RunOptions(msgspec.Struct, frozen=True):
    """How tasks are carried out; made by :func:`run_options`.

    ``take_over``: fields that a predecessor owned become ours before an apply, those of the manager ``take_over_from`` as well. ``asked`` are the sync
    options themselves. ``kinds`` and ``namespaces`` are what the sync itself will make; a dry run cannot ask the server about objects that need them.
    """

    propagation: opt.Propagation = "Foreground"
    take_over: bool = True
    take_over_from: str = ""
    asked: tuple[str, ...] = ()
    dry_run: bool = False
    manager: str = MANAGER
    kinds: frozenset[GroupKind] = frozenset()
    namespaces: frozenset[str] = frozenset()


class Done(msgspec.Struct, frozen=True):
    """What became of one task. ``answer`` is the object as the server has it after an apply, ``None`` for everything else; ``refusal`` says why not."""

    task: Task
    result: TaskResult
    answer: Object | None = None
    refusal: ApiError | None = None


_DEFAULTS = RunOptions()


def run_options(options: Sequence[str], *, dry_run: bool = False, plan: Plan | None = None, take_over_from: str = "") -> RunOptions:
    """The run options that sync options (:func:`homeostat.sync.options.effective`) mean. A dry run wants the ``plan`` too.

    ``take_over_from`` is the app's ``argocd.argoproj.io/client-side-apply-migration-manager``.
    """
    made = [task for task in (plan.tasks if plan is not None and dry_run else ()) if task.desired is not None]
    return RunOptions(
        propagation=opt.propagation(options),
        take_over=opt.NO_MIGRATION not in options,
        take_over_from=take_over_from,
        asked=tuple(options),
        dry_run=dry_run,
        kinds=frozenset(kind for task in made if task.key.group_kind == CRD and (kind := defined_by(task.desired or {}))),
        namespaces=frozenset(task.key.name for task in made if task.key.group_kind == NAMESPACE),
    )


class Runner:
    """Carries out waves. One serves all apps of a cluster; it keeps nothing between calls but the limit of requests at a time."""

    def __init__(self, cluster: Target, *, parallel: int = 32) -> None:
        self._cluster = cluster
        self._writer = Writer(cluster.client)
        self._slots = asyncio.Semaphore(parallel)

    async def run(self, wave: Wave, *, options: RunOptions = _DEFAULTS, on_event: Listener = nobody) -> tuple[Done, ...]:
        """Carries out every task of ``wave``, group after group, and answers what became of each, in the order of the wave.

        What a cluster or an object is to blame for is a SyncFailed result, never an exception, and does not keep other tasks from being
        carried out. Cancelled, it lets go of the requests under way; the same wave can be run again at any time.
        """
        on_event(WaveStarted(wave.phase, wave.number, sum(map(len, wave.groups))))
        done: list[Done] = []
        for group in wave.groups:
            done.extend(await self._run_group(group, options, on_event))
        return tuple(done)

    async def tidy(self, cleanups: Sequence[Cleanup], *, options: RunOptions = _DEFAULTS) -> tuple[str, ...]:
        """Takes hooks away (:mod:`homeostat.sync.tidying`) and answers what is in the way, in words; nothing when all of it is done.

        The index knows of it when this returns. What could not be done is told by the next look at the object, and may be tried again.
        """

        async def one(cleanup: Cleanup) -> str:
            async with self._slots:
                return await tidying.tidy(self._cluster, cleanup, options.propagation)

        return tuple(problem for problem in await asyncio.gather(*map(one, cleanups)) if problem)

    async def _run_group(self, group: Sequence[Task], options: RunOptions, on_event: Listener) -> list[Done]:
        if len(group) == 1:
            done = [await self._run_task(group[0], options, on_event)]
        else:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(self._run_task(task, options, on_event), name=f"sync {task.key}") for task in group]
            done = [task.result() for task in running]
        crds = [one.answer for one in done if one.answer is not None and one.task.key.group_kind == CRD]
        if crds and not options.dry_run:
            await established.wait(self._cluster.client, self._cluster.discovery, crds)
        return done

    async def _run_task(self, task: Task, options: RunOptions, on_event: Listener) -> Done:
        async with self._slots:
            on_event(TaskStarted(task))
            clock = asyncio.get_running_loop().time
            started = clock()
            try:
                done = await self._carry_out(task, options)
            except ApiError as error:
                done = _failed(task, messages.refused(error, task), error)
            on_event(TaskFinished(task, done.result, clock() - started))
            return done

    async def _carry_out(self, task: Task, options: RunOptions) -> Done:
        if task.action is Action.SKIP_PRUNE:
            return _finished(task, ResultCode.PRUNE_SKIPPED, task.reason)
        resource = self._cluster.discovery.find(task.key.group_kind, task.version)
        if resource is None:
            resource = await self._cluster.discovery.resolve(task.key.group_kind, task.version)
        if resource is None:
            return self._of_unknown_kind(task, options)
        if task.action is Action.CREATE_NAMESPACE:
            return await self._create_namespace(task, resource, options)
        if task.action is Action.PRUNE:
            return await self._prune(task, resource, options)
        if task.action is Action.RUN_HOOK and options.dry_run:
            return await self._write(_beside_what_goes(task), resource, options)
        if task.action is Action.RUN_HOOK:
            ran = await self._ran_already(task, resource)
            if ran is not None:
                return ran
        return await self._write(task, resource, options)

    def _of_unknown_kind(self, task: Task, options: RunOptions) -> Done:
        served = self._cluster.discovery.find(task.key.group_kind)
        broken = self._cluster.discovery.broken.get(_api_version(task))
        if broken is not None:
            message = f"{task.key}: the API server of {_api_version(task)} does not answer: {broken} (the next attempt may succeed)"
            return _failed(task, message, UnavailableError(message))
        if task.action is Action.PRUNE and served is None:
            return _finished(task, ResultCode.PRUNED, "pruned")  # its kind is gone, and it went with it
        if options.dry_run and task.key.group_kind in options.kinds:
            return _finished(task, ResultCode.SYNCED, f"{messages.named(task.key)} created (dry run)")
        if options.dry_run and opt.may_be_unknown(task.desired or {}, options.asked):
            return _finished(task, ResultCode.SYNCED, f"{messages.named(task.key)} not asked about: nobody serves its kind yet (dry run)")
        message = messages.unknown_kind(task, served)
        return _failed(task, message, NotFoundError(message))

    async def _create_namespace(self, task: Task, resource: Resource, options: RunOptions) -> Done:
        """Applied by a manager of its own where the app says something of the namespace's metadata, else only made when it is missing."""
        assert task.desired is not None
        metadata = task.desired["metadata"]
        if metadata.get("labels") or metadata.get("annotations"):
            answer = await self._writer.write(resource, task.desired, manager=NAMESPACE_MANAGER, dry_run=options.dry_run)
            return self._applied(task, answer, options)
        suffix = " (dry run)" if options.dry_run else ""
        try:
            answer = await self._cluster.client.create(resource, task.desired, manager=NAMESPACE_MANAGER, dry_run=options.dry_run)
        except AlreadyExistsError:
            return _finished(task, ResultCode.SYNCED, f"{messages.named(task.key)} unchanged{suffix}")
        if not options.dry_run:
            self._cluster.note(answer)
        return _finished(task, ResultCode.SYNCED, f"{messages.named(task.key)} created{suffix}", answer)

    async def _prune(self, task: Task, resource: Resource, options: RunOptions) -> Done:
        metadata = (task.live or {}).get("metadata") or {}
        text = "pruned (dry run)" if options.dry_run else "pruned"
        if metadata.get("deletionTimestamp"):
            return _finished(task, ResultCode.PRUNED, text)
        key = task.key
        # Gone, or another object bears the name by now: the one that was meant is no more.
        with contextlib.suppress(NotFoundError, ConflictError):
            answer = await self._cluster.client.delete(
                resource,
                key.namespace,
                key.name,
                propagation=options.propagation,
                uid=metadata.get("uid"),
                dry_run=options.dry_run,
            )
            if not options.dry_run:
                self._cluster.note_deletion(key, answer, uid=metadata.get("uid") or "")
        return _finished(task, ResultCode.PRUNED, text)

    async def _ran_already(self, task: Task, resource: Resource) -> Done | None:
        """The outcome when this very attempt made the hook before: a process that was killed could not record it, and a hook runs once."""
        try:
            live = await self._cluster.client.get(resource, task.key.namespace, task.key.name)
        except NotFoundError:
            return None
        run = annotations_of(task.desired or {}).get(RUN)
        if not run or annotations_of(live).get(RUN) != run:
            return None
        self._cluster.note(live)
        return _finished(task, ResultCode.SYNCED, f"{messages.named(task.key)} created", live)

    async def _write(self, task: Task, resource: Resource, options: RunOptions) -> Done:
        assert task.desired is not None
        writing = task.writing
        also = options.take_over_from
        takes_over = writing.method is Method.APPLY and options.take_over and not options.dry_run
        if takes_over and task.live is not None and takeover(task.live, also=also):
            await self._writer.take_over(resource, task.key, manager=options.manager, also=also)
        if writing.force and task.live is not None and self._is_to_be_made_anew(task, task.live):
            return await self._make_anew(task, resource, options)
        try:
            answer = await self._writer.write(resource, task.desired, writing, manager=options.manager, dry_run=options.dry_run)
        except NotFoundError:
            if options.dry_run and task.key.namespace in options.namespaces:
                return _finished(task, ResultCode.SYNCED, f"{messages.named(task.key)} created (dry run)")
            raise
        except InvalidObjectError as error:
            if not writing.force or (writing.method is Method.REPLACE and is_spared(task.key)) or error.status != _UNPROCESSABLE:
                raise
            return await self._make_anew(task, resource, options)
        return self._applied(task, answer, options)

    def _is_to_be_made_anew(self, task: Task, live: Object) -> bool:
        """Replaced by force, or deleted for it already by a process that did not live to make the new one."""
        if live["metadata"].get("deletionTimestamp"):
            return True
        return task.writing.method is Method.REPLACE and not is_spared(task.key)

    async def _make_anew(self, task: Task, resource: Resource, options: RunOptions) -> Done:
        assert task.desired is not None
        answer = await self._writer.make_anew(resource, task.desired, task.writing, manager=options.manager, dry_run=options.dry_run)
        named = messages.named(task.key)
        if answer is None:
            return _finished(task, ResultCode.SYNCED, f"{named} deleted and created again (dry run)")
        self._cluster.note(answer)
        return _finished(task, ResultCode.SYNCED, f"{named} deleted and created again", answer)

    def _applied(self, task: Task, answer: Object, options: RunOptions) -> Done:
        if not options.dry_run:
            self._cluster.note(answer)
        return _finished(task, ResultCode.SYNCED, messages.applied(task, answer, dry_run=options.dry_run), answer)


def _beside_what_goes(task: Task) -> Task:
    """What stands in a hook's place goes before it is made, and may be of another shape: the server is asked about it under another name."""
    if task.desired is None or DeletePolicy.BEFORE_HOOK_CREATION not in task.delete_policies:
        return task
    metadata = {**task.desired["metadata"], "name": f"dry-run-{uuid.uuid4().hex[:12]}"}
    return replace(task, desired={**task.desired, "metadata": metadata}, live=None)


def _api_version(task: Task) -> str:
    return f"{task.key.group}/{task.version}" if task.key.group else task.version


def _finished(task: Task, status: ResultCode, message: str, answer: Object | None = None) -> Done:
    return Done(task, _result(task, status, message, _PHASES[status]), answer)


def _failed(task: Task, message: str, refusal: ApiError) -> Done:
    return Done(task, _result(task, ResultCode.SYNC_FAILED, message, OperationPhase.FAILED), refusal=refusal)


def _result(task: Task, status: ResultCode, message: str, phase: OperationPhase) -> TaskResult:
    return TaskResult(
        key=task.key,
        version=task.version,
        phase=task.phase,
        status=status,
        message=message,
        hook_phase=phase,
        hook_type=task.hook_type,
        images=images_of(task.desired or task.live),
    )


_PHASES = {
    ResultCode.SYNCED: OperationPhase.RUNNING,
    ResultCode.PRUNED: OperationPhase.SUCCEEDED,
    ResultCode.PRUNE_SKIPPED: OperationPhase.SUCCEEDED,
}
