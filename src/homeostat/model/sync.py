"""Plans and syncs: what would be done, what was asked for, what has been done.

A :class:`Plan` is a value: phases → waves → tasks, made by ``sync/plan.py`` from desired, live and policy, and it can be printed, compared
and saved. An :class:`OperationState` is all that a sync remembers; it lives in the app's status, so that any process can go on with it.
Times are RFC 3339 strings in UTC with seconds, as they stand in the status. How a task is carried out is ``sync/run.py``'s business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any

import msgspec

from homeostat.model.manifest import Origin
from homeostat.model.objects import Key, Object

SourceWords = dict[str, Any] | tuple[dict[str, Any], ...]
"""An app's source in its resource's own words; a tuple: the sources of an app that has ``sources``, be it only one."""

_BETWEEN = " + "
"""What no branch, commit, version or range has in it."""


def joined(revisions: Iterable[str]) -> str:
    """The revisions of an app's sources, in their order, as one text: wherever an app's revision is a text, it is this one."""
    return _BETWEEN.join(revisions)


def parted(revision: str) -> tuple[str, ...]:
    """The revisions of the sources of an app that has several; none for an empty text."""
    return tuple(revision.split(_BETWEEN)) if revision else ()


class SyncStatus(StrEnum):
    SYNCED = "Synced"
    OUT_OF_SYNC = "OutOfSync"
    UNKNOWN = "Unknown"


class Phase(StrEnum):
    """Phases of a sync, in the order in which they run. SyncFail runs only when something before it failed."""

    PRE_SYNC = "PreSync"
    SYNC = "Sync"
    POST_SYNC = "PostSync"
    SYNC_FAIL = "SyncFail"


class OperationPhase(StrEnum):
    RUNNING = "Running"
    TERMINATING = "Terminating"
    FAILED = "Failed"
    ERROR = "Error"
    SUCCEEDED = "Succeeded"

    @property
    def completed(self) -> bool:
        return self not in {OperationPhase.RUNNING, OperationPhase.TERMINATING}


class ResultCode(StrEnum):
    SYNCED = "Synced"
    SYNC_FAILED = "SyncFailed"
    PRUNED = "Pruned"
    PRUNE_SKIPPED = "PruneSkipped"


class Action(StrEnum):
    """What a task does to its object."""

    CREATE_NAMESPACE = "create-namespace"
    APPLY = "apply"
    RUN_HOOK = "run-hook"
    PRUNE = "prune"
    SKIP_PRUNE = "skip-prune"


class Method(StrEnum):
    """How an object is written."""

    APPLY = "server-side apply"
    THREE_WAY = "three-way patch"
    REPLACE = "replace"


class Writing(msgspec.Struct, frozen=True):
    """How a task writes its object. ``force``: what cannot be changed in place is deleted and made anew; ``validate``: unknown fields are refused."""

    method: Method = Method.APPLY
    force: bool = False
    validate: bool = True


_WRITING = Writing()


class Task(msgspec.Struct, frozen=True):
    """One thing to do to one object. ``desired`` is set for an apply, ``live`` where the object exists; ``reason`` says why it is skipped.

    ``hook_type`` and ``delete_policies`` (Argo CD's words) are a hook's. ``needs_confirmation``: its wave waits for ``deletion-approved``.
    """

    action: Action
    phase: Phase
    wave: int
    key: Key
    version: str
    desired: Object | None = None
    live: Object | None = None
    origin: Origin = Origin()
    reason: str = ""
    hook_type: str = ""
    delete_policies: tuple[str, ...] = ()
    writing: Writing = _WRITING
    needs_confirmation: bool = False


class Wave(msgspec.Struct, frozen=True):
    """Tasks that belong together: ``groups`` run one after the other, the tasks of a group side by side."""

    phase: Phase
    number: int
    groups: tuple[tuple[Task, ...], ...]

    @property
    def tasks(self) -> tuple[Task, ...]:
        return tuple(task for group in self.groups for task in group)


class Plan(msgspec.Struct, frozen=True, dict=True):
    """The waves of a sync in the order in which they run."""

    waves: tuple[Wave, ...] = ()

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        return tuple(task for wave in self.waves for group in wave.groups for task in group)

    @cached_property
    def places(self) -> Mapping[tuple[Key, Phase], tuple[int, Task]]:
        """The tasks by what their results are known by, in their order; each with the place of its wave among the waves."""
        return {(task.key, task.phase): (place, task) for place, wave in enumerate(self.waves) for group in wave.groups for task in group}


class SyncSelection(msgspec.Struct, frozen=True):
    """One of ``operation.sync.resources``: the objects of a partial sync. Empty ``namespace`` matches any, as in Argo CD."""

    group: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    exclude: bool = False


class Operation(msgspec.Struct, frozen=True):
    """What was asked for (Argo CD's ``operation``). ``raw`` is the object as it stands in the resource, so that no field is lost.

    ``revision`` of several sources is :func:`joined`; an empty part leaves it to the source. Likewise in what follows.
    """

    revision: str = ""
    prune: bool = False
    dry_run: bool = False
    resources: tuple[SyncSelection, ...] = ()
    options: tuple[str, ...] = ()
    source: SourceWords | None = None
    automated: bool = False
    username: str = ""
    heal_attempts: int = 0
    retry_limit: int = 0
    retry_duration: float = 5.0
    retry_factor: float = 2.0
    retry_max_duration: float = 180.0
    raw: dict[str, Any] = msgspec.field(default_factory=dict)
    problem: str = ""
    """Why it cannot be carried out at all (malformed, or not supported yet): such an operation ends at once with this message."""
    force: bool = False
    skip_hooks: bool = False
    """The strategy is ``apply``: hooks take no part."""
    manifests: tuple[str, ...] = ()
    """Objects (YAML or JSON) to sync instead of what the source says."""
    refresh: bool = False
    """``retry.refresh``: each attempt asks anew what the revision is."""
    info: tuple[tuple[str, str], ...] = ()


class TaskResult(msgspec.Struct, frozen=True):
    """What became of one task; one of ``syncResult.resources``."""

    key: Key
    version: str
    phase: Phase
    status: ResultCode
    message: str
    hook_phase: OperationPhase = OperationPhase.RUNNING
    hook_type: str = ""
    images: tuple[str, ...] = ()


class OperationState(msgspec.Struct, frozen=True):
    """The sync that is running, or the last one that did."""

    operation: Operation
    phase: OperationPhase
    message: str = ""
    started_at: str = ""
    finished_at: str = ""
    retry_count: int = 0
    revision: str = ""
    source: SourceWords | None = None
    results: tuple[TaskResult, ...] = ()


class History(msgspec.Struct, frozen=True):
    """One successful full sync."""

    id: int
    revision: str
    started_at: str
    deployed_at: str
    source: SourceWords | None = None
    automated: bool = False
    username: str = ""
