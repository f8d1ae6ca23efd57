"""An app of several sources is read, and written, as Argo CD does it: ``sources`` and ``revisions`` in the place of ``source`` and ``revision``."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.argo import status
from homeostat.model.app import HelmOptions, Source
from homeostat.model.sync import Operation, joined, parted
from tests.argo import reports, samples

CHART = {"repoURL": "https://git.example/charts.git", "path": "shop", "helm": {"valueFiles": ["$values/shop.yaml"]}}
VALUES = {"repoURL": "https://git.example/values.git", "targetRevision": "main", "ref": "values"}
SOURCES: list[dict[str, Any]] = [CHART, VALUES]
NOW = "2026-11-21T09:00:00Z"


def application(**fields: Any) -> dict[str, Any]:
    return samples.application(**{"sources": SOURCES, "source": None, **fields})


def written_by_argo_cd() -> dict[str, Any]:
    """An Application with ``sources`` that was synced twice, in the shape of Argo CD's own status."""
    obj = application(syncPolicy={"automated": {"prune": True}})
    revisions = ["8a403151eed47078bc94b936e03747e1fce73266", "b3f6c1d2eed47078bc94b936e03747e1fce73266"]
    nothing = {"repoURL": ""}
    times = {"deployStartedAt": "2026-11-21T07:00:00Z", "deployedAt": "2026-11-21T07:00:01Z"}
    result = {
        "group": "",
        "hookPhase": "Running",
        "kind": "ConfigMap",
        "message": "configmap/shop serverside-applied",
        "name": "shop",
        "namespace": "web",
        "status": "Synced",
        "syncPhase": "Sync",
        "version": "v1",
    }
    obj["status"] = {
        "controllerNamespace": "argocd",
        "health": {"status": "Healthy", "lastTransitionTime": NOW},
        "history": [
            {**times, "id": 0, "initiatedBy": {"username": "ann"}, "revisions": revisions, "source": nothing, "sources": SOURCES},
            {**times, "id": 1, "initiatedBy": {"automated": True}, "revisions": revisions, "source": nothing, "sources": SOURCES},
        ],
        "operationState": {
            "finishedAt": "2026-11-21T07:00:01Z",
            "message": "successfully synced (all tasks run)",
            "operation": {
                "initiatedBy": {"automated": True},
                "retry": {"limit": 5},
                "sync": {"prune": True, "revisions": revisions, "source": nothing, "sources": SOURCES},
            },
            "phase": "Succeeded",
            "startedAt": "2026-11-21T07:00:00Z",
            "syncResult": {"resources": [result], "revision": "", "revisions": revisions, "source": nothing, "sources": SOURCES},
        },
        "reconciledAt": "2026-11-21T08:00:00Z",
        "resourceHealthSource": "appTree",
        "resources": [{"kind": "ConfigMap", "name": "shop", "namespace": "web", "status": "Synced", "version": "v1"}],
        "sourceHydrator": {},
        "sourceTypes": ["Helm", ""],
        "summary": {},
        "sync": {
            "comparedTo": {"destination": obj["spec"]["destination"], "source": nothing, "sources": SOURCES},
            "revisions": revisions,
            "status": "Synced",
        },
    }
    return obj


def test_sources_are_read_in_their_order_and_win_over_source() -> None:
    app = samples.read(application(source={"repoURL": "https://git.example/other.git", "path": "other"}))
    assert app.problems == ()
    assert app.sources == (
        Source("https://git.example/charts.git", path="shop", helm=HelmOptions(value_files=("$values/shop.yaml",))),
        Source("https://git.example/values.git", target_revision="main", ref="values"),
    )
    assert [source.only_ref for source in app.sources] == [False, True]


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        pytest.param([CHART, {**VALUES, "ref": "a/b"}], "spec.sources[1].ref: expected letters, digits", id="a ref that is no name"),
        pytest.param([VALUES, CHART, VALUES], "spec.sources[2].ref: expected another name than that of spec.sources[0]", id="a ref twice"),
        pytest.param([VALUES, {"repoURL": "https://c"}], "spec.sources[1].path: expected a directory", id="neither path nor ref"),
        pytest.param([CHART, {"repoURL": "", "path": "x"}], "spec.sources[1].repoURL: expected", id="an empty repoURL"),
        pytest.param([{"repoURL": "https://c", "chart": "x", "ref": "y"}], "spec.sources[0].ref: a chart cannot be", id="a ref to a chart"),
        pytest.param([CHART, {"path": "x"}], "required field repoURL", id="no repoURL"),
    ],
)
def test_what_is_wrong_with_one_of_several_is_said_of_that_one(sources: list[Any], said: str) -> None:
    app = samples.read(application(sources=sources))
    assert any(said in problem for problem in app.problems), app.problems
    assert app.sources == ()


def test_one_source_alone_needs_a_path_whatever_its_ref() -> None:
    app = samples.read(samples.application(source=VALUES))
    assert app.problems == ("spec.source.path: expected a directory of the repository ('.' for its root)",)


def test_what_argo_cd_writes_is_what_is_written() -> None:
    obj = written_by_argo_cd()
    app = samples.read(obj)
    assert status.build(app, reports.report_of(obj, app), obj["status"], namespace="argocd", now=NOW) == obj["status"]
    assert app.synced_revision == joined(obj["status"]["sync"]["revisions"])
    assert parted(app.history[0].revision) == tuple(obj["status"]["sync"]["revisions"])


def test_an_operation_of_our_own_is_written_like_argo_cds() -> None:
    obj = written_by_argo_cd()
    operation = obj["status"]["operationState"]["operation"]
    ours = Operation(revision=joined(operation["sync"]["revisions"]), prune=True, source=tuple(SOURCES), automated=True, retry_limit=5)
    assert status.operation_field(samples.read(obj), ours) == operation


def test_a_rollback_names_sources_which_hold_for_it() -> None:
    obj = written_by_argo_cd()
    before = [{**CHART, "path": "old"}, VALUES]
    obj["operation"] = {"sync": {"source": {"repoURL": ""}, "sources": before, "revisions": ["a", "b"]}, "initiatedBy": {"username": "ann"}}
    app = samples.read(obj)
    assert app.requested is not None
    assert app.requested.problem == ""
    assert app.requested.source == tuple(before)
    assert parted(app.requested.revision) == ("a", "b")
    assert [source.path for source in app.operation_sources] == ["old", ""]


def test_a_rollback_to_sources_that_cannot_be_read_says_which() -> None:
    obj = written_by_argo_cd()
    obj["operation"] = {"sync": {"sources": [CHART, {"repoURL": "https://c", "path": "/etc"}]}}
    app = samples.read(obj)
    assert app.requested is not None
    assert app.requested.problem.startswith("operation.sync.sources[1].path: expected a path relative to the root")
    assert app.problems == ()


def test_an_operation_may_leave_a_revision_to_its_source() -> None:
    obj = application()
    obj["operation"] = {"sync": {"revisions": ["", "dev"]}}
    app = samples.read(obj)
    assert app.requested is not None
    assert parted(app.requested.revision) == ("", "dev")
