"""One look at one app: what was found out so far. Every stage of :mod:`homeostat.loop.reconcile` reads it and adds its part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from homeostat.loop.look import Look
from homeostat.loop.memory import Memory, Wanted
from homeostat.model.app import App
from homeostat.model.health import Health, HealthStatus
from homeostat.model.report import Condition, Report
from homeostat.model.sync import History, Operation, OperationState, SyncStatus

NOT_LOOKED = Look(SyncStatus.UNKNOWN, Health(HealthStatus.UNKNOWN))


class Turn(msgspec.Struct):
    """``requested`` and ``state`` are the operation's; ``conditions`` what a user should know; ``again`` in how many seconds to look again."""

    app: App
    memory: Memory
    now: float
    wanted: Wanted | None = None
    look: Look = NOT_LOOKED
    revision: str = ""
    requested: Operation | None = None
    state: OperationState | None = None
    history: tuple[History, ...] = ()
    conditions: list[Condition] = []
    reconciled_at: str = ""
    refreshed: bool = False
    again: float | None = None

    @classmethod
    def begin(cls, app: App, memory: Memory, *, now: float) -> Turn:
        return cls(
            app=app, memory=memory, now=now, requested=app.requested, state=app.state, history=app.history, refreshed=bool(app.refresh)
        )

    @property
    def pinned(self) -> Operation | None:
        """The operation of a human that is asked for or under way: its revision and source hold, whatever the app's source says by now."""
        if self.running:
            assert self.state is not None
            return None if self.state.operation.automated else self.state.operation
        return self.requested

    @property
    def source(self) -> dict[str, Any]:
        """The source that is looked at, in its resource's own words."""
        pinned = self.pinned
        if pinned is not None and pinned.source is not None and not pinned.automated:
            return pinned.source
        source = self.app.spec.get("source")
        return source if isinstance(source, dict) else {}

    @property
    def running(self) -> bool:
        """A sync is under way."""
        return self.state is not None and not self.state.phase.completed

    def look_again(self, seconds: float) -> None:
        self.again = seconds if self.again is None else min(self.again, seconds)

    def tell(self, kind: str, messages: Sequence[str]) -> None:
        self.conditions.extend(Condition(kind, message) for message in messages)

    def report(self) -> Report:
        look = self.look
        return Report(
            sync=look.status,
            health=look.health,
            revision=self.revision,
            source_type=self.wanted.source_type if self.wanted is not None else "",
            resources=look.resources,
            conditions=(*self.conditions, *look.conditions),
            state=self.state,
            requested=self.requested if self.running else None,
            history=self.history,
            images=look.images,
            external_urls=look.external_urls,
            reconciled_at=self.reconciled_at,
            refreshed=self.refreshed,
        )
