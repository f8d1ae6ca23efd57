"""Which Secret signs in to which repository."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from homeostat.desired.sources.credentials import Credentials, credentials_for
from homeostat.desired.sources.errors import RefusedError
from homeostat.desired.sources.issuers import AzurePrincipal, AzureWorkload, GitHubApp
from homeostat.model.errors import InvalidError


def secret(name: str, kind: str = "repository", **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "argocd", "labels": {"argocd.argoproj.io/secret-type": kind}},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


URL = "https://git.example/team/web"


def test_a_repository_secret_matches_every_spelling_of_its_address() -> None:
    secrets = [secret("a", url="https://Git.example/Team/web.git", username="u", password="p"), secret("b", url=f"{URL}2", password="q")]
    assert credentials_for(URL, secrets, {}, "") == Credentials(username="u", password="p")
    assert credentials_for("https://git.example/team/other", secrets, {}, "") is None


def test_scp_form_and_ssh_address_are_the_same() -> None:
    found = credentials_for(
        "git@git.example:team/web.git", [secret("a", url="ssh://git@git.example/team/web", sshPrivateKey="k")], {}, "hosts"
    )
    assert found == Credentials(ssh_private_key="k", known_hosts="hosts")


def test_the_longest_template_signs_in_and_the_repository_keeps_its_own_settings() -> None:
    secrets = [
        secret("short", "repo-creds", url="https://git.example", password="short"),
        secret("long", "repo-creds", url="https://git.example/team", username="u", password="long"),
        secret("other", "repo-creds", url="https://git.example/team/other", password="other"),
        secret("repo", url=URL, insecure="true", proxy="http://proxy:3128", noProxy="10.0.0.0/8", enableLfs="true"),
    ]
    assert credentials_for(URL, secrets, {}, "") == Credentials(
        username="u", password="long", insecure=True, proxy="http://proxy:3128", no_proxy="10.0.0.0/8", lfs=True
    )


def test_a_repository_with_its_own_sign_in_takes_nothing_from_a_template() -> None:
    secrets = [secret("t", "repo-creds", url="https://git.example", username="x", password="y"), secret("r", url=URL, bearerToken="token")]
    assert credentials_for(URL, secrets, {}, "") == Credentials(bearer_token="token")


def test_a_template_for_a_host_does_not_sign_in_at_a_longer_host() -> None:
    secrets = [secret("t", "repo-creds", url="https://git.example", password="y")]
    assert credentials_for("https://git.example.evil/x", secrets, {}, "") is None
    assert credentials_for("https://git.example:8443/x", secrets, {}, "") is None
    assert credentials_for("https://git.example/x", secrets, {}, "") is not None


def test_a_secret_of_the_project_wins_and_one_of_another_project_is_never_used() -> None:
    common, mine, theirs = (
        secret(name, url=URL, password=name, project=project) for name, project in [("c", ""), ("m", "mine"), ("t", "theirs")]
    )
    assert credentials_for(URL, [theirs], {}, "", project="mine") is None
    assert credentials_for(URL, [common, theirs, mine], {}, "", project="mine") == Credentials(password="m")
    assert credentials_for(URL, [common, theirs], {}, "", project="mine") == Credentials(password="c")


def test_the_authority_of_the_host_and_the_known_hosts_are_given_to_their_own_transport() -> None:
    assert credentials_for("https://git.example:8443/x", [], {"git.example": "PEM"}, "hosts") == Credentials(ca="PEM")
    assert credentials_for("git@git.example:x", [], {"git.example": "PEM"}, "hosts") == Credentials(known_hosts="hosts")
    assert credentials_for(URL, [], {"other.example": "PEM"}, "hosts") is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"githubAppID": "7"}, "a GitHub App needs the fields githubAppID and githubAppPrivateKey"),
        ({"githubAppID": "seven", "githubAppPrivateKey": "k"}, "field githubAppID: expected a whole number"),
        ({"azureServicePrincipalClientId": "c"}, "needs the fields azureServicePrincipalTenantId, azureServicePrincipalClientSecret too"),
        ({"gcpServiceAccountKey": "hunter2"}, "field gcpServiceAccountKey: expected the JSON key of a service account"),
        (
            {"gcpServiceAccountKey": '{"type": "external_account"}'},
            "field gcpServiceAccountKey: expected the JSON key of a service account",
        ),
        ({"depth": "-1"}, "field depth: expected a whole number"),
    ],
)
def test_a_sign_in_that_is_not_whole_is_an_error_of_its_own_repository_only(fields: dict[str, str], said: str) -> None:
    secrets = [secret("a", url=URL, **fields), secret("b", url="https://git.example/team/other", password="p")]
    with pytest.raises(InvalidError, match=f"argocd/a: .*{said}") as error:
        credentials_for(URL, secrets, {}, "")
    assert "hunter2" not in str(error.value)
    assert credentials_for("https://git.example/team/other", secrets, {}, "") == Credentials(password="p")


def test_each_issuer_is_read_and_shows_no_secret() -> None:
    app = credentials_for(URL, [secret("a", url=URL, githubAppID="7", githubAppPrivateKey="k3y")], {}, "")
    assert app == Credentials(issuer=GitHubApp(7, 0, "k3y", "https://api.github.com"))
    template = secret("t", "repo-creds", url="https://git.example", useAzureWorkloadIdentity="true")
    assert credentials_for(URL, [template, secret("a", url=URL, depth="3")], {}, "") == Credentials(issuer=AzureWorkload(), depth=3)
    fields = {"azureServicePrincipalTenantId": "t", "azureServicePrincipalClientId": "c", "azureServicePrincipalClientSecret": "s3cret"}
    principal = credentials_for(URL, [secret("a", url=URL, **fields)], {}, "")
    assert principal == Credentials(issuer=AzurePrincipal("t", "c", "s3cret", "https://login.microsoftonline.com"))
    assert "k3y" not in repr(app)
    assert "s3cret" not in repr(principal)


def test_secrets_of_other_types_are_passed_over() -> None:
    helm, oci = secret("h", url=URL, type="helm", password="p"), secret("o", url=URL, type="oci", password="p")
    assert credentials_for(URL, [helm, oci, secret("c", "cluster", url=URL, password="p"), {"metadata": None}], {}, "") is None


def test_a_field_that_cannot_be_read_names_itself_and_not_its_value() -> None:
    broken = secret("a", url=URL)
    broken["data"]["password"] = "hunter2!"
    with pytest.raises(InvalidError, match="argocd/a: field password") as error:
        credentials_for(URL, [broken], {}, "")
    assert "hunter2" not in str(error.value)


def test_string_data_of_a_manifest_is_read_too() -> None:
    manifest = {
        "metadata": {"name": "a", "labels": {"argocd.argoproj.io/secret-type": "repository"}},
        "stringData": {"url": URL, "password": "p"},
    }
    assert credentials_for(URL, [manifest], {}, "") == Credentials(password="p")


def test_a_hostile_address_is_refused() -> None:
    with pytest.raises(RefusedError):
        credentials_for("ext::sh", [], {}, "")


def test_secret_parts_do_not_show() -> None:
    shown = repr(
        Credentials(username="u", password="p4ss", bearer_token="t0ken", ssh_private_key="k3y", tls_client_key="t1s", proxy="pr0xy")
    )
    assert not any(part in shown for part in ("p4ss", "t0ken", "k3y", "t1s", "pr0xy"))
