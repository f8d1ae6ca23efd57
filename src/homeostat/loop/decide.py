"""What follows from a comparison: sync, wait, or leave it. A pure function of what is known, by Argo CD's rules in their order (reference 2.4).

On purpose different (docs/differences.md): an operation that failed for good is tried again, with capped back-off and without end, unless the
user set a retry limit; and the self-heal back-off starts anew after a quiet period. How a sync runs does not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from homeostat.model import times
from homeostat.model.app import App
from homeostat.model.objects import Key
from homeostat.model.report import ResourceReport
from homeostat.model.sync import OperationPhase, OperationState, SourceWords, SyncStatus, parted
from homeostat.model.windows import permitted
from homeostat.sync import retry
from homeostat.sync.step import TERMINATED

WINDOW = "SyncWindowInfo"
"""The condition of an app that would be synced now if a sync window were open. No error and no warning: somebody wants it so."""


class Verdict(StrEnum):
    NOTHING = "nothing"
    SYNC = "sync"
    HEAL = "heal"
    LATER = "later"


class Decision(msgspec.Struct, frozen=True):
    """``seconds`` is how long to wait when the verdict is LATER; ``attempts`` counts self-heals; ``condition`` is what to show, of type ``kind``.

    ``confirmed``: somebody confirmed what a deletion guard holds.
    """

    verdict: Verdict
    reason: str = ""
    seconds: float = 0.0
    attempts: int = 0
    condition: str = ""
    kind: str = "SyncError"
    confirmed: bool = False


_NONE_HELD: Mapping[Key, str] = {}


def decide(
    app: App,
    *,
    revision: str,
    source: SourceWords,
    status: SyncStatus,
    resources: Sequence[ResourceReport],
    now: float,
    held: Mapping[Key, str] = _NONE_HELD,
    confirmed: bool = False,
    namespace_differs: bool = False,
) -> Decision:
    """Whether an automated sync starts now. ``now`` is in seconds since the epoch; ``revision`` and ``source`` are what was compared.

    ``held`` are prunes that a deletion guard holds: no reason to sync, unless they are ``confirmed``. ``namespace_differs``: the namespace lacks
    what ``managedNamespaceMetadata`` declares.
    """
    if not app.policy.automated:
        return Decision(Verdict.NOTHING, "the app is synced by hand")
    if status is not SyncStatus.OUT_OF_SYNC:
        return Decision(Verdict.NOTHING, f"the app is {status}")
    if held and confirmed:
        return _permitted(app, Decision(Verdict.SYNC, "what was held is confirmed", confirmed=True), now=now)
    differing = [r for r in resources if r.status is SyncStatus.OUT_OF_SYNC and not r.deleting and r.key not in held]
    if not differing and resources and not namespace_differs:
        return Decision(Verdict.NOTHING, "what differs is on its way out, or held")
    if not app.policy.prune and all(r.requires_pruning for r in differing) and not namespace_differs:
        return Decision(Verdict.NOTHING, "only pruning is left, and prune is off")
    return _permitted(app, _due(app, revision=revision, source=source, resources=resources, now=now), now=now)


def _permitted(app: App, decision: Decision, *, now: float) -> Decision:
    """The decision, unless it is to sync and the app's sync windows say not now."""
    if decision.verdict not in {Verdict.SYNC, Verdict.HEAL} or not app.windows:
        return decision
    permission = permitted(app.windows, manual=False, now=now, running_since=None)
    if permission.allowed:
        return decision
    told = f"a sync is due ({decision.reason}) and waits: {permission.message}"
    if permission.changes_at is None:
        return Decision(Verdict.NOTHING, "a sync window", condition=told, kind=WINDOW)
    return Decision(Verdict.LATER, "a sync window", seconds=max(0.0, permission.changes_at - now), condition=told, kind=WINDOW)


def _due(app: App, *, revision: str, source: SourceWords, resources: Sequence[ResourceReport], now: float) -> Decision:
    state = app.state
    if app.policy.prune and not app.policy.allow_empty and resources and all(r.requires_pruning for r in resources):
        return Decision(
            Verdict.NOTHING,
            "nothing would be left",
            condition="Skipping sync attempt to "
            + _told(revision)
            + ": auto-sync will wipe out all resources (set allowEmpty if that is meant)",
        )
    if state is None or state.revision != revision or (state.source is not None and state.source != source):
        return Decision(Verdict.SYNC, "a new revision or source")
    if state.phase is not OperationPhase.SUCCEEDED:
        return _after_failure(app, state, revision=revision, now=now)
    if not app.policy.self_heal:
        return Decision(Verdict.NOTHING, "the revision was synced, and selfHeal is off")
    return _heal(state, now=now)


def _after_failure(app: App, state: OperationState, *, revision: str, now: float) -> Decision:
    text = f"Failed last sync attempt to [{_told(revision)}]: {state.message}"
    if state.message == TERMINATED:
        return Decision(Verdict.NOTHING, "somebody called it off", condition=f"{text} (waiting for a new revision, or for a sync by hand)")
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


def _told(revision: str) -> str:
    """As Argo CD tells the revisions of several sources."""
    return " ".join(parted(revision))


def _heal(state: OperationState, *, now: float) -> Decision:
    attempts = state.operation.heal_attempts
    finished = times.parse(state.finished_at) if state.finished_at else now
    wait, attempts = retry.heal_delay(attempts=attempts, finished=finished, now=now)
    if wait > 0:
        return Decision(Verdict.LATER, "self-heal backs off", seconds=wait, attempts=attempts)
    return Decision(Verdict.HEAL, "the cluster drifted", attempts=attempts + 1)
