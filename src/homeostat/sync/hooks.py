"""Hooks of a sync: which of an app's objects are some, and the task that each is in each phase that it names. Pure.

What makes an object a hook is said in ``model/hooks.py``; what follows from a hook that ran is told by ``step.py``; those of a deletion are planned in
``deletion.py``. Rules: reference 1.4, ``gitops-engine/pkg/sync/sync_context.go`` ``getSyncTasks``.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from homeostat.model import times
from homeostat.model.hooks import HOOK_FINALIZER, RUN, delete_policies, hook_types, is_ignored, takes_part
from homeostat.model.manifest import Desired
from homeostat.model.objects import Object, annotations_of, key_of, version_of
from homeostat.model.sync import Action, Phase, Task
from homeostat.model.tracking import Tracking
from homeostat.sync.order import wave_of

_LONG = 8
_SHORT = 7


class Sorted(msgspec.Struct, frozen=True):
    """The objects of an app by what they are to a sync. ``ignored`` ones (Skip, Helm's tests and rollback hooks) take no part in anything."""

    plain: tuple[Desired, ...]
    hooks: tuple[Desired, ...] = ()
    ignored: tuple[Desired, ...] = ()


class Attempt(msgspec.Struct, frozen=True):
    """What the objects of hooks are made from besides themselves.

    ``run`` is ``<started at>/<retry>`` and marks what this attempt makes; ``revision`` and ``started_at`` (RFC 3339) name hooks with ``generateName``.
    """

    app_id: str
    namespace: str
    tracking: Tracking
    run: str
    revision: str
    started_at: str


def sort_out(objects: Iterable[Desired]) -> Sorted:
    """Tells plain objects, hooks and ignored ones apart; each keeps its order."""
    plain: list[Desired] = []
    hooks: list[Desired] = []
    ignored: list[Desired] = []
    for desired in objects:
        if takes_part(desired.object):
            plain.append(desired)
        elif is_ignored(desired.object):
            ignored.append(desired)
        else:
            hooks.append(desired)
    return Sorted(tuple(plain), tuple(hooks), tuple(ignored))


def phases_of(obj: Object) -> tuple[Phase, ...]:
    """The phases of a sync in which the hook ``obj`` runs, each once; none for one of a deletion."""
    types = {str(kind) for kind in hook_types(obj)}
    return tuple(phase for phase in Phase if str(phase) in types)


def hook_tasks(hook: Desired, attempt: Attempt) -> list[Task]:
    """One task for each phase of ``hook``, with an object of its own. Raises :class:`homeostat.sync.errors.WaveError`."""
    return [hook_task(hook, phase, str(phase), attempt) for phase in phases_of(hook.object)]


def hook_task(hook: Desired, phase: Phase, hook_type: str, attempt: Attempt) -> Task:
    """``hook`` run as one of ``hook_type``, in the place of ``phase``. Raises :class:`homeostat.sync.errors.WaveError`."""
    made = _object(hook.object, hook_type, attempt)
    return Task(
        action=Action.RUN_HOOK,
        phase=phase,
        wave=wave_of(hook.object, hook.origin),
        key=key_of(made),
        version=version_of(made),
        desired=made,
        origin=hook.origin,
        hook_type=hook_type,
        delete_policies=tuple(str(policy) for policy in delete_policies(made)),
    )


def run_mark(task: Task) -> str:
    """The mark (:data:`homeostat.model.hooks.RUN`) on the object that ``task`` makes; empty for what is no hook."""
    return annotations_of(task.desired).get(RUN, "") if task.hook_type and task.desired is not None else ""


def _object(hook: Object, hook_type: str, attempt: Attempt) -> Object:
    """The object of ``hook`` as this attempt makes it: named, marked, and held by our finalizer until its end has been seen."""
    metadata = dict(hook["metadata"])
    made = {**hook, "metadata": metadata}
    metadata["annotations"] = {**annotations_of(hook), RUN: f"{attempt.run}/{hook_type}"}
    if not metadata.get("name"):
        metadata["name"] = f"{metadata.get('generateName') or ''}{_ending(hook_type, attempt)}"
        if "labels" in metadata:
            metadata["labels"] = dict(metadata["labels"] or {})
        # The mark names the object, and had no name to name.
        attempt.tracking.mark(made, app_id=attempt.app_id, namespace=attempt.namespace)
    finalizers = list(metadata.get("finalizers") or ())
    metadata["finalizers"] = finalizers if HOOK_FINALIZER in finalizers else [*finalizers, HOOK_FINALIZER]
    return made


def _ending(hook_type: str, attempt: Attempt) -> str:
    """``8a40315-postsync-1795247605``; a retry has its number behind it, for its hooks run anew."""
    revision = attempt.revision[:_SHORT] if len(attempt.revision) >= _LONG else attempt.revision
    began = int(times.parse(attempt.started_at)) if attempt.started_at else 0
    retry = attempt.run.rpartition("/")[2]
    return f"{revision}-{hook_type}-{began}{f'-{retry}' if retry not in {'', '0'} else ''}".lower()
