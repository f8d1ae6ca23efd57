"""When an automated sync starts: Argo CD's rules in their order, and the two on which we differ."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from homeostat.loop.decide import Verdict, decide
from homeostat.model import times
from homeostat.model.app import App, AppKey, Destination, Policy, Retry, Source
from homeostat.model.objects import Key
from homeostat.model.report import ResourceReport
from homeostat.model.sync import Operation, OperationPhase, OperationState, SyncStatus

NOW = 1_800_000_000.0
SOURCE: dict[str, Any] = {"repoURL": "https://git.example/a.git", "path": "a"}
APP = App(
    key=AppKey("Application", "argocd", "a"),
    id="a",
    uid="1",
    resource_version="1",
    sources=(Source("https://git.example/a.git", path="a"),),
    destination=Destination(namespace="a"),
    policy=Policy(automated=True, prune=True, self_heal=True),
    spec={"source": SOURCE},
)
DIFFERS = ResourceReport(Key("", "ConfigMap", "a", "a"), "v1", SyncStatus.OUT_OF_SYNC)
SYNCED = ResourceReport(Key("", "ConfigMap", "a", "s"), "v1", SyncStatus.SYNCED)
EXTRA = ResourceReport(Key("", "ConfigMap", "a", "x"), "v1", SyncStatus.OUT_OF_SYNC, requires_pruning=True)


def ended(
    *, phase: OperationPhase = OperationPhase.SUCCEEDED, ago: float = 60.0, attempts: int = 0, revision: str = "r1", source: Any = None
) -> OperationState:
    return OperationState(
        operation=Operation(automated=True, heal_attempts=attempts),
        phase=phase,
        message="it did not work",
        started_at=times.stamp(NOW - ago - 1),
        finished_at=times.stamp(NOW - ago),
        revision=revision,
        source=source or SOURCE,
    )


def verdict(app: App = APP, *resources: ResourceReport, status: SyncStatus = SyncStatus.OUT_OF_SYNC) -> Verdict:
    return decide(app, revision="r1", source=SOURCE, status=status, resources=resources or (DIFFERS, SYNCED), now=NOW).verdict


@pytest.mark.parametrize(
    ("policy", "state", "expected"),
    [
        pytest.param(Policy(), None, Verdict.NOTHING, id="synced by hand"),
        pytest.param(Policy(automated=True), None, Verdict.SYNC, id="never synced"),
        pytest.param(Policy(automated=True), ended(revision="r0"), Verdict.SYNC, id="a new revision"),
        pytest.param(Policy(automated=True), ended(source={"path": "b"}), Verdict.SYNC, id="a new source"),
        pytest.param(Policy(automated=True), ended(), Verdict.NOTHING, id="drift without selfHeal"),
        pytest.param(Policy(automated=True, self_heal=True), ended(), Verdict.HEAL, id="drift with selfHeal"),
        pytest.param(Policy(automated=True, self_heal=True), ended(attempts=3, ago=5), Verdict.LATER, id="heals back off"),
        pytest.param(Policy(automated=True, self_heal=True), ended(attempts=9, ago=400), Verdict.HEAL, id="back-off ends after quiet"),
        pytest.param(Policy(automated=True), ended(phase=OperationPhase.FAILED, ago=10), Verdict.LATER, id="failed a moment ago"),
        pytest.param(Policy(automated=True), ended(phase=OperationPhase.FAILED, ago=900), Verdict.SYNC, id="failed a while ago"),
        pytest.param(
            Policy(automated=True, retry=Retry(limit=2)),
            ended(phase=OperationPhase.FAILED, ago=900),
            Verdict.NOTHING,
            id="failed, and the user set a limit",
        ),
        pytest.param(
            Policy(automated=True, retry=Retry(limit=-1)),
            ended(phase=OperationPhase.FAILED, ago=900),
            Verdict.SYNC,
            id="failed, and the user wants no limit",
        ),
    ],
)
def test_an_app_out_of_sync_is_synced_when_its_policy_and_its_past_say_so(
    policy: Policy, state: OperationState | None, expected: Verdict
) -> None:
    assert verdict(replace(APP, policy=policy, state=state)) is expected


@pytest.mark.parametrize("status", [SyncStatus.SYNCED, SyncStatus.UNKNOWN])
def test_an_app_that_is_synced_or_unknown_is_left_alone(status: SyncStatus) -> None:
    assert verdict(APP, SYNCED, status=status) is Verdict.NOTHING


def test_without_prune_an_app_that_only_needs_pruning_is_left_alone() -> None:
    app = replace(APP, policy=Policy(automated=True))
    assert verdict(app, EXTRA, SYNCED) is Verdict.NOTHING
    assert verdict(app, EXTRA, DIFFERS) is Verdict.SYNC


def test_a_sync_that_would_leave_nothing_is_not_started_unless_that_is_allowed() -> None:
    decision = decide(APP, revision="r1", source=SOURCE, status=SyncStatus.OUT_OF_SYNC, resources=(EXTRA,), now=NOW)
    assert decision.verdict is Verdict.NOTHING
    assert "wipe out all resources" in decision.condition
    allowed = replace(APP, policy=Policy(automated=True, prune=True, allow_empty=True))
    assert verdict(allowed, EXTRA) is Verdict.SYNC


def test_a_failure_says_why_and_when_it_is_tried_again() -> None:
    app = replace(APP, state=ended(phase=OperationPhase.FAILED, ago=10))
    decision = decide(app, revision="r1", source=SOURCE, status=SyncStatus.OUT_OF_SYNC, resources=(DIFFERS,), now=NOW)
    assert decision.seconds == pytest.approx(170, abs=1)
    assert decision.condition.startswith("Failed last sync attempt to [r1]: it did not work (next attempt at ")


def test_the_count_of_heals_goes_on_from_one_to_the_next() -> None:
    app = replace(APP, state=ended(attempts=2, ago=200))
    decision = decide(app, revision="r1", source=SOURCE, status=SyncStatus.OUT_OF_SYNC, resources=(DIFFERS,), now=NOW)
    assert (decision.verdict, decision.attempts) == (Verdict.HEAL, 3)
