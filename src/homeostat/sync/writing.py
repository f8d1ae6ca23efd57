"""How one object is written: server-side apply, a three-way patch, or a replacement; by force, where that is wanted.

:class:`Writer` knows nothing of tasks or waves. The same object asked to write a dry run answers what the object would become, so that drift is judged
by the very write that a sync would do (:func:`expected`). Every write may be done twice.

Force means: what cannot be changed in place is deleted and made anew. Before anything is deleted the API server is asked whether it would take the
new object (a dry run of its create), so that a typo costs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib

from homeostat.compare.drift import Echo, echo
from homeostat.compare.predecessors import MANAGER, UPDATER
from homeostat.compare.takeover import takeover
from homeostat.compare.updated import echo_of_update
from homeostat.live.client import Client, FieldValidation
from homeostat.live.errors import AlreadyExistsError, ConflictError, InvalidObjectError, NotFoundError, UnavailableError
from homeostat.live.schemas import Schemas
from homeostat.model.objects import Key, Object, key_of
from homeostat.model.resources import Resource
from homeostat.model.sync import Method, Writing
from homeostat.sync import messages, threeway
from homeostat.sync.order import CRD, NAMESPACE

ATTEMPTS = 4

READ_AND_WRITTEN = 10
"""Attempts of a write that reads first: between the two a controller may write the status, and an object that was just made has a busy one."""
"""How often something that others may write at the same moment is tried."""

LONGEST_DELETION = 60.0
"""Seconds that the deletion of an object that is to be made anew may take; then the task fails, and the next attempt goes on from there."""

_KEPT = ("finalizers", "ownerReferences")
"""What a replacement leaves as it is unless desired names it: others' business, and to lose it loses data."""

_APPLIED = Writing()


def expected(method: Method, answer: Object, *, desired: Object, before: Object | None = None, applied: bool = False) -> Echo:
    """The echo in the answer to a write of ``desired``; the parameters are those of :func:`homeostat.compare.drift.echo`."""
    if method is Method.APPLY:
        return echo(answer, desired=desired, before=before, applied=applied)
    return echo_of_update(answer, desired=desired, before=before, applied=applied)


