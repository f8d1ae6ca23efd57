"""Signing in over HTTP and HTTPS: passwords, tokens, authorities, redirects; and where credentials must never be found."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homeostat.box.gitserver import GitServer
from homeostat.desired.sources.credentials import Credentials, credentials_for
from homeostat.desired.sources.errors import IdentityError, RefusedError, SourceError, UnauthorisedError
from homeostat.desired.sources.git import GitSources, Repo
from tests.desired.sources.proxies import Proxy
from tests.desired.sources.servers import RedirectingServer
from tests.desired.sources.worktree import Worktree

PASSWORD = "correct-horse/battery@staple"


async def filled(server: GitServer, folder: Path) -> str:
    """Put one commit into the repository ``web`` of ``server``; its id."""
    work = await Worktree(folder / f"work-{server.port}", str(await server.create("web"))).create()
    return await work.commit({"a": "1"})


@pytest.fixture
async def private(tmp_path: Path) -> AsyncIterator[GitServer]:
    async with GitServer(tmp_path / "private", username="bob", password=PASSWORD) as server:
        yield server


async def test_a_password_signs_in(tmp_path: Path, private: GitServer, sources: GitSources) -> None:
    commit = await filled(private, tmp_path)
    repo = Repo(private.url("web"), Credentials(username="bob", password=PASSWORD))
    assert (await sources.resolve(repo, "main")).commit == commit
    assert {seen.status for seen in private.seen} == {200}, "sent with the first request: no round trip is lost"


async def test_a_password_in_the_address_signs_in(tmp_path: Path, private: GitServer, sources: GitSources) -> None:
    commit = await filled(private, tmp_path)
    url = private.url("web").replace("://", "://bob:correct-horse%2Fbattery%40staple@")
    assert (await sources.resolve(Repo(url), "main")).commit == commit


@pytest.mark.parametrize(
    "credentials",
    [None, Credentials(username="bob", password="wrong-secret"), Credentials(username="eve", password=PASSWORD),
     Credentials(bearer_token="wrong-secret"), Credentials(username="bob", password="wrong-secret", force_basic_auth=True)],
    ids=["none", "wrong password", "wrong user", "wrong kind", "forced"],
)  # fmt: skip
async def test_a_wrong_sign_in_is_refused_and_not_repeated_in_the_message(
    tmp_path: Path, private: GitServer, sources: GitSources, credentials: Credentials | None
) -> None:
    await filled(private, tmp_path)
    with pytest.raises(UnauthorisedError, match="refused the sign-in") as refused:
        await sources.resolve(Repo(private.url("web"), credentials), "main")
    assert "wrong-secret" not in str(refused.value)
    assert PASSWORD not in str(refused.value)


async def test_a_token_signs_in(tmp_path: Path, sources: GitSources) -> None:
    async with GitServer(tmp_path / "private", token="t0ken") as server:
        commit = await filled(server, tmp_path)
        assert (await sources.resolve(Repo(server.url("web"), Credentials(bearer_token="t0ken")), "main")).commit == commit


async def test_a_copy_on_disk_is_not_a_permission(tmp_path: Path, private: GitServer, sources: GitSources) -> None:
    commit = await filled(private, tmp_path)
    await sources.resolve(Repo(private.url("web"), Credentials(username="bob", password=PASSWORD)), "main")
    stranger = Repo(private.url("web"))
    with pytest.raises(UnauthorisedError):
        await sources.resolve(stranger, commit)
    with pytest.raises(UnauthorisedError):
        await sources.tree(stranger, commit)


async def test_a_token_with_a_line_break_is_refused(private: GitServer, sources: GitSources) -> None:
    with pytest.raises(RefusedError, match="control characters"):
        await sources.resolve(Repo(private.url("web"), Credentials(bearer_token="t0ken\nX-Admin: true")), "main")


async def test_no_credential_stays_on_disk_or_stands_on_a_command_line(
    tmp_path: Path, private: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = await filled(private, tmp_path)
    real = shutil.which("git")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "git").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {tmp_path}/arguments\nexec {real} "$@"\n')
    (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    everything = Credentials(username="bob", password=PASSWORD, ssh_private_key="k3y", tls_client_cert="", ca="", proxy="")
    async with GitSources(tmp_path / "cache") as sources:
        assert (await sources.resolve(Repo(private.url("web"), everything), "main")).commit == commit
        assert list((tmp_path / "cache" / "private").iterdir()) == []
    arguments = (tmp_path / "arguments").read_text()
    assert "fetch" in arguments
    places = [arguments.encode(), *(path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file())]
    assert not [place for place in places if PASSWORD.encode() in place or b"Authorization" in place]


async def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    left = tmp_path / "cache" / "private" / "999999999-left"
    left.mkdir(parents=True)
    (left / "identity").write_text("key")
    async with GitSources(tmp_path / "cache"):
        assert not left.exists()


async def test_a_password_follows_a_redirect_on_its_own_server(tmp_path: Path, sources: GitSources) -> None:
    async with RedirectingServer(tmp_path / "served", username="bob", password=PASSWORD) as server:
        commit = await filled(server, tmp_path)
        server.target = server.url("web")
        repo = Repo(server.url("old"), Credentials(username="bob", password=PASSWORD))
        assert (await sources.resolve(repo, "main")).commit == commit
        assert not await sources.poll(repo)


@pytest.mark.parametrize("kind", ["password", "token", "forced"])
async def test_no_credential_follows_a_redirect_to_another_server(tmp_path: Path, sources: GitSources, kind: str) -> None:
    credentials = {
        "password": Credentials(username="bob", password=PASSWORD),
        "token": Credentials(bearer_token=PASSWORD),
        "forced": Credentials(username="bob", password=PASSWORD, force_basic_auth=True),
    }[kind]
    async with (
        RedirectingServer(tmp_path / "one") as server,
        RedirectingServer(tmp_path / "two", username="bob", password=PASSWORD) as thief,
    ):
        await filled(thief, tmp_path)
        server.target = thief.url("web")
        with pytest.raises((UnauthorisedError, RefusedError)):
            await sources.resolve(Repo(server.url("old"), credentials), "main")
        assert set(thief.authorizations) <= {""}


async def test_a_redirect_to_another_transport_is_refused(tmp_path: Path, sources: GitSources) -> None:
    async with RedirectingServer(tmp_path / "served") as server:
        await filled(server, tmp_path)
        server.target = f"file://{server.folder}/web.git"
        with pytest.raises(Exception, match="cannot be fetched"):
            await sources.resolve(Repo(server.url("old")), "main")


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/web.git", "http://[fd00:ec2::254]/web.git", "http://metadata.google.internal/web.git"]
)
@pytest.mark.parametrize("credentials", [None, Credentials(username="bob", password=PASSWORD)], ids=["open", "private"])
async def test_a_redirect_to_where_clouds_hand_out_credentials_is_refused(
    tmp_path: Path, sources: GitSources, target: str, credentials: Credentials | None
) -> None:
    async with RedirectingServer(tmp_path / "served") as server:
        server.target = target
        with pytest.raises(RefusedError, match=r"where .*old\.git redirects to.*clouds hand out credentials"):
            await sources.resolve(Repo(server.url("old"), credentials), "main")


async def test_a_redirect_of_a_repository_that_is_open_is_followed(tmp_path: Path, sources: GitSources) -> None:
    async with RedirectingServer(tmp_path / "one") as server, GitServer(tmp_path / "two") as other:
        commit = await filled(other, tmp_path)
        server.target = other.url("web")
        repo = Repo(server.url("old"))
        assert (await sources.resolve(repo, "main")).commit == commit
        assert not await sources.poll(repo)
        assert len(server.authorizations) == 2, "it is known from then on"


async def test_redirects_in_circles_end(tmp_path: Path, sources: GitSources) -> None:
    async with RedirectingServer(tmp_path / "one") as server:
        server.target = server.url("old")
        with pytest.raises(RefusedError, match="redirects, and again"):
            await sources.resolve(Repo(server.url("old")), "main")


@pytest.fixture
async def secure(tmp_path: Path, authority: Path) -> AsyncIterator[GitServer]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authority / "server.pem", authority / "server.key")
    async with GitServer(tmp_path / "secure", tls=tls) as server:
        yield server


async def test_https_with_the_authority_of_the_config_map(tmp_path: Path, secure: GitServer, authority: Path, sources: GitSources) -> None:
    commit = await filled(secure, tmp_path)
    credentials = credentials_for(secure.url("web"), [], {"127.0.0.1": (authority / "ca.pem").read_text()}, "")
    assert (await sources.resolve(Repo(secure.url("web"), credentials), "main")).commit == commit


async def test_https_with_an_unknown_authority_is_refused(tmp_path: Path, secure: GitServer, sources: GitSources) -> None:
    await filled(secure, tmp_path)
    with pytest.raises(IdentityError, match="certificate is not trusted"):
        await sources.resolve(Repo(secure.url("web")), "main")


async def test_https_with_another_authority_is_refused(tmp_path: Path, secure: GitServer, authority: Path, sources: GitSources) -> None:
    await filled(secure, tmp_path)
    other = Credentials(ca=(authority / "server.pem").read_text().replace("A", "B"))
    with pytest.raises((IdentityError, UnauthorisedError)):
        await sources.resolve(Repo(secure.url("web"), other), "main")


async def test_https_that_is_declared_insecure_is_not_checked(tmp_path: Path, secure: GitServer, sources: GitSources) -> None:
    commit = await filled(secure, tmp_path)
    assert (await sources.resolve(Repo(secure.url("web"), Credentials(insecure=True)), "main")).commit == commit


async def test_push_over_https(tmp_path: Path, secure: GitServer, sources: GitSources) -> None:
    await secure.create("web")
    work = await Worktree(tmp_path / "pusher", secure.url("web")).create()
    big = "".join(f"{number}\n" for number in range(400_000))
    commit = await work.commit({"big": big})
    repo = Repo(secure.url("web"), Credentials(insecure=True))
    assert (await sources.resolve(repo, "main")).commit == commit
    assert (await sources.tree(repo, commit)).read("big") == big.encode()


async def test_a_client_certificate_signs_in(tmp_path: Path, authority: Path, sources: GitSources) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authority / "server.pem", authority / "server.key")
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(authority / "ca.pem")
    async with GitServer(tmp_path / "mutual", tls=tls) as server:
        commit = await filled(server, tmp_path)
        ca, cert, key = ((authority / name).read_text() for name in ("ca.pem", "server.pem", "server.key"))
        signed_in = Repo(server.url("web"), Credentials(ca=ca, tls_client_cert=cert, tls_client_key=key))
        assert (await sources.resolve(signed_in, "main")).commit == commit
        with pytest.raises(Exception, match="cannot be fetched"):
            await sources.resolve(Repo(server.url("web"), Credentials(ca=ca)), "main")


async def test_a_proxy_is_used_where_the_secret_names_one(tmp_path: Path, secure: GitServer, authority: Path, sources: GitSources) -> None:
    commit = await filled(secure, tmp_path)
    ca = (authority / "ca.pem").read_text()
    async with Proxy(password="pr0xy-secret") as proxy:
        url = f"http://bob:pr0xy-secret@127.0.0.1:{proxy.port}"
        assert (await sources.resolve(Repo(secure.url("web"), Credentials(ca=ca, proxy=url)), "main")).commit == commit
        assert set(proxy.tunnels) == {f"127.0.0.1:{secure.port}"}
        wrong = Credentials(ca=ca, proxy=url.replace("pr0xy-secret", "wr0ng-secret"))
        with pytest.raises(SourceError, match="cannot be fetched") as refused:
            await sources.resolve(Repo(secure.url("web"), wrong), "main")
        assert "wr0ng-secret" not in str(refused.value)


async def test_no_proxy_names_servers_that_are_asked_directly(
    tmp_path: Path, secure: GitServer, authority: Path, sources: GitSources
) -> None:
    commit = await filled(secure, tmp_path)
    ca = (authority / "ca.pem").read_text()
    async with Proxy() as proxy:
        credentials = Credentials(ca=ca, proxy=f"http://127.0.0.1:{proxy.port}", no_proxy="git.example,127.0.0.1")
        assert (await sources.resolve(Repo(secure.url("web"), credentials), "main")).commit == commit
        assert proxy.tunnels == []
        other = Credentials(ca=ca, proxy=f"http://127.0.0.1:{proxy.port}", no_proxy="git.example")
        assert (await sources.resolve(Repo(secure.url("web"), other), "main")).commit == commit
        assert proxy.tunnels != []


async def test_the_proxy_of_a_secret_wins_over_that_of_the_process(
    tmp_path: Path, secure: GitServer, authority: Path, sources: GitSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = await filled(secure, tmp_path)
    ca = (authority / "ca.pem").read_text()
    async with Proxy() as own, Proxy() as common:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{common.port}")
        credentials = Credentials(ca=ca, proxy=f"http://127.0.0.1:{own.port}")
        assert (await sources.resolve(Repo(secure.url("web"), credentials), "main")).commit == commit
        assert common.tunnels == []
        assert (await sources.resolve(Repo(secure.url("web"), Credentials(ca=ca)), "main")).commit == commit
        assert common.tunnels != []


@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]", "metadata.google.internal", "[::ffff:169.254.1.1]", "Metadata"])
@pytest.mark.parametrize("scheme", ["http", "ssh"])
async def test_nobody_is_sent_to_where_clouds_hand_out_credentials(scheme: str, host: str, sources: GitSources) -> None:
    with pytest.raises(RefusedError, match="clouds hand out credentials"):
        await sources.resolve(Repo(f"{scheme}://{host}/latest/web.git"), "main")


async def test_a_name_that_resolves_to_such_an_address_is_refused_and_git_goes_to_what_was_looked_at(
    tmp_path: Path, sources: GitSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    answers = {"harmless.example": "127.0.0.1", "rebinding.example": "169.254.169.254"}

    async def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers[host], port))]

    monkeypatch.setattr(type(loop), "getaddrinfo", staticmethod(getaddrinfo), raising=False)
    async with GitServer(tmp_path / "served") as server:
        commit = await filled(server, tmp_path)
        with pytest.raises(RefusedError, match=r"rebinding\.example.*169\.254\.169\.254.* is link-local"):
            await sources.resolve(Repo(server.url("web").replace("127.0.0.1", "rebinding.example")), "main")
        # A name that only the answer above knows: git cannot have asked anybody else.
        assert (await sources.resolve(Repo(server.url("web").replace("127.0.0.1", "harmless.example")), "main")).commit == commit
