"""A project that restricts anything is never treated as one that restricts nothing."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.argo import install
from homeostat.argo.projects import problem_of, read_project
from tests.argo import samples

OPEN: dict[str, Any] = {
    "sourceRepos": ["*"],
    "destinations": [{"server": "*", "namespace": "*"}],
    "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
}


def problem(**fields: Any) -> str:
    project = read_project({"metadata": {"name": "team"}, "spec": {**OPEN, **fields}})
    return problem_of({"team": project}, "team")


def test_the_default_project_allows_everything() -> None:
    default = next(obj for obj in install.manifests() if obj["kind"] == "AppProject")
    assert read_project(default).restrictions == ()
    assert problem() == ""
    assert problem(description="ours", roles=[{"name": "x", "policies": ["p, a, b, c, d, allow"]}], orphanedResources={"warn": True}) == ""
    assert problem(namespaceResourceWhitelist=[{"group": "*", "kind": "*"}], sourceNamespaces=["team"]) == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sourceRepos", []),
        ("sourceRepos", ["https://git.example/*"]),
        ("sourceRepos", ["*", "!https://git.example/*"]),
        ("destinations", []),
        ("destinations", [{"server": "*", "namespace": "team-*"}]),
        ("destinations", [{"server": "https://kubernetes.default.svc", "namespace": "*"}]),
        ("destinations", [{"server": "*", "namespace": "*"}, {"server": "*", "namespace": "!kube-system"}]),
        ("clusterResourceWhitelist", []),
        ("clusterResourceWhitelist", [{"group": "*", "kind": "*", "name": "team-*"}]),
        ("clusterResourceBlacklist", [{"group": "", "kind": "Namespace"}]),
        ("namespaceResourceWhitelist", []),
        ("namespaceResourceBlacklist", [{"group": "", "kind": "Secret"}]),
        ("syncWindows", [{"kind": "deny"}]),
        ("signatureKeys", [{"keyID": "4AEE18F83AFDEB23"}]),
        ("sourceIntegrity", {"git": {"policies": []}}),
        ("permitOnlyProjectScopedClusters", True),
        ("destinationServiceAccounts", [{"server": "*", "defaultServiceAccount": "x"}]),
        ("sourceRepos", "*"),
    ],
)
def test_a_restriction_is_named_and_its_apps_are_refused(field: str, value: Any) -> None:
    said = problem(**{field: value})
    assert said.startswith("project team restricts")
    assert field in said
    assert said.endswith("enforcing projects is not supported yet, so this app is not synced")


def test_a_published_project_restricts_and_its_apps_are_refused() -> None:
    project = read_project(samples.seed("team-project"))
    assert project.restrictions == ("sourceRepos", "destinations", "clusterResourceWhitelist", "namespaceResourceBlacklist", "syncWindows")