class Writer:
    """Writes objects to one cluster; it remembers nothing but the server's rules for merging lists."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._schemas = Schemas(client)

    async def write(
        self, resource: Resource, desired: Object, writing: Writing = _APPLIED, *, manager: str = MANAGER, dry_run: bool = False
    ) -> Object:
        """Writes ``desired`` and answers the object as the server has it. ``manager`` is for server-side apply.

        Raises :class:`homeostat.live.errors.ApiError`. No force here: :meth:`make_anew`.
        """
        match writing.method:
            case Method.APPLY:
                return await self._apply(resource, desired, "" if writing.validate else "Ignore", manager=manager, dry_run=dry_run)
            case Method.THREE_WAY:
                change = self._patch
            case Method.REPLACE:
                change = self._replace
        validation: FieldValidation = "Strict" if writing.validate else "Ignore"
        for attempt in range(READ_AND_WRITTEN):
            live = await self._get(resource, key_of(desired))
            try:
                if live is None:
                    new = threeway.with_last_applied(desired) if writing.method is Method.THREE_WAY else desired
                    return await self._client.create(resource, new, manager=UPDATER, dry_run=dry_run, validation=validation)
                return await change(resource, desired, live, validation, dry_run=dry_run)
            except (ConflictError, NotFoundError) as error:
                # Made, gone or written by somebody at the same moment: think again.
                if attempt + 1 == READ_AND_WRITTEN or (isinstance(error, NotFoundError) and live is None):
                    raise
        raise AssertionError("the last attempt answers or raises")

    async def _apply(self, resource: Resource, desired: Object, validation: FieldValidation, *, manager: str, dry_run: bool) -> Object:
        """An apply reads nothing first, so that a conflict (with a writer of the same moment) is no reason to think again: it is sent again."""
        for _ in range(ATTEMPTS - 1):
            with contextlib.suppress(ConflictError):
                return await self._client.apply(resource, desired, manager=manager, dry_run=dry_run, validation=validation)
        return await self._client.apply(resource, desired, manager=manager, dry_run=dry_run, validation=validation)

    async def _patch(self, resource: Resource, desired: Object, live: Object, validation: FieldValidation, *, dry_run: bool) -> Object:
        patch = threeway.patch_for(desired, live, await self._schemas.shape(resource))
        if not patch:
            return live
        key = key_of(desired)
        return await self._client.patch(resource, key.namespace, key.name, patch, manager=UPDATER, dry_run=dry_run, validation=validation)

    async def _replace(self, resource: Resource, desired: Object, live: Object, validation: FieldValidation, *, dry_run: bool) -> Object:
        """Like ``kubectl replace``, but what is others' stays: a status without subresource, finalizers, owners."""
        theirs = live["metadata"]
        kept = {name: theirs[name] for name in _KEPT if name in theirs}
        new: Object = {**desired, "metadata": {**kept, **desired["metadata"], "resourceVersion": theirs["resourceVersion"]}}
        if "status" in live:
            new.setdefault("status", live["status"])
        return await self._client.replace(resource, new, manager=UPDATER, dry_run=dry_run, validation=validation)

    async def expect(self, resource: Resource, desired: Object, before: Object | None, writing: Writing) -> Echo:
        """The echo of a dry run of the write. Raises :class:`homeostat.live.errors.ApiError` where the server refuses it.

        A replacement that is refused is asked about once more as an apply: what the server fills in when an object is made (a Job's selector) can
        never be replaced, and is no drift.
        """
        try:
            answer = await self.write(resource, desired, writing, dry_run=True)
        except InvalidObjectError as error:
            if writing.method is not Method.REPLACE:
                raise
            try:
                answer = await self.write(resource, desired, Writing(validate=writing.validate), dry_run=True)
            except InvalidObjectError:
                raise error from None
            return echo_of_update(answer, desired=desired, before=before)
        return expected(writing.method, answer, desired=desired, before=before)

    async def make_anew(
        self, resource: Resource, desired: Object, writing: Writing, *, manager: str = MANAGER, dry_run: bool = False
    ) -> Object | None:
        """Deletes the object, waits until it is gone, and makes it of ``desired``. A dry run answers ``None`` when all that would be possible.

        Raises :class:`homeostat.live.errors.ApiError` when the server would not take ``desired``, before anything is deleted, and
        :class:`homeostat.live.errors.UnavailableError` when the object does not go.
        """
        validation: FieldValidation = "Strict" if writing.validate else "Ignore"
        try:
            await self._client.create(resource, desired, dry_run=True, validation=validation)
        except AlreadyExistsError:
            pass  # It stands in its own way, and in nothing else's.
        except InvalidObjectError as error:
            if not messages.is_of_the_moment(error):
                raise
        if dry_run:
            return None
        await self._delete(resource, key_of(desired))
        return await self.write(resource, desired, writing, manager=manager)

    async def _delete(self, resource: Resource, key: Key) -> None:
        """Deletes the object, what depends on it first, and returns when it is gone."""
        live = await self._get(resource, key)
        if live is None:
            return
        metadata = live["metadata"]
        try:
            async with asyncio.timeout(LONGEST_DELETION):
                if not metadata.get("deletionTimestamp"):
                    with contextlib.suppress(NotFoundError, ConflictError):
                        await self._client.delete(resource, key.namespace, key.name, propagation="Foreground", uid=metadata["uid"])
                await self._gone(resource, key, metadata["uid"], metadata["resourceVersion"])
        except TimeoutError:
            held = await self._get(resource, key)
            if held is not None and held["metadata"]["uid"] == metadata["uid"]:
                finalizers = ", ".join(held["metadata"].get("finalizers") or ("no finalizers",))
                raise UnavailableError(f"{key} is to be made anew and is still being deleted (held by {finalizers})") from None

    async def _gone(self, resource: Resource, key: Key, uid: str, version: str) -> None:
        while True:
            selector = f"metadata.name={key.name}"
            events = self._client.watch(resource, resource_version=version, namespace=key.namespace, field_selector=selector)
            async with contextlib.aclosing(events) as changes:
                async for event in changes:
                    if event.type == "DELETED" and event.object["metadata"]["uid"] == uid:
                        return
            # The server ended the watch.
            live = await self._get(resource, key)
            if live is None or live["metadata"]["uid"] != uid:
                return
            version = live["metadata"]["resourceVersion"]

    async def take_over(self, resource: Resource, key: Key, *, manager: str, also: str = "") -> None:
        """Makes a predecessor's fields ours, on the object as it is now: the patch counts entries, and what is known may be older.

        When somebody writes at the same time, it is tried again. Given up, an apply may go ahead: it owns what is desired in any case.
        """
        for _ in range(ATTEMPTS):
            try:
                patch = takeover(await self._client.get(resource, key.namespace, key.name), also=also)
                if not patch:
                    return
                await self._client.patch(resource, key.namespace, key.name, patch, kind="json", manager=manager)
            except NotFoundError:
                return
            except (ConflictError, InvalidObjectError):
                continue
            return

    async def _get(self, resource: Resource, key: Key) -> Object | None:
        try:
            return await self._client.get(resource, key.namespace, key.name)
        except NotFoundError:
            return None


def is_spared(key: Key) -> bool:
    """Whether an object of this kind is never deleted only to be replaced (everything in it would go): as in Argo CD."""
    return key.group_kind in {CRD, NAMESPACE}
