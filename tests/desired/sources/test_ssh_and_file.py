"""Git over SSH with a real ``sshd``, and from folders of this machine."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from homeostat.desired.sources.credentials import Credentials, credentials_for
from homeostat.desired.sources.errors import IdentityError, RefusedError, RepositoryMissingError, UnauthorisedError, UnreachableError
from homeostat.desired.sources.git import GitSources, Repo
from homeostat.model.errors import HomeostatError
from tests.desired.sources.worktree import Worktree

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ["PATH"])


class Sshd(NamedTuple):
    """A running server: its address for the repository ``web``, the client's key, and the line for known_hosts."""

    url: str
    key: str
    other_key: str
    known_hosts: str
    commit: str


async def run(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 0, arguments


@pytest.fixture
async def sshd(tmp_path: Path) -> AsyncIterator[Sshd]:
    if SSHD is None:
        pytest.skip("there is no sshd on this machine (Debian: openssh-server)")
    for name in ("host", "client", "other"):
        await run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name))
    await run("git", "init", "--quiet", "--bare", "--template=", str(tmp_path / "web.git"))
    work = await Worktree(tmp_path / "work", str(tmp_path / "web.git")).create()
    commit = await work.commit({"a": "1"})
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    if os.getuid() == 0:
        await run("mkdir", "-p", "/run/sshd")  # sshd insists on it when root starts it
    (tmp_path / "authorized_keys").write_text((tmp_path / "client.pub").read_text())
    (tmp_path / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/authorized_keys\n"
        "StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
    )
    server = await asyncio.create_subprocess_exec(
        SSHD, "-D", "-e", "-f", str(tmp_path / "sshd_config"), stderr=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL
    )
    assert server.stderr is not None
    while b"Server listening" not in (line := await server.stderr.readline()):
        assert line, "sshd did not start"
    host_key = " ".join((tmp_path / "host.pub").read_text().split()[:2])
    yield Sshd(
        f"ssh://{getpass.getuser()}@127.0.0.1:{port}{tmp_path}/web.git",
        (tmp_path / "client").read_text(),
        (tmp_path / "other").read_text(),
        f"[127.0.0.1]:{port} {host_key}\n",
        commit,
    )
    server.terminate()
    await server.communicate()


async def test_a_key_signs_in_at_a_known_host(sshd: Sshd, sources: GitSources, tmp_path: Path) -> None:
    secret = {
        "metadata": {"name": "s", "labels": {"argocd.argoproj.io/secret-type": "repository"}},
        # Secrets lose the line break at the end of a key easily.
        "stringData": {"url": sshd.url, "sshPrivateKey": sshd.key.strip()},
    }
    repo = Repo(sshd.url, credentials_for(sshd.url, [secret], {}, sshd.known_hosts))
    assert (await sources.resolve(repo, "main")).commit == sshd.commit
    assert (await sources.tree(repo, sshd.commit)).read("a") == b"1"
    assert list((tmp_path / "cache" / "private").iterdir()) == []


async def test_an_unknown_host_is_refused(sshd: Sshd, sources: GitSources) -> None:
    for credentials in (Credentials(ssh_private_key=sshd.key), None):
        with pytest.raises(IdentityError, match="host key is not known") as refused:
            await sources.resolve(Repo(sshd.url, credentials), "main")
        assert "argocd-ssh-known-hosts-cm" in refused.value.hint


async def test_a_host_with_another_key_is_refused(sshd: Sshd, sources: GitSources, tmp_path: Path) -> None:
    port, _ = sshd.known_hosts.split()[:2]
    other = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    with pytest.raises(IdentityError, match="another host key"):
        await sources.resolve(Repo(sshd.url, Credentials(ssh_private_key=sshd.key, known_hosts=f"{port} {other}\n")), "main")


async def test_an_unknown_host_passes_where_the_secret_says_so(sshd: Sshd, sources: GitSources) -> None:
    credentials = Credentials(ssh_private_key=sshd.key, insecure_ignore_host_key=True)
    assert (await sources.resolve(Repo(sshd.url, credentials), "main")).commit == sshd.commit


@pytest.mark.parametrize("key", ["other", "none", "rubbish"])
async def test_a_wrong_key_is_refused(sshd: Sshd, sources: GitSources, key: str) -> None:
    private = {"other": sshd.other_key, "none": "", "rubbish": "secret rubbish"}[key]
    with pytest.raises(UnauthorisedError) as refused:
        await sources.resolve(Repo(sshd.url, Credentials(ssh_private_key=private, known_hosts=sshd.known_hosts)), "main")
    assert "secret rubbish" not in str(refused.value)


async def test_a_repository_that_is_not_there_says_so(sshd: Sshd, sources: GitSources) -> None:
    credentials = Credentials(ssh_private_key=sshd.key, known_hosts=sshd.known_hosts)
    with pytest.raises(RepositoryMissingError):
        await sources.resolve(Repo(sshd.url.replace("web", "nothing"), credentials), "main")


async def test_a_closed_port_is_unreachable(sources: GitSources) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        with pytest.raises(UnreachableError):
            await sources.resolve(Repo(f"ssh://git@127.0.0.1:{port}/web.git", Credentials(known_hosts="")), "main")


async def test_a_proxy_for_ssh_is_an_error_of_its_own(sources: GitSources) -> None:
    with pytest.raises(HomeostatError, match="proxy for Git over SSH is not supported"):
        await sources.resolve(Repo("ssh://git@127.0.0.1/web.git", Credentials(proxy="http://proxy:3128")), "main")


async def test_a_folder_below_an_allowed_one_is_a_repository(tmp_path: Path) -> None:
    await run("git", "init", "--quiet", "--bare", "--template=", str(tmp_path / "allowed" / "web.git"))
    work = await Worktree(tmp_path / "work", str(tmp_path / "allowed" / "web.git")).create()
    commit = await work.commit({"a": "1"})
    async with GitSources(tmp_path / "cache", file_roots=[tmp_path / "allowed"]) as sources:
        assert (await sources.resolve(Repo(f"file://{tmp_path}/allowed/web.git"), "main")).commit == commit
        with pytest.raises(RepositoryMissingError):
            await sources.resolve(Repo(f"file://{tmp_path}/allowed/nothing"), "main")


async def test_folders_elsewhere_and_our_own_caches_are_refused(tmp_path: Path) -> None:
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "way-out").symlink_to(tmp_path)
    async with GitSources(tmp_path / "cache", file_roots=[tmp_path / "allowed"]) as sources:
        for path in ("work", "allowed/../work", "allowed/way-out/work", "cache/git/0"):
            with pytest.raises(RefusedError, match="folders are not allowed"):
                await sources.resolve(Repo(f"file://{tmp_path}/{path}"), "main")
    async with GitSources(tmp_path / "cache", file_roots=[tmp_path]) as sources:
        with pytest.raises(RefusedError, match="folders are not allowed"):
            await sources.resolve(Repo(f"file://{tmp_path}/cache/git/0"), "main")
