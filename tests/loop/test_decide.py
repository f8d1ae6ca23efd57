"""When an automated sync starts: Argo CD's rules in their order, and the two on which we differ."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from homeostat.loop.decide import Decision, Verdict, decide
from homeostat.model import times
from homeostat.model.app import App, AppKey, Destination, Policy, Retry, Source
from homeostat.model.objects import Key
from homeostat.model.report import ResourceReport
from homeostat.model.sync import Operation, OperationPhase, OperationState, SyncStatus
from homeostat.model.windows import Window

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


ALWAYS = Window(kind="deny", schedule="* * * * *", duration="1h", applications=("*",))
"""A deny window that is open at any time."""


def test_a_sync_window_keeps_an_automated_sync_back_and_says_so() -> None:
    blocked = decide(
        replace(APP, windows=(ALWAYS,)), revision="r1", source=SOURCE, status=SyncStatus.OUT_OF_SYNC, resources=(DIFFERS,), now=NOW
    )
    assert blocked.verdict in {Verdict.NOTHING, Verdict.LATER}
    assert blocked.kind == "SyncWindowInfo"
    assert "deny:* * * * *:1h" in blocked.condition


def test_a_window_that_opens_is_waited_for() -> None:
    opens = replace(ALWAYS, kind="allow", schedule="0 3 * * *")
    later = decide(
        replace(APP, windows=(opens,)), revision="r1", source=SOURCE, status=SyncStatus.OUT_OF_SYNC, resources=(DIFFERS,), now=NOW
    )
    assert later.verdict is Verdict.LATER
    assert 0 < later.seconds <= 24 * 3600
    assert times.minute(NOW + later.seconds) in later.condition


def test_a_window_says_nothing_of_an_app_that_needs_no_sync() -> None:
    blocked = replace(APP, windows=(ALWAYS,))
    assert decide(blocked, revision="r1", source=SOURCE, status=SyncStatus.SYNCED, resources=(SYNCED,), now=NOW).condition == ""


def test_what_a_guard_holds_is_no_reason_to_sync_until_it_is_confirmed() -> None:
    settled = replace(APP, state=ended())
    held = {EXTRA.key: "a namespace that others use"}

    def asked(*resources: ResourceReport, confirmed: bool = False) -> Decision:
        return decide(
            settled,
            revision="r1",
            source=SOURCE,
            status=SyncStatus.OUT_OF_SYNC,
            resources=resources,
            now=NOW,
            held=held,
            confirmed=confirmed,
        )

    assert asked(EXTRA, SYNCED).verdict is Verdict.NOTHING
    assert asked(EXTRA, DIFFERS).verdict is Verdict.HEAL, "nothing else waits for it"
    go = asked(EXTRA, SYNCED, confirmed=True)
    assert (go.verdict, go.confirmed) == (Verdict.SYNC, True)


def test_a_namespace_without_its_declared_metadata_is_healed() -> None:
    settled = replace(APP, state=ended())

    def asked(*, differs: bool) -> Verdict:
        return decide(
            settled,
            revision="r1",
            source=SOURCE,
            status=SyncStatus.OUT_OF_SYNC,
            resources=(SYNCED,),
            now=NOW,
            namespace_differs=differs,
        ).verdict

    assert asked(differs=True) is Verdict.HEAL
    assert asked(differs=False) is Verdict.NOTHING


def test_a_sync_that_somebody_called_off_is_not_begun_again() -> None:
    off = replace(APP, state=replace(ended(phase=OperationPhase.FAILED, ago=9000), message="Operation terminated"))
    decision = decide(off, revision="r1", source=SOURCE, status=SyncStatus.OUT_OF_SYNC, resources=(DIFFERS,), now=NOW)
    assert decision.verdict is Verdict.NOTHING
    assert "by hand" in decision.condition
    newer = decide(off, revision="r2", source=SOURCE, status=SyncStatus.OUT_OF_SYNC, resources=(DIFFERS,), now=NOW)
    assert newer.verdict is Verdict.SYNC
