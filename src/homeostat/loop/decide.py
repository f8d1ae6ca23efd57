"""What follows from a comparison: sync, wait, or leave it. A pure function of what is known, by Argo CD's rules in their order (reference 2.4).

On purpose different (docs/differences.md): an operation that failed for good is tried again, with capped back-off and without end, unless the
user set a retry limit; and the self-heal back-off starts anew after a quiet period. How a sync runs does not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from homeostat.model import times
from homeostat.model.app import App
from homeostat.model.report import ResourceReport
from homeostat.model.sync import OperationPhase, OperationState, SyncStatus
from homeostat.sync import retry


class Verdict(StrEnum):
    NOTHING = "nothing"
    SYNC = "sync"
    HEAL = "heal"
    LATER = "later"


class Decision(msgspec.Struct, frozen=True):
    """``seconds`` is how long to wait when the verdict is LATER; ``attempts`` counts self-heals; ``condition`` is a SyncError to show."""

    verdict: Verdict
    reason: str = ""
    seconds: float = 0.0
    attempts: int = 0
    condition: str = ""


def decide(
    app: App,
    *,
    revision: str,
    source: dict[str, object],
    status: SyncStatus,
    resources: Sequence[ResourceReport],
    now: float,
) -> Decision:
    """Whether an automated sync starts now. ``now`` is in seconds since the epoch; ``revision`` and ``source`` are what was compared."""
    if not app.policy.automated:
        return Decision(Verdict.NOTHING, "the app is synced by hand")
    if status is not SyncStatus.OUT_OF_SYNC:
        return Decision(Verdict.NOTHING, f"the app is {status}")
    differing = [r for r in resources if r.status is SyncStatus.OUT_OF_SYNC and not r.deleting]
    if not differing and resources:
        return Decision(Verdict.NOTHING, "what differs is on its way out")
    if not app.policy.prune and all(r.requires_pruning for r in differing):
        return Decision(Verdict.NOTHING, "only pruning is left, and prune is off")
    state = app.state
    if app.policy.prune and not app.policy.allow_empty and resources and all(r.requires_pruning for r in resources):
        return Decision(
            Verdict.NOTHING,
            "nothing would be left",
            condition="Skipping sync attempt to " + revision + ": auto-sync will wipe out all resources (set allowEmpty if that is meant)",
        )
    if state is None or state.revision != revision or (state.source is not None and state.source != source):
        return Decision(Verdict.SYNC, "a new revision or source")
    if state.phase is not OperationPhase.SUCCEEDED:
        return _after_failure(app, state, revision=revision, now=now)
    if not app.policy.self_heal:
        return Decision(Verdict.NOTHING, "the revision was synced, and selfHeal is off")
    return _heal(state, now=now)


def _after_failure(app: App, state: OperationState, *, revision: str, now: float) -> Decision:
    text = f"Failed last sync attempt to [{revision}]: {state.message}"
    if app.policy.retry is not None and app.policy.retry.limit >= 0:
        return Decision(
            Verdict.NOTHING, "the retry limit is reached", condition=f"{text} (retry.limit is reached; waiting for a new revision)"
        )
    finished = times.parse(state.finished_at) if state.finished_at else now
    policy = app.policy.retry
    wait = finished + (policy.max_duration if policy is not None else retry.MAX_DURATION) - now
    if wait > 0:
        return Decision(
            Verdict.LATER, "the last sync failed", seconds=wait, condition=f"{text} (next attempt at {times.clock(now + wait)})"
        )
    return Decision(Verdict.SYNC, "another attempt after a failure")


def _heal(state: OperationState, *, now: float) -> Decision:
    attempts = state.operation.heal_attempts
    finished = times.parse(state.finished_at) if state.finished_at else now
    wait, attempts = retry.heal_delay(attempts=attempts, finished=finished, now=now)
    if wait > 0:
        return Decision(Verdict.LATER, "self-heal backs off", seconds=wait, attempts=attempts)
    return Decision(Verdict.HEAL, "the cluster drifted", attempts=attempts + 1)
