"""Writes what was reported of an app to its Application: one merge patch for status, operation and refresh annotation together.

Nothing is written when nothing changed. A patch that takes a user's request away (``operation``, the refresh annotation) names the resource
version it was decided on, so that a request which came in the meantime is not lost: on a conflict the object is read again and the patch made
anew. What an object holds is ``store.py``'s business; when to report is the loop's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import structlog
from msgspec.structs import replace

from homeostat.argo import status as statuses
from homeostat.argo.conditions import UNKNOWN_ERROR
from homeostat.argo.events import EventWriter, derive
from homeostat.argo.read import DUTIES, FINALIZER_OF, REFRESH
from homeostat.argo.resources import APPLICATIONS
from homeostat.argo.store import Store
from homeostat.live.client import Client
from homeostat.live.errors import ApiError, ConflictError, NotFoundError, ThrottledError, UnavailableError
from homeostat.model import times
from homeostat.model.app import App, Duty
from homeostat.model.objects import Object
from homeostat.model.report import Condition, Report
from homeostat.model.sync import OperationPhase

log = structlog.get_logger(__name__)

_ATTEMPTS = 5
_WAIT = 0.1
_TOO_LARGE = 413
_UNDER_WAY = frozenset(phase.value for phase in OperationPhase if not phase.completed)


class StatusWriter:
    """Writes through to the API server and keeps ``store`` current with its answers. At most one call per app at a time (the loop's promise).

    Raises :class:`ApiError` when the API server refuses or stays out of reach; nothing has been written then.
    """

    def __init__(self, client: Client, store: Store, events: EventWriter, *, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._store = store
        self._events = events
        self._clock = clock
        self.written = 0

    async def report(self, app: App, report: Report) -> App:
        """Makes the Application say what ``report`` says; answers the app as it stands then. An app that is gone is answered as it was."""
        for cut in (report, _shortened(report, more=False)):
            try:
                return await self._report(app, cut)
            except ApiError as error:
                if not _is_too_large(error):
                    raise
                log.warning("a status is too large", app=str(app.key), objects=len(report.resources))
        return await self._report(app, _shortened(report, more=True))

    async def bind(self, app: App, duties: Collection[Duty]) -> None:
        """Makes ``duties`` our finalizers on the Application, and leaves those of others."""
        for attempt in range(_ATTEMPTS):
            obj = self._store.object(app.key)
            if obj is None or not _same(obj, app):
                return
            finalizers = obj["metadata"].get("finalizers") or []
            kept = [name for name in finalizers if name not in DUTIES or DUTIES[name] in duties]
            there = {DUTIES[name] for name in kept if name in DUTIES}
            kept += [FINALIZER_OF[duty] for duty in Duty if duty in duties and duty not in there]
            if kept == finalizers:
                return
            metadata = {"finalizers": kept, "uid": app.uid, "resourceVersion": obj["metadata"]["resourceVersion"]}
            if await self._patch(app, {"metadata": metadata}, attempt=attempt):
                return
        raise ConflictError(f"{app.key} changes faster than its finalizers can be written", status=409, reason="Conflict")

    async def _report(self, app: App, report: Report) -> App:
        for attempt in range(_ATTEMPTS):
            obj = self._store.object(app.key)
            if obj is None or not _same(obj, app):
                return app
            patch, old, new = self._decide(app, report, obj)
            if patch is None:
                return self._store.get(app.key) or app
            patch.setdefault("metadata", {})["uid"] = app.uid
            if await self._patch(app, patch, attempt=attempt):
                self.written += 1
                self._events.tell(app, derive(old, new))
                return self._store.get(app.key) or app
        raise ConflictError(f"{app.key} changes faster than its status can be written", status=409, reason="Conflict")

    def _decide(self, app: App, report: Report, obj: Object) -> tuple[dict[str, Any] | None, Mapping[str, Any], Mapping[str, Any]]:
        """The patch (``None``: nothing to write), and the statuses before and after it."""
        metadata = obj["metadata"]
        old = obj.get("status") or {}
        new = statuses.build(app, report, old, namespace=self._store.namespace, now=times.stamp(self._clock()))
        requests: dict[str, Any] = {}
        taken = False
        operation = _operation(app, report, obj)
        if operation != obj.get("operation"):
            requests["operation"] = operation
            taken = operation is None
        current = (metadata.get("annotations") or {}).get(REFRESH)
        if report.refreshed and app.refresh and current is not None and (current == "hard") == (app.refresh == "hard"):
            requests["metadata"] = {"annotations": {REFRESH: None}}
            taken = True
        change = statuses.merge_patch(old, new) if requests else statuses.status_patch(old, new)
        if change is not None:
            requests["status"] = change
        if taken:
            requests.setdefault("metadata", {})["resourceVersion"] = metadata["resourceVersion"]
        return requests or None, old, new

    async def _patch(self, app: App, body: dict[str, Any], *, attempt: int) -> bool:
        """Sends a patch. False: the store is current again, decide anew."""
        try:
            with self._store.writing(app.key):
                self._store.wrote(await self._client.patch(APPLICATIONS, app.key.namespace, app.key.name, body))
        except NotFoundError:
            self._store.forget(app.key)
            return False
        except ConflictError:
            await self._reread(app)
            return False
        except (UnavailableError, ThrottledError) as error:
            if attempt + 1 >= _ATTEMPTS or _is_too_large(error):
                raise
            log.info("writing a status again", app=str(app.key), error=error.message)
            await asyncio.sleep(max(error.retry_after, _WAIT * 2**attempt))
            return False
        return True

    async def _reread(self, app: App) -> None:
        try:
            self._store.saw(await self._client.get(APPLICATIONS, app.key.namespace, app.key.name))
        except NotFoundError:
            self._store.forget(app.key)


def _operation(app: App, report: Report, obj: Object) -> Any:
    """What the ``operation`` field is to hold: the sync under way; nothing once it is done; a request that nobody has seen yet stays."""
    current = obj.get("operation")
    state = report.state
    if state is None:
        return current
    own = statuses.operation_field(app, state.operation)
    recorded = (obj.get("status") or {}).get("operationState") or {}
    # A sync that a newer revision took over from has left its operation there.
    ours = (own, recorded.get("operation")) if recorded.get("phase") in _UNDER_WAY else (own,)
    if not state.phase.completed:
        return own if current is None or current in ours else current
    seen = app.requested is not None and app.requested.raw == current
    return None if seen and current in ours else current


def _is_too_large(error: ApiError) -> bool:
    """The API server takes 3 MB in a request; etcd less, and the API server passes its refusal on as an internal error."""
    return error.status == _TOO_LARGE or "request is too large" in error.message


def _same(obj: Object, app: App) -> bool:
    """Whether ``obj`` is still the Application that ``app`` was read from, and not another of its name."""
    return bool(obj["metadata"].get("uid") == app.uid)


def _shortened(report: Report, *, more: bool) -> Report:
    """What is left to say when the API server finds the status too large: first without the results of the sync, then without the objects."""
    said = (
        "The status is larger than Kubernetes allows, so parts of it were left out. Manage fewer objects in one Application, or lower "
        "spec.revisionHistoryLimit."
    )
    return replace(
        report,
        state=replace(report.state, results=()) if report.state is not None else None,
        history=report.history[-1:],
        resources=() if more else report.resources,
        conditions=(*report.conditions, Condition(UNKNOWN_ERROR, said)),
    )
