"""A project that restricts anything is never treated as one that restricts nothing; its sync windows go to the apps that they are about."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.argo import install
from homeostat.argo.projects import problem_of, read_project
from homeostat.argo.read import read_app
from homeostat.model.app import App
from homeostat.model.integrity import GitPolicy
from homeostat.model.settings import Settings
from homeostat.model.windows import permitted
from tests.argo import samples

OPEN: dict[str, Any] = {
    "sourceRepos": ["*"],
    "destinations": [{"server": "*", "namespace": "*"}],
    "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
}


def problem(**fields: Any) -> str:
    project = read_project({"metadata": {"name": "team"}, "spec": {**OPEN, **fields}})
    return problem_of({"team": project}, "team")


def app_with(*windows: dict[str, Any], name: str = "web", **destination: str) -> App:
    """The app ``name`` of a project with these sync windows."""
    project = read_project({"metadata": {"name": "team"}, "spec": {**OPEN, "syncWindows": list(windows)}})
    to = {"server": "https://kubernetes.default.svc", "namespace": "shop"} | destination
    spec = {"project": "team", "source": {"repoURL": "https://git.example/x.git", "path": "."}, "destination": to}
    obj = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name, "namespace": "argocd"}, "spec": spec}
    return read_app(obj, Settings(), {"team": project})


def test_the_default_project_allows_everything() -> None:
    default = next(obj for obj in install.manifests() if obj["kind"] == "AppProject")
    assert read_project(default).restrictions == ()
    assert problem() == ""
    assert problem(description="ours", roles=[{"name": "x", "policies": ["p, a, b, c, d, allow"]}], orphanedResources={"warn": True}) == ""
    assert problem(namespaceResourceWhitelist=[{"group": "*", "kind": "*"}], sourceNamespaces=["team"]) == ""
    assert problem(syncWindows=[{"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]}]) == ""


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
        ("permitOnlyProjectScopedClusters", True),
        ("destinationServiceAccounts", [{"server": "*", "defaultServiceAccount": "x"}]),
        ("sourceRepos", "*"),
        ("syncWindows", [{"kind": 7}]),
    ],
)
def test_a_restriction_is_named_and_its_apps_are_refused(field: str, value: Any) -> None:
    said = problem(**{field: value})
    assert said.startswith("project team restricts")
    assert field in said
    assert said.endswith("enforcing projects is not supported yet, so this app is not synced")


def test_a_published_project_restricts_and_its_apps_are_refused() -> None:
    project = read_project(samples.seed("team-project"))
    assert project.restrictions == ("sourceRepos", "destinations", "clusterResourceWhitelist", "namespaceResourceBlacklist")
    assert [str(window) for window in project.windows] == ["deny:0 22 * * *:1h"]


def test_an_app_has_the_windows_that_are_about_it_and_no_others() -> None:
    about = {"kind": "deny", "schedule": "0 2 * * *", "duration": "1h", "applications": ["w*"]}
    other = {"kind": "deny", "schedule": "0 3 * * *", "duration": "1h", "applications": ["x*"]}
    assert [str(window) for window in app_with(about, other).windows] == ["deny:0 2 * * *:1h"]
    assert app_with(other).windows == ()


def test_every_field_of_a_window_is_read() -> None:
    fields = {
        "kind": "allow",
        "schedule": "@daily",
        "duration": "90m",
        "applications": ["web"],
        "namespaces": ["shop"],
        "clusters": ["https://kubernetes.default.svc"],
        "manualSync": True,
        "timeZone": "Europe/Amsterdam",
        "andOperator": True,
        "syncOverrun": True,
        "description": "Ticket 123",
    }
    (window,) = app_with(fields).windows
    assert (window.schedule, window.duration, window.time_zone, window.description) == ("@daily", "90m", "Europe/Amsterdam", "Ticket 123")
    assert (window.manual_sync, window.and_operator, window.sync_overrun) == (True, True, True)


def test_a_window_that_cannot_be_read_lets_nothing_through_and_says_where_it_is() -> None:
    good = {"kind": "allow", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]}
    app = app_with(good, {**good, "schedule": "0 2 * *"})
    assert app.problems == ()
    permission = permitted(app.windows, manual=False, now=0)
    assert not permission.allowed
    assert "project team: spec.syncWindows[1].schedule: expected five fields" in permission.reason


def integrity(*policies: dict[str, Any]) -> dict[str, Any]:
    return {"sourceIntegrity": {"git": {"policies": list(policies)}}}


STRICT = {
    "repos": [{"url": "https://git.example/*"}, {"url": "!https://git.example/open"}],
    "gpg": {"mode": "strict", "keys": ["4AEE18F83AFDEB23"]},
}


@pytest.mark.parametrize(
    ("fields", "policies"),
    [
        ({}, ()),
        (integrity(), ()),
        ({"signatureKeys": [{"keyID": "4AEE18F83AFDEB23"}]}, (GitPolicy(("*",), "head", ("4AEE18F83AFDEB23",)),)),
        (integrity(STRICT), (GitPolicy(("https://git.example/*", "!https://git.example/open"), "strict", ("4AEE18F83AFDEB23",)),)),
        (
            {"signatureKeys": [{"keyID": "1111111111111111"}], **integrity(STRICT)},
            (GitPolicy(("https://git.example/*", "!https://git.example/open"), "strict", ("4AEE18F83AFDEB23",)),),
        ),
    ],
)
def test_an_app_knows_which_signatures_its_project_asks_for(fields: dict[str, Any], policies: tuple[GitPolicy, ...]) -> None:
    project = read_project({"metadata": {"name": "team"}, "spec": {**OPEN, **fields}})
    spec = {"project": "team", "source": {"repoURL": "https://git.example/x", "path": "."}, "destination": {"name": "in-cluster"}}
    app = read_app({"metadata": {"name": "web", "namespace": "argocd"}, "spec": spec}, Settings(), {"team": project})
    assert (app.problems, app.signatures) == ((), policies)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (integrity(STRICT | {"gpg": {"mode": "Strict", "keys": []}}), "unknown GPG mode 'Strict'"),
        (integrity(STRICT | {"repos": [{"url": "https://{git.example/*"}]}), "https://{git.example/*"),
        (integrity(STRICT | {"gpg": None}), "gpg"),
        (integrity({"repos": [{"url": "*"}]}), "gpg"),
        ({"sourceIntegrity": {}}, "git"),
        ({"sourceIntegrity": []}, "sourceIntegrity"),
        ({"signatureKeys": ["4AEE18F83AFDEB23"]}, "signatureKeys"),
        ({"signatureKeys": [{}]}, "keyID"),
    ],
)
def test_signatures_that_nobody_can_ask_for_refuse_the_apps_of_a_project(fields: dict[str, Any], said: str) -> None:
    told = problem(**fields)
    assert told.startswith("project team")
    assert said in told
