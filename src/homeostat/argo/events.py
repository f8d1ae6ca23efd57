"""Kubernetes Events about Applications, as Argo CD's controller writes them: what changed between two statuses, in words.

Events are a courtesy, syncs are not: a background task writes them at its own pace, equal ones become one with a count, and what comes too fast
is dropped (a bucket per Application as client-go's spam filter has it, and a bound on what waits). Metrics and logs are not made here.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import structlog

from homeostat.argo import conditions
from homeostat.argo.resources import EVENTS
from homeostat.live.client import Client
from homeostat.live.errors import ApiError
from homeostat.model import times
from homeostat.model.app import App
from homeostat.model.sync import OperationPhase

log = structlog.get_logger(__name__)

COMPONENT = "argocd-application-controller"
"""Under this name dashboards and alerts look for the events."""

BURST = 25
REFILL = 1 / 20
"""Events per second that an Application earns back, up to BURST."""
RATE = 25.0
"""Events written per second at most, over all Applications."""
WAITING = 5000
REMEMBERED = 2048
SAME = 600.0
"""Seconds in which an equal event raises the count of the one before."""

_COMPLETED = {phase.value for phase in OperationPhase if phase.completed}


class Happening(msgspec.Struct, frozen=True):
    """One event to be told: ``type`` is Normal or Warning."""

    reason: str
    message: str
    type: str = "Normal"


def derive(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Happening]:
    """What the step from one status to the next is worth telling, in the order in which it came about."""
    before, after = _part(old, "operationState"), _part(new, "operationState")
    moved = bool(after) and (not before or (before != after and _begun(before, after)))
    ended = bool(after) and after.get("phase") in _COMPLETED and (moved or before.get("phase") not in _COMPLETED)
    told: list[Happening] = []
    if moved:
        told.extend(_started(after))
    for field, what in (("sync", "sync status"), ("health", "health status")):
        was, now = _part(old, field).get("status") or "", _part(new, field).get("status") or ""
        if was != now:
            told.append(Happening("ResourceUpdated", f"Updated {what}: {was} -> {now}"))
    if ended:
        told.append(_completed(after))
    told.extend(_deletion_errors(old, new))
    return told


def _begun(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether ``after`` is another operation than ``before``, and not the same one further on."""
    same = before.get("startedAt") == after.get("startedAt") and before.get("operation") == after.get("operation")
    return not same


def _started(state: Mapping[str, Any]) -> Iterator[Happening]:
    operation = _part(state, "operation")
    revision = _revision(_part(operation, "sync")) or _revision(_part(state, "syncResult"))
    by = _part(operation, "initiatedBy")
    if by.get("automated"):
        yield Happening("OperationStarted", f"Initiated automated sync to '{revision}'")


def _completed(state: Mapping[str, Any]) -> Happening:
    partial = bool(_part(_part(state, "operation"), "sync").get("resources"))
    words = ["Partial sync operation" if partial else "Sync operation"]
    if state.get("syncResult"):
        words += ["to", _revision(_part(state, "syncResult"))]
    if state.get("phase") == OperationPhase.SUCCEEDED:
        return Happening("OperationCompleted", " ".join([*words, "succeeded"]))
    return Happening("OperationCompleted", " ".join([*words, "failed:", str(state.get("message") or "")]), "Warning")


def _deletion_errors(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Happening]:
    known = {one.get("message") for one in old.get("conditions") or () if one.get("type") == conditions.DELETION_ERROR}
    for one in new.get("conditions") or ():
        if one.get("type") == conditions.DELETION_ERROR and one.get("message") not in known:
            yield Happening("StatusRefreshed", f"Unable to delete application resources: {one.get('message')}", "Warning")


class _Waiting(msgspec.Struct):
    namespace: str
    event: dict[str, Any]
    count: int = 1


class _Written(msgspec.Struct):
    namespace: str
    name: str
    count: int
    at: float


class EventWriter:
    """Writes events in the background. :meth:`tell` never waits and never fails; :meth:`run` runs until it is cancelled."""

    def __init__(self, client: Client, *, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._clock = clock
        self._waiting: OrderedDict[tuple[str, ...], _Waiting] = OrderedDict()
        self._written: OrderedDict[tuple[str, ...], _Written] = OrderedDict()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._wake = asyncio.Event()
        self._serial = 0
        self.dropped = 0

    def tell(self, app: App, happenings: list[Happening]) -> None:
        for happening in happenings:
            identity = (app.uid, happening.type, happening.reason, happening.message)
            waiting = self._waiting.get(identity)
            if waiting is not None:
                waiting.count += 1
                continue
            if len(self._waiting) >= WAITING or not self._allowed(app.uid):
                self.dropped += 1
                continue
            self._waiting[identity] = _Waiting(app.key.namespace, self._event(app, happening))
        self._wake.set()

    async def run(self) -> None:
        """One event at a time, :data:`RATE` a second at most."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            if not self._waiting:
                self._wake.clear()
                continue
            begun = loop.time()
            identity, waiting = self._waiting.popitem(last=False)
            try:
                await self._write(identity, waiting)
            except ApiError as error:
                self.dropped += waiting.count
                log.debug("event not written", error=error.message, reason=waiting.event["reason"])
            await asyncio.sleep(max(0.0, 1 / RATE - (loop.time() - begun)))

    async def _write(self, identity: tuple[str, ...], waiting: _Waiting) -> None:
        now = self._clock()
        known = self._written.pop(identity, None)
        if known is not None and now - known.at < SAME:
            count = known.count + waiting.count
            body = {"count": count, "lastTimestamp": waiting.event["lastTimestamp"]}
            await self._client.patch(EVENTS, known.namespace, known.name, body)
            self._remember(identity, _Written(known.namespace, known.name, count, now))
            return
        waiting.event["count"] = waiting.count
        await self._client.create(EVENTS, waiting.event)
        self._remember(identity, _Written(waiting.namespace, waiting.event["metadata"]["name"], waiting.count, now))

    def _remember(self, identity: tuple[str, ...], written: _Written) -> None:
        self._written[identity] = written
        if len(self._written) > REMEMBERED:
            self._written.popitem(last=False)

    def _allowed(self, uid: str) -> bool:
        now = self._clock()
        tokens, at = self._buckets.pop(uid, (float(BURST), now))
        tokens = min(float(BURST), tokens + (now - at) * REFILL)
        allowed = tokens >= 1
        self._buckets[uid] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return allowed

    def _event(self, app: App, happening: Happening) -> dict[str, Any]:
        now = self._clock()
        moment = times.stamp(now)
        self._serial += 1
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{app.key.name}.{int(now * 1e9) + self._serial:x}",
                "namespace": app.key.namespace,
                "annotations": {"dest-namespace": app.destination.namespace, "dest-server": app.destination.server},
            },
            "involvedObject": {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": app.key.kind,
                "name": app.key.name,
                "namespace": app.key.namespace,
                "resourceVersion": app.resource_version,
                "uid": app.uid,
            },
            "source": {"component": COMPONENT},
            "type": happening.type,
            "reason": happening.reason,
            "message": happening.message[:1024],
            "count": 1,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
        }


def _revision(part: Mapping[str, Any]) -> str:
    """Those of several sources with commas between, as Argo CD tells them."""
    return ", ".join(map(str, part.get("revisions") or ())) or str(part.get("revision") or "")


def _part(status: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    part = status.get(field)
    return part if isinstance(part, dict) else {}
