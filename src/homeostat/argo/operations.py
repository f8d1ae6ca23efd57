"""Reads what was asked for (``operation``) and what was done (``status.operationState``, ``status.history``) into the words of the model.

What a user wrote and cannot be carried out becomes ``Operation.problem``. What stands in a status and cannot be read is passed over: a status is
our own note, and the loop finds out again. Nothing here raises.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import msgspec

from homeostat.argo.types.base import FreeObject, Wire
from homeostat.argo.types.operation import Info, Initiator, RetryStrategy, SyncResource, SyncStrategy
from homeostat.model import durations
from homeostat.model.app import Retry
from homeostat.model.objects import Key, Object
from homeostat.model.sync import (
    History,
    Operation,
    OperationPhase,
    OperationState,
    Phase,
    ResultCode,
    SourceWords,
    SyncSelection,
    TaskResult,
    joined,
)

_T = TypeVar("_T")


class _Sync(Wire, frozen=True):
    revision: str = ""
    prune: bool = False
    dry_run: bool = False
    sync_strategy: SyncStrategy | None = None
    resources: tuple[SyncResource, ...] | None = None
    source: FreeObject | None = None
    manifests: tuple[str, ...] | None = None
    sync_options: tuple[str, ...] | None = None
    sources: tuple[FreeObject, ...] | None = None
    revisions: tuple[str, ...] | None = None
    auto_heal_attempts_count: int = 0


class _Operation(Wire, frozen=True):
    sync: _Sync | None = None
    initiated_by: Initiator | None = None
    info: tuple[Info, ...] = ()
    retry: RetryStrategy | None = None


class _Result(Wire, frozen=True):
    kind: str
    name: str
    group: str = ""
    version: str = ""
    namespace: str = ""
    status: str = ""
    message: str = ""
    hook_type: str = ""
    hook_phase: str = ""
    sync_phase: str = ""
    images: tuple[str, ...] = ()


class _SyncResult(Wire, frozen=True):
    revision: str = ""
    resources: tuple[_Result, ...] = ()
    source: FreeObject | None = None
    sources: tuple[FreeObject, ...] | None = None
    revisions: tuple[str, ...] | None = None


class _State(Wire, frozen=True):
    phase: OperationPhase
    operation: FreeObject
    started_at: str = ""
    finished_at: str = ""
    message: str = ""
    retry_count: int = 0
    sync_result: _SyncResult | None = None


class _History(Wire, frozen=True):
    id: int
    revision: str = ""
    deployed_at: str = ""
    deploy_started_at: str = ""
    source: FreeObject | None = None
    sources: tuple[FreeObject, ...] | None = None
    revisions: tuple[str, ...] | None = None
    initiated_by: Initiator | None = None


def read_operation(raw: Any) -> Operation:
    """``operation`` as it stands in the resource. A fault in it becomes ``problem``."""
    if not isinstance(raw, dict):
        return Operation(problem=f"operation: expected an object, found {type(raw).__name__}")
    try:
        wire = msgspec.convert(raw, _Operation)
    except msgspec.ValidationError as error:
        return Operation(raw=raw, problem=f"operation: {explain(error)}")
    by = wire.initiated_by or Initiator()
    sync = wire.sync
    if sync is None:
        return Operation(
            raw=raw, username=by.username, automated=by.automated, problem="operation: expected the field sync, it says what to do"
        )
    problem = ""
    if sync.sources and sync.revisions and len(sync.sources) != len(sync.revisions):
        problem = f"operation.sync.revisions: expected one for each of the {len(sync.sources)} sources, found {len(sync.revisions)}"
    retry = Retry(limit=0)
    try:
        retry = read_retry(wire.retry) if wire.retry else retry
    except ValueError as error:
        problem = problem or f"operation.retry.backoff.{error}"
    strategy = sync.sync_strategy or SyncStrategy()
    return Operation(
        revision=revision_of(sync),
        prune=sync.prune,
        dry_run=sync.dry_run,
        resources=tuple(SyncSelection(r.group, r.kind, r.name, r.namespace, r.exclude) for r in sync.resources or ()),
        options=sync.sync_options or (),
        source=_source_of(sync),
        automated=by.automated,
        username=by.username,
        heal_attempts=sync.auto_heal_attempts_count,
        retry_limit=retry.limit,
        retry_duration=retry.duration,
        retry_factor=retry.factor,
        retry_max_duration=retry.max_duration,
        raw=raw,
        problem=problem,
        force=any(part is not None and part.force for part in (strategy.apply, strategy.hook)),
        skip_hooks=strategy.apply is not None,
        manifests=sync.manifests or (),
        refresh=wire.retry is not None and wire.retry.refresh,
        info=tuple((one.name, one.value) for one in wire.info),
    )


def read_retry(strategy: RetryStrategy) -> Retry:
    """Raises ``ValueError`` that begins with the name of the field below ``backoff``."""
    defaults = Retry()
    if strategy.backoff is None:
        return Retry(limit=strategy.limit)
    backoff = strategy.backoff
    return Retry(
        limit=strategy.limit,
        duration=_seconds("duration", backoff.duration, defaults.duration),
        # A factor below 1 would make every wait shorter than the last, down to none at all.
        factor=defaults.factor if backoff.factor is None else float(max(backoff.factor, 1)),
        max_duration=_seconds("maxDuration", backoff.max_duration, defaults.max_duration),
    )


def read_state(raw: Any) -> OperationState | None:
    """``status.operationState``."""
    wire = lenient(raw, _State)
    if wire is None:
        return None
    operation = read_operation(wire.operation)
    result = wire.sync_result or _SyncResult()
    return OperationState(
        operation=operation,
        phase=wire.phase,
        message=wire.message,
        started_at=wire.started_at,
        finished_at=wire.finished_at,
        retry_count=wire.retry_count,
        revision=revision_of(result) or operation.revision,
        source=operation.source if (source := _source_of(result)) is None else source,
        results=tuple(read for read in map(_result, result.resources) if read is not None),
    )


def read_history(raw: Any) -> tuple[History, ...]:
    """``status.history``, oldest first, without the entries that cannot be read."""
    if not isinstance(raw, list):
        return ()
    return tuple(read for read in map(_history, raw) if read is not None)


def lenient(raw: Any, kind: type[_T]) -> _T | None:
    """``raw`` as ``kind``, or ``None`` when it is not one."""
    if raw is None:
        return None
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError:
        return None


def explain(error: msgspec.ValidationError) -> str:
    """``Expected `str`, got `int` - at `$.source.path``` → ``source.path: expected str, got int``."""
    said, _, path = str(error).partition(" - at `")
    said = said[:1].lower() + said[1:].replace("`", "").replace(" | null", "")
    path = path.rstrip("`").removeprefix("$").removeprefix(".")
    return f"{path}: {said}" if path else said


def _history(raw: Object) -> History | None:
    wire = lenient(raw, _History)
    if wire is None:
        return None
    by = wire.initiated_by or Initiator()
    return History(
        id=wire.id,
        revision=revision_of(wire),
        started_at=wire.deploy_started_at,
        deployed_at=wire.deployed_at,
        source=_source_of(wire),
        automated=by.automated,
        username=by.username,
    )


def _result(wire: _Result) -> TaskResult | None:
    try:
        return TaskResult(
            key=Key(wire.group, wire.kind, wire.namespace, wire.name),
            version=wire.version,
            phase=Phase(wire.sync_phase),
            status=ResultCode(wire.status),
            message=wire.message,
            hook_phase=OperationPhase(wire.hook_phase) if wire.hook_phase else OperationPhase.RUNNING,
            hook_type=wire.hook_type,
            images=wire.images,
        )
    except ValueError:  # a word that is not ours: the task counts as not done, and doing it again changes nothing
        return None


class _Revised(Protocol):
    """Whatever names a revision, or several."""

    @property
    def revision(self) -> str: ...

    @property
    def revisions(self) -> tuple[str, ...] | None: ...


class _Sourced(Protocol):
    """Whatever names a source, or several."""

    @property
    def source(self) -> FreeObject | None: ...

    @property
    def sources(self) -> tuple[FreeObject, ...] | None: ...


def revision_of(wire: _Revised) -> str:
    """The revision, or the revisions :func:`~homeostat.model.sync.joined`."""
    return joined(wire.revisions) if wire.revisions else wire.revision


def _source_of(wire: _Sourced) -> SourceWords | None:
    """An app with ``sources`` has an empty ``source`` beside them."""
    if wire.sources:
        return wire.sources
    return wire.source if wire.source and wire.source.get("repoURL") != "" else None


def _seconds(field: str, text: str, default: float) -> float:
    if not text:
        return default
    try:
        seconds = durations.parse(text, bare_seconds=True)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from error
    if seconds < 0:
        raise ValueError(f"{field}: expected a duration that is not negative, found {text!r}")
    return seconds
