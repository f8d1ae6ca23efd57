"""Which Secret signs in to a Helm repository or a registry."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from homeostat.desired.sources.chart_credentials import chart_repository, chart_repository_names
from homeostat.model.errors import InvalidError


def secret(name: str, /, *, kind: str = "repository", **fields: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "argocd", "labels": {"argocd.argoproj.io/secret-type": kind}}
    return {"metadata": metadata, "data": {key: base64.b64encode(value.encode()).decode() for key, value in fields.items()}}


HELM = secret("helm", type="helm", url="https://charts.example/stable", username="helm", password="p", name="stable")
OCI = secret("oci", type="helm", enableOCI="true", url="r.example:5000/charts", username="oci", password="p", name="internal")


def user(url: str, *secrets: dict[str, Any], project: str = "default") -> str:
    return chart_repository(url, secrets, {}, project=project).credentials.username


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://charts.example/stable", "helm"),
        ("https://charts.example/stable/", "helm"),
        ("https://CHARTS.example/stable", "helm"),
        ("https://charts.example/stable2", ""),
        ("https://charts.example.evil/stable", ""),
        ("http://charts.example/stable", ""),
        ("r.example:5000/charts", "oci"),
        ("oci://r.example:5000/charts", "oci"),
        ("oci://r.example:5000/other", "oci"),
        ("oci://r.example/charts", ""),
        ("https://r.example:5000/charts", ""),
    ],
)
def test_a_secret_signs_in_to_its_own_repository_and_a_registrys_to_all_of_its_host(url: str, name: str) -> None:
    assert user(url, HELM, OCI) == name


def test_a_secret_of_git_is_none_of_charts() -> None:
    assert user("https://charts.example/stable", secret("git", type="git", url="https://charts.example/stable", username="git")) == ""
    assert user("https://charts.example/stable", secret("git", url="https://charts.example/stable", username="git")) == ""


def test_a_secret_of_the_project_wins_and_one_of_another_project_is_never_used() -> None:
    own = secret("own", type="helm", url="https://charts.example/stable", username="own", project="shop")
    assert user("https://charts.example/stable", HELM, own, project="shop") == "own"
    assert user("https://charts.example/stable", HELM, own, project="other") == "helm"
    assert user("https://charts.example/stable", own, project="other") == ""
    there = secret("there", type="oci", url="oci://r.example/a", username="there", project="shop")
    assert user("oci://r.example/b", there, project="other") == ""


def test_the_longest_template_signs_in_where_the_repository_does_not_say_how() -> None:
    bare = secret("bare", type="helm", url="https://charts.example/stable/web", name="x", insecure="true")
    short = secret("short", kind="repo-creds", type="helm", url="https://charts.example", username="short")
    long = secret("long", kind="repo-creds", type="helm", url="https://charts.example/stable", username="long")
    found = chart_repository("https://charts.example/stable/web", [bare, short, long], {}).credentials
    assert (found.username, found.insecure) == ("long", True)
    assert user("https://charts.example/other", bare, short, long) == "short"
    assert user("https://charts.example.evil/x", short) == ""
    assert user("https://charts.example/stableware", long) == ""
    assert user("oci://r.example/a/b", secret("t", kind="repo-creds", type="oci", url="oci://r.example/a", username="t")) == "t"


def test_everything_that_a_secret_says_is_read() -> None:
    told = secret("all", type="helm", url="https://c.example/x", bearerToken="b", tlsClientCertData="c", tlsClientCertKey="k",
                  insecure="true", proxy="http://proxy:3128", noProxy="a,b", insecureOCIForceHttp="true")  # fmt: skip
    found = chart_repository("https://c.example/x", [told], {"c.example": "CA"}, everywhere=True)
    credentials = found.credentials
    assert (credentials.bearer_token, credentials.tls_client_cert, credentials.tls_client_key) == ("b", "c", "k")
    assert (credentials.insecure, credentials.proxy, credentials.no_proxy, credentials.plain_http) == (
        True,
        "http://proxy:3128",
        "a,b",
        True,
    )
    assert (credentials.ca, found.everywhere) == ("CA", True)
    assert "proxy:3128" not in repr(found) + repr(credentials)


def test_an_authority_is_found_by_host_with_and_without_the_port() -> None:
    assert chart_repository("oci://r.example:5000/x", [], {"r.example": "CA"}).credentials.ca == "CA"
    assert chart_repository("https://r.example:5000/x", [], {"r.example:5000": "CA"}).credentials.ca == "CA"
    assert chart_repository("https://other/x", [], {"r.example": "CA"}).credentials.ca == ""


def test_a_field_that_is_no_base64_is_an_error_without_its_value() -> None:
    broken = secret("broken", type="helm", url="https://c.example/x")
    broken["data"]["password"] = "pl@in-secret"
    with pytest.raises(InvalidError, match="argocd/broken: field password") as refused:
        chart_repository("https://c.example/x", [broken], {})
    assert "pl@in-secret" not in str(refused.value)


def test_names_are_of_the_repositories_that_the_project_may_use() -> None:
    foreign = secret("foreign", type="helm", url="https://f.example", name="stable", project="other")
    own = secret("own", type="helm", url="https://o.example", name="stable", project="shop")
    assert chart_repository_names([HELM, OCI, foreign]) == {
        "stable": "https://charts.example/stable",
        "internal": "oci://r.example:5000/charts",
    }
    assert chart_repository_names([HELM, foreign, own], project="shop")["stable"] == "https://o.example"
