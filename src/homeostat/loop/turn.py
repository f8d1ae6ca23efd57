"""One look at one app: what was found out so far. Every stage of :mod:`homeostat.loop.reconcile` reads it and adds its part."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from homeostat.loop.look import Look
from homeostat.loop.memory import Memory, Wanted
from homeostat.model.app import App
from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import Key
from homeostat.model.report import Condition, Report
from homeostat.model.sync import History, Operation, OperationPhase, OperationState, SourceWords, SyncStatus

NOT_LOOKED = Look(SyncStatus.UNKNOWN, Health(HealthStatus.UNKNOWN))


class Turn(msgspec.Struct):
    """``requested`` and ``state`` are the operation's; ``conditions`` what a user should know; ``again`` in how many seconds to look again.

    ``held`` are the prunes that a deletion guard holds, and why.
    """

    app: App
    memory: Memory
    now: float
    wanted: Wanted | None = None
    look: Look = NOT_LOOKED
    revision: str = ""
    held: dict[Key, str] = {}
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
        """The operation whose revision and source hold, whatever the app's source says by now.

        That of a human, asked for or under way; and an automated one while a hook of it runs: half a migration helps nobody.
        """
        if not self.running:
            return self.requested
        assert self.state is not None
        return self.state.operation if not self.state.operation.automated or self.runs_hook else None

    @property
    def runs_hook(self) -> bool:
        """A hook of the sync under way has been started and is not done."""
        return self.running and any(
            result.hook_type and result.hook_phase is OperationPhase.RUNNING for result in (self.state.results if self.state else ())
        )

    @property
    def source(self) -> SourceWords:
        """The source that is looked at, or the sources, in the resource's own words."""
        pinned = self.pinned
        if pinned is not None and pinned.source is not None and not pinned.automated:
            return pinned.source
        sources = self.app.spec.get("sources")
        if sources:
            return tuple(sources)
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
            source_types=self.wanted.source_types if self.wanted is not None else (),
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
