"""A report becomes the status that Argo CD would have written, and a patch no larger than what changed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from homeostat.argo import status
from homeostat.model.app import App
from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import Key
from homeostat.model.report import Condition, Report, ResourceReport
from homeostat.model.sync import History, Operation, OperationPhase, OperationState, SyncSelection, SyncStatus
from tests.argo import reports, samples

NOW = "2026-11-21T09:00:00Z"
VALUES = st.recursive(
    st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.sampled_from("xyz"), VALUES, max_size=3)


def build(app: App, report: Report, old: dict[str, Any] | None = None) -> dict[str, Any]:
    return status.build(app, report, old or {}, namespace="argocd", now=NOW)


@pytest.mark.parametrize("name", samples.RECORDED)
def test_what_argo_cd_recorded_is_what_is_written(name: str) -> None:
    obj = samples.recorded(name)
    app = samples.read(obj)
    written = build(app, reports.report_of(obj, app))
    for place in (written["health"], *written.get("conditions", ())):
        assert place.pop("lastTransitionTime") == NOW
    for place in (obj["status"]["health"], *obj["status"].get("conditions", ())):
        del place["lastTransitionTime"]
    assert written == obj["status"]


@pytest.mark.parametrize("name", samples.RECORDED)
def test_nothing_is_written_when_nothing_changed(name: str) -> None:
    obj = samples.recorded(name)
    app = samples.read(obj)
    new = build(app, reports.report_of(obj, app), obj["status"])
    assert status.status_patch(obj["status"], new) is None


def test_a_new_look_alone_is_written_once_an_hour() -> None:
    app = samples.read(samples.application())
    old = build(app, reports.simple(reconciled_at="2026-11-21T08:00:00Z"))
    soon = build(app, reports.simple(reconciled_at="2026-11-21T08:59:00Z"), old)
    late = build(app, reports.simple(reconciled_at="2026-11-21T09:01:00Z"), old)
    assert status.status_patch(old, soon) is None
    assert status.status_patch(old, late) == {"reconciledAt": "2026-11-21T09:01:00Z"}


def test_a_look_without_a_new_revision_keeps_the_time_of_the_last() -> None:
    app = samples.read(samples.application())
    old = build(app, reports.simple())
    assert build(app, reports.simple(reconciled_at=""), old)["reconciledAt"] == "2026-11-21T08:00:00Z"


def test_the_time_of_a_health_moves_only_with_it() -> None:
    app = samples.read(samples.application())
    old = build(app, reports.simple())
    old["health"]["lastTransitionTime"] = "2026-11-20T00:00:00Z"
    assert build(app, reports.simple(), old)["health"] == old["health"]
    worse = build(app, reports.simple(health=Health(HealthStatus.DEGRADED, "it broke")), old)
    assert worse["health"] == {"status": "Degraded", "message": "it broke", "lastTransitionTime": NOW}


def test_a_condition_keeps_its_time_while_it_says_the_same() -> None:
    app = samples.read(samples.application())
    told = reports.simple(conditions=(Condition("SyncError", "b"), Condition("ComparisonError", "a"), Condition("SyncError", "b")))
    old = build(app, told)
    assert [one["type"] for one in old["conditions"]] == ["ComparisonError", "SyncError"]
    old["conditions"][0]["lastTransitionTime"] = "2026-11-20T00:00:00Z"
    new = build(app, reports.simple(conditions=(Condition("ComparisonError", "a"), Condition("SyncError", "c"))), old)
    assert [one["lastTransitionTime"] for one in new["conditions"]] == ["2026-11-20T00:00:00Z", NOW]


def test_conditions_that_are_over_are_taken_away() -> None:
    app = samples.read(samples.application())
    old = build(app, reports.simple(conditions=(Condition("SyncError", "b"),)))
    patch = status.status_patch(old, build(app, reports.simple(), old))
    assert patch == {"conditions": None}


@pytest.mark.parametrize(("limit", "kept"), [(None, 10), (3, 3), (0, 0)])
def test_the_history_is_cut_at_the_limit(limit: int | None, kept: int) -> None:
    app = samples.read(samples.application(revisionHistoryLimit=limit))
    history = tuple(History(number, f"r{number}", NOW, NOW, {"repoURL": "x"}, username="ann") for number in range(12))
    written = build(app, reports.simple(history=history))
    assert [entry["id"] for entry in written.get("history", ())] == list(range(12 - kept, 12))
    if kept:
        assert written["history"][-1]["initiatedBy"] == {"username": "ann"}


def test_an_invalid_spec_leaves_what_was_compared_before() -> None:
    good = samples.read(samples.application())
    old = build(good, reports.simple())
    bad = samples.read(samples.application(project="nowhere"))
    unknown = Report(SyncStatus.UNKNOWN, Health(HealthStatus.UNKNOWN), conditions=(Condition("InvalidSpecError", bad.problems[0]),))
    new = build(bad, unknown, old)
    assert new["sync"] == {**old["sync"], "status": "Unknown"}
    assert build(bad, unknown)["sync"] == {"status": "Unknown"}


def test_an_automated_operation_is_written_out_as_argo_cd_does() -> None:
    recorded = samples.recorded("plain-after-self-heal")
    app = samples.read(recorded)
    operation = Operation(
        revision="02eefce7e9c0ad31f75d87c0838406a15123627a",
        prune=True,
        resources=(SyncSelection(kind="ConfigMap", name="settings"),),
        options=("CreateNamespace=true",),
        source=recorded["spec"]["source"],
        automated=True,
        heal_attempts=2,
        retry_limit=5,
    )
    state = OperationState(operation, OperationPhase.RUNNING, started_at=NOW, revision="02ee")
    written = build(app, reports.simple(state=state))
    assert written["operationState"]["operation"] == recorded["status"]["operationState"]["operation"]
    assert written["operationState"]["phase"] == "Running"
    assert "finishedAt" not in written["operationState"]


def test_an_automated_operation_quotes_the_retry_of_the_spec() -> None:
    app = samples.read(samples.seed("frontend"))
    state = OperationState(Operation(automated=True, retry_limit=3), OperationPhase.RUNNING, started_at=NOW)
    written = build(app, reports.simple(state=state))["operationState"]
    assert written["operation"]["retry"] == app.spec["syncPolicy"]["retry"]
    assert "syncResult" not in written


def test_an_app_of_apps_is_marked() -> None:
    app = samples.read(samples.application())
    child = ResourceReport(Key("argoproj.io", "Application", "argocd", "child"), "v1alpha1", SyncStatus.SYNCED)
    written = build(app, reports.simple(resources=(child,), external_urls=("https://b", "https://a", "https://a")))
    assert written["summary"] == {"isAppOfApps": True, "externalURLs": ["https://a", "https://b"]}


def test_ignored_differences_belong_to_what_was_compared() -> None:
    app = samples.read(samples.seed("frontend"))
    compared = build(app, reports.simple())["sync"]["comparedTo"]
    assert compared["ignoreDifferences"] == app.spec["ignoreDifferences"]


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_leads_from_the_old_to_the_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    patch = status.merge_patch(old, new)
    assert (patch is None) == (old == new)
    assert _merged(old, patch or {}) == new


def test_a_status_larger_than_before_is_patched_only_where_it_grew() -> None:
    app = samples.read(samples.application())
    first = reports.simple()
    old = build(app, first)
    more = (*first.resources, ResourceReport(Key("", "Service", "web", "web"), "v1", SyncStatus.OUT_OF_SYNC, wave=-1))
    patch = status.status_patch(old, build(app, replace(first, resources=more, sync=SyncStatus.OUT_OF_SYNC), old))
    assert patch is not None
    assert patch.keys() == {"resources", "sync"}
    assert patch["sync"] == {"status": "OutOfSync"}
    assert patch["resources"][1] == {
        "kind": "Service",
        "name": "web",
        "namespace": "web",
        "status": "OutOfSync",
        "syncWave": -1,
        "version": "v1",
    }


def _merged(old: Any, patch: Any) -> Any:
    """RFC 7386, word for word."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged
