"""The words of a task's result: what users know from ``kubectl apply`` and from Argo CD."""

from __future__ import annotations

from typing import Any

from homeostat.live.errors import ApiError, ConflictError, ThrottledError, UnavailableError
from homeostat.model.objects import Key, Object
from homeostat.model.resources import Resource
from homeostat.model.sync import Method, Task
from homeostat.sync.errors import at

_OF_THE_MOMENT = ("already allocated", "exceeded quota", "admission webhook")
_IN_PLACE = ("field is immutable", "cannot be changed", "Forbidden: updates to ", "is immutable after creation", "may not change once set")
_BOOKKEEPING = frozenset({"managedFields", "resourceVersion"})


def named(key: Key) -> str:
    """``configmap/settings``, ``deployment.apps/web``."""
    kind = key.kind.lower()
    return f"{kind}.{key.group}/{key.name}" if key.group else f"{kind}/{key.name}"


def applied(task: Task, answer: Object, *, dry_run: bool = False) -> str:
    """What an apply did, told by its answer: ``configmap/settings created``, ``… configured`` or ``… unchanged``."""
    done = _done(task.live, answer, dry_run=dry_run)
    return f"{named(task.key)} {done} (dry run)" if dry_run else f"{named(task.key)} {done}"


def _done(live: Object | None, answer: Object, *, dry_run: bool) -> str:
    metadata = answer.get("metadata") or {}
    if live is None:
        return "created" if _is_new(metadata) else "configured"
    before = live.get("metadata") or {}
    if before.get("uid") != metadata.get("uid"):
        return "created"
    # A dry run moves no version, so that only the contents can tell.
    same = _contents(live) == _contents(answer) if dry_run else before.get("resourceVersion") == metadata.get("resourceVersion")
    return "unchanged" if same else "configured"


def _is_new(metadata: dict[str, Any]) -> bool:
    """Whether the apply that was answered made the object: nobody else has written to it, and nobody before."""
    entries = metadata.get("managedFields") or ()
    created = metadata.get("creationTimestamp")
    return len(entries) <= 1 and all(entry.get("time") in {created, None} for entry in entries)


def _contents(obj: Object) -> dict[str, Any]:
    metadata = {field: value for field, value in (obj.get("metadata") or {}).items() if field not in _BOOKKEEPING}
    return {**obj, "metadata": metadata}


def refused(error: ApiError, task: Task) -> str:
    """The server's own words, whether it is worth trying again, and where the object stands that is not."""
    if isinstance(error, ThrottledError | UnavailableError):
        return f"{error.message} (the next attempt may succeed)"
    if isinstance(error, ConflictError):
        return error.message
    message = f"{error.message}{at(task.origin)}"
    if not task.writing.force and any(words in error.message for words in _IN_PLACE):
        return f"{message}; it cannot be changed in place: the sync option Force=true on the object has it deleted and made anew"
    if task.writing.method is Method.THREE_WAY and "metadata.annotations: Too long" in error.message:
        return f"{message}; it is too large for the annotation of a client-side apply: set ServerSideApply=true"
    return message


def is_of_the_moment(error: ApiError) -> bool:
    """Whether a refusal may come just from what there is now (the very object in question, for one)."""
    return any(words in error.message for words in _OF_THE_MOMENT)


def unknown_kind(task: Task, served: Resource | None) -> str:
    """Why an object cannot be applied whose kind nobody serves; ``served`` is the same kind at another version, if there is one."""
    key = task.key
    where = f"{key.namespace}/{key.name}{at(task.origin)}"
    kind = f"{key.group}/{key.kind}"
    if served is None:
        return (
            f"The Kubernetes API could not find {kind} for requested resource {where}. "
            f'Make sure the "{key.kind}" CRD is installed on the destination cluster.'
        )
    return (
        f'The Kubernetes API could not find version "{task.version}" of {kind} for requested resource {where}. '
        f'Version "{served.version}" of {kind} is installed on the destination cluster.'
    )
