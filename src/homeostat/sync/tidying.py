"""Takes hooks away: our finalizer off their objects, and the objects out of the cluster.

Both name the very object by its uid, so a namesake is never touched, and both may be done twice: what is gone is as it should be. Which hooks go, and
when, is told by ``step.py``.
"""

from __future__ import annotations

import contextlib
from typing import Protocol

from homeostat.live.client import Client, Propagation
from homeostat.live.discovery import Discovery
from homeostat.live.errors import ApiError, ConflictError, NotFoundError
from homeostat.model.hooks import HOOK_FINALIZER
from homeostat.model.objects import Key, Object
from homeostat.model.resources import Resource
from homeostat.sync.step import Cleanup
from homeostat.sync.writing import ATTEMPTS

_GONE: Object = {"apiVersion": "v1", "kind": "Status"}


class Target(Protocol):
    """What is needed of :class:`homeostat.live.cluster.Cluster`."""

    client: Client
    discovery: Discovery

    def note(self, answer: Object) -> None:
        """The index takes notice of a write's answer without waiting for the watch."""
        ...

    def note_deletion(self, key: Key, answer: Object, *, uid: str) -> None:
        """Likewise of a delete's."""
        ...


async def tidy(cluster: Target, one: Cleanup, propagation: Propagation) -> str:
    """Carries ``one`` out. Answers what is in the way in words, or nothing when all is well."""
    resource = cluster.discovery.find(one.key.group_kind, one.version) or await cluster.discovery.resolve(one.key.group_kind, one.version)
    if resource is None:
        return ""  # its kind is gone, and it went with it
    try:
        # Gone, or another object bears the name by now: the one that was meant is no more.
        with contextlib.suppress(NotFoundError):
            if one.release:
                await _release(cluster, one, resource)
            if one.delete:
                await _delete(cluster, one, resource, propagation)
    except ApiError as error:
        return f"{one.key}: {error.message}"
    return ""


async def _release(cluster: Target, one: Cleanup, resource: Resource) -> None:
    key = one.key
    for attempt in range(ATTEMPTS):
        live = await cluster.client.get(resource, key.namespace, key.name)
        metadata = live["metadata"]
        finalizers = metadata.get("finalizers") or []
        if metadata.get("uid") != one.uid or HOOK_FINALIZER not in finalizers:
            return
        left = [finalizer for finalizer in finalizers if finalizer != HOOK_FINALIZER]
        # NB: a list in a merge patch replaces the whole; the version keeps a finalizer of the same moment from being lost.
        body = {"metadata": {"uid": one.uid, "resourceVersion": metadata["resourceVersion"], "finalizers": left}}
        try:
            answer = await cluster.client.patch(resource, key.namespace, key.name, body)
        except ConflictError:
            if attempt + 1 == ATTEMPTS:
                raise
            continue
        if metadata.get("deletionTimestamp") and not left:
            cluster.note_deletion(key, _GONE, uid=one.uid)
        else:
            cluster.note(answer)
        return


async def _delete(cluster: Target, one: Cleanup, resource: Resource, propagation: Propagation) -> None:
    key = one.key
    with contextlib.suppress(ConflictError):
        answer = await cluster.client.delete(resource, key.namespace, key.name, propagation=propagation, uid=one.uid)
        cluster.note_deletion(key, answer, uid=one.uid)
