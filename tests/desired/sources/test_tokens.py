"""Signing in to Git with tokens of GitHub Apps, Azure and Google, had from servers that check what they are told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from homeostat.desired.sources.credentials import Credentials, credentials_for
from homeostat.desired.sources.errors import RefusedError, RepositoryMissingError, UnauthorisedError, UnreachableError
from homeostat.desired.sources.git import GitSources, Repo
from homeostat.desired.sources.remote import Limits
from tests.desired.sources.issuing import Entra, GitHub, Google, Issuer, RsaKey, TokenGitServer
from tests.desired.sources.worktree import Worktree


async def filled(git: TokenGitServer, folder: Path) -> str:
    work = await Worktree(folder / "work", str(await git.create("team/web"))).create()
    return await work.commit({"a": "1"})


def repo(git: TokenGitServer, **fields: str) -> Repo:
    url = git.url("team/web")
    secret = {
        "metadata": {"name": "s", "namespace": "argocd", "labels": {"argocd.argoproj.io/secret-type": "repository"}},
        "stringData": {"url": url, **fields},
    }
    return Repo(url, credentials_for(url, [secret], {}, ""))


def of_app(issuer: Issuer, key: str = "", installation: str = "42") -> Repo:
    fields = {"githubAppID": "7", "githubAppPrivateKey": key or issuer.key.pem, "githubAppEnterpriseBaseUrl": f"{issuer.url}/api/v3/"}
    return repo(issuer.git, **fields, **({"githubAppInstallationID": installation} if installation else {}))


async def test_a_github_app_signs_in_with_the_token_of_its_installation(tmp_path: Path, sources: GitSources) -> None:
    async with TokenGitServer(tmp_path / "served", "basic x-access-token") as git, GitHub(git) as issuer:
        commit = await filled(git, tmp_path)
        assert (await sources.resolve(of_app(issuer), "main")).commit == commit
        assert issuer.asked == ["/api/v3/app/installations/42/access_tokens"]
        assert {seen.status for seen in git.seen} == {200}, "sent with the first request"
        await asyncio.gather(*(sources.resolve(of_app(issuer), "main", fresh=True) for _ in range(50)))
        assert len(issuer.asked) == 1, "a token that lasts is used again"


async def test_the_installation_is_found_for_the_repository(tmp_path: Path, sources: GitSources) -> None:
    async with TokenGitServer(tmp_path / "served", "basic x-access-token") as git, GitHub(git) as issuer:
        commit = await filled(git, tmp_path)
        assert (await sources.resolve(of_app(issuer, installation=""), "main")).commit == commit
        assert issuer.asked == ["/api/v3/repos/team/web/installation", "/api/v3/app/installations/42/access_tokens"]


async def test_a_token_that_ends_soon_is_renewed_before_it_ends(tmp_path: Path, sources: GitSources) -> None:
    async with TokenGitServer(tmp_path / "served", "basic x-access-token") as git, GitHub(git, lasts=240) as issuer:
        await filled(git, tmp_path)
        for number in (1, 2, 3):
            await sources.resolve(of_app(issuer), "main", fresh=True)
            assert len(issuer.asked) == number


async def test_a_token_that_was_revoked_is_replaced(tmp_path: Path) -> None:
    async with (
        TokenGitServer(tmp_path / "served", "basic x-access-token") as git,
        GitHub(git) as issuer,
        GitSources(tmp_path / "cache", limits=Limits(first_pause=0)) as sources,
    ):
        commit = await filled(git, tmp_path)
        await sources.resolve(of_app(issuer), "main")
        git.valid.clear()
        with pytest.raises(UnauthorisedError) as refused:
            await sources.resolve(of_app(issuer), "main", fresh=True)
        assert "s3cret-token" not in str(refused.value)
        assert (await sources.resolve(of_app(issuer), "main", fresh=True)).commit == commit


async def test_what_is_wrong_with_a_github_app_is_said_and_no_key_shows(tmp_path: Path) -> None:
    other = RsaKey()
    async with (
        TokenGitServer(tmp_path / "served", "basic x-access-token") as git,
        GitHub(git) as issuer,
        GitSources(tmp_path / "cache", limits=Limits(first_pause=0)) as sources,
    ):
        await filled(git, tmp_path)
        with pytest.raises(UnauthorisedError, match="A token of GitHub App 7 for its installation 42") as refused:
            await sources.resolve(of_app(issuer, key=other.pem), "main")
        assert "PRIVATE KEY" not in str(refused.value)
        with pytest.raises(RepositoryMissingError, match="installation 43"):
            await sources.resolve(of_app(issuer, installation="43"), "main")
        with pytest.raises(UnauthorisedError, match="githubAppPrivateKey cannot be read") as refused:
            await sources.resolve(of_app(issuer, key="rubbish-key"), "main")
        assert "rubbish-key" not in str(refused.value)
        shown = repr(of_app(issuer).credentials)
        assert "PRIVATE KEY" not in shown


async def test_an_issuer_that_is_down_is_no_answer_about_the_repository(tmp_path: Path, sources: GitSources) -> None:
    async with TokenGitServer(tmp_path / "served", "basic x-access-token") as git:
        await filled(git, tmp_path)
        async with GitHub(git) as issuer:
            wanted = of_app(issuer)
        with pytest.raises(UnreachableError, match="A token of GitHub App 7"):
            await sources.resolve(wanted, "main")
        assert sources.again_in(wanted) is not None
        assert not git.seen


async def test_an_issuer_at_the_address_of_a_clouds_metadata_is_refused(tmp_path: Path, sources: GitSources) -> None:
    async with TokenGitServer(tmp_path / "served", "basic x-access-token") as git, GitHub(git) as issuer:
        wanted = of_app(issuer)
        assert wanted.credentials is not None
        key = issuer.key.pem
        wanted = repo(
            git, githubAppID="7", githubAppPrivateKey=key, githubAppInstallationID="1", githubAppEnterpriseBaseUrl="http://169.254.169.254"
        )
        with pytest.raises(RefusedError, match="link-local"):
            await sources.resolve(wanted, "main")


async def test_an_azure_service_principal_signs_in_with_a_bearer_token(tmp_path: Path) -> None:
    async with (
        TokenGitServer(tmp_path / "served", "bearer") as git,
        Entra(git) as issuer,
        GitSources(tmp_path / "cache", limits=Limits(first_pause=0)) as sources,
    ):
        commit = await filled(git, tmp_path)
        fields = {"azureServicePrincipalTenantId": "t1", "azureServicePrincipalClientId": "c1", "azureActiveDirectoryEndpoint": issuer.url}
        wanted = repo(git, **fields, azureServicePrincipalClientSecret="hush-hush")
        assert (await sources.resolve(wanted, "main")).commit == commit
        await sources.resolve(wanted, "main", fresh=True)
        assert issuer.asked == ["/t1/oauth2/v2.0/token"]
        with pytest.raises(UnauthorisedError, match="Microsoft Entra") as refused:
            await sources.resolve(repo(git, **fields, azureServicePrincipalClientSecret="hush-wrong"), "main")
        assert "hush" not in str(refused.value)


async def test_azure_workload_identity_is_that_of_our_own_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        TokenGitServer(tmp_path / "served", "bearer") as git,
        Entra(git) as issuer,
        GitSources(tmp_path / "cache", limits=Limits(first_pause=0)) as sources,
    ):
        commit = await filled(git, tmp_path)
        wanted = repo(git, useAzureWorkloadIdentity="true")
        with pytest.raises(UnauthorisedError, match="this process has none"):
            await sources.resolve(wanted, "main")
        (tmp_path / "token").write_text("pod-token\n")
        monkeypatch.setenv("AZURE_TENANT_ID", "t1")
        monkeypatch.setenv("AZURE_CLIENT_ID", "c1")
        monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", f"{issuer.url}/")
        assert (await sources.resolve(wanted, "main")).commit == commit


async def test_a_google_service_account_signs_in_with_its_address_and_a_token(tmp_path: Path) -> None:
    async with (
        TokenGitServer(tmp_path / "served", "basic git@project.example") as git,
        Google(git) as issuer,
        GitSources(tmp_path / "cache", limits=Limits(first_pause=0)) as sources,
    ):
        commit = await filled(git, tmp_path)
        key = {"type": "service_account", "client_email": "git@project.example", "private_key_id": "k1", "token_uri": f"{issuer.url}/token"}
        wanted = repo(git, gcpServiceAccountKey=json.dumps(key | {"private_key": issuer.key.pem}))
        assert (await sources.resolve(wanted, "main")).commit == commit
        with pytest.raises(UnauthorisedError, match=r"Google service account is refused \(invalid_grant\)"):
            await sources.resolve(repo(git, gcpServiceAccountKey=json.dumps(key | {"private_key": RsaKey().pem})), "main")


async def test_a_password_beside_an_issuer_is_used(tmp_path: Path) -> None:
    async with TokenGitServer(tmp_path / "served", "bearer") as git, GitHub(git) as issuer:
        fields = {"githubAppID": "7", "githubAppPrivateKey": issuer.key.pem}
        assert repo(git, **fields, password="p").credentials == Credentials(password="p")
