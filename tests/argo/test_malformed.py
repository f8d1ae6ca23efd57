"""Whatever stands in an Application, reading it answers an app and never raises."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from homeostat.argo import status
from homeostat.argo.projects import read_project
from homeostat.argo.settings import read_settings
from homeostat.model.health import Health, HealthStatus
from homeostat.model.report import Report
from homeostat.model.sync import SyncStatus
from tests.argo import samples

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=12
)

FULL = samples.recorded("broken-schema")


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path and path[0] != "metadata" else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [below for name, inner in items for below in _paths(inner, (*path, name))]


@given(st.sampled_from(_paths(FULL)), JSON)
def test_an_application_with_anything_anywhere_is_read(path: tuple[Any, ...], value: Any) -> None:
    obj = copy.deepcopy(FULL)
    place = obj
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    app = samples.read(obj)
    assert app.id == "broken-schema"
    assert not app.problems or app.sources == () or path[0] == "spec"


@given(JSON, JSON, JSON)
def test_an_application_of_nothing_but_nonsense_is_read(spec: Any, operation: Any, stands: Any) -> None:
    obj = {"apiVersion": "v1", "kind": "Application", "metadata": {"name": "x"}, "spec": spec, "operation": operation, "status": stands}
    app = samples.read(obj)
    assert app.problems


@given(JSON)
def test_a_status_of_nonsense_is_replaced(stands: Any) -> None:
    app = samples.read(samples.application())
    report = Report(SyncStatus.SYNCED, Health(HealthStatus.HEALTHY), revision="abc")
    old = stands if isinstance(stands, dict) else {}
    new = status.build(app, report, old, namespace="argocd", now="2026-11-21T08:00:00Z")
    assert new["sync"]["status"] == "Synced"


@given(JSON)
def test_a_project_of_nonsense_restricts(spec: Any) -> None:
    project = read_project({"metadata": {"name": "x"}, "spec": spec})
    assert project.restrictions


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "resource.exclusions",
                "resource.customizations",
                "timeout.reconciliation",
                "resource.customizations.ignoreDifferences.all",
                "resource.customizations.health._",
                "resource.compareoptions",
            ]
        ),
        st.text(),
    )
)
def test_settings_of_nonsense_keep_the_defaults(data: dict[str, str]) -> None:
    settings = read_settings({"argocd-cm": {"data": data}}, namespace="argocd")
    assert settings.namespace == "argocd"
