"""Signatures of real commits and tags, by throw-away keys of GnuPG and SSH."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from homeostat.box.gitserver import GitServer
from homeostat.desired.sources import integrity
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.git import GitSources, Repo
from homeostat.desired.sources.integrity import Mode, Policy
from homeostat.model.integrity import GitPolicy
from tests.desired.sources.keys import Gpg, Signer, ssh_key
from tests.desired.sources.worktree import Worktree


class Hands(NamedTuple):
    """Who signs here: two people with GnuPG, one with SSH."""

    gpg: Gpg
    ada: Signer
    eve: Signer
    ssh: Signer


@pytest.fixture
async def hands(tmp_path: Path) -> AsyncIterator[Hands]:
    gpg = Gpg(tmp_path / "g")
    yield Hands(gpg, await gpg.key("ada"), await gpg.key("eve"), await ssh_key(tmp_path, "bob"))
    await gpg.close()


def policy(*signers: Signer, mode: Mode = Mode.HEAD, trusted: tuple[Signer, ...] | None = None) -> Policy:
    ring = integrity.keyring({f"k{number}": signer.public for number, signer in enumerate(signers if trusted is None else trusted)})
    found = integrity.choose("https://git.example/x", [GitPolicy(("*",), mode, tuple(signer.id for signer in signers))], ring)
    assert found is not None
    return found


async def commit(work: Worktree, signer: Signer | None = None, message: str = "change") -> str:
    settings = signer.settings if signer else ()
    await work.git(*settings, "commit", "--quiet", "--allow-empty", "-m", message, *(("-S",) if signer else ()))
    await work.push("HEAD:refs/heads/main")
    return await work.git("rev-parse", "HEAD")


async def problem(sources: GitSources, server: GitServer, revision: str, wanted: Policy) -> str:
    repo = Repo(server.url("web"))
    resolved = await sources.resolve(repo, revision, fresh=True)
    return await sources.verify(repo, resolved.commit, wanted, reference=resolved.reference)


async def test_a_commit_signed_by_an_allowed_key_is_good(hands: Hands, server: GitServer, work: Worktree, sources: GitSources) -> None:
    await commit(work, hands.ada)
    assert await problem(sources, server, "main", policy(hands.ada)) == ""
    assert await problem(sources, server, "main", policy(hands.ada, hands.eve, hands.ssh)) == ""


async def test_what_is_wrong_is_said_in_argo_cds_words(hands: Hands, server: GitServer, work: Worktree, sources: GitSources) -> None:
    unsigned = await commit(work)
    author = "by 'Ada <ada@example.com>'"
    assert (
        await problem(sources, server, "main", policy(hands.ada))
        == f"GIT/GPG: Failed verifying revision {unsigned} {author}: unsigned (key_id=)"
    )
    signed = await commit(work, hands.eve)
    said = await problem(sources, server, "main", policy(hands.ada, trusted=(hands.ada, hands.eve)))
    assert said == f"GIT/GPG: Failed verifying revision {signed} {author}: signed with unallowed key (key_id={hands.eve.id})"
    said = await problem(sources, server, "main", policy(hands.ada, hands.eve, trusted=(hands.ada,)))
    assert said == f"GIT/GPG: Failed verifying revision {signed} {author}: signed with key not in keyring (key_id={hands.eve.id})"


async def test_a_commit_that_was_changed_after_it_was_signed_is_bad(
    hands: Hands, server: GitServer, work: Worktree, sources: GitSources, tmp_path: Path
) -> None:
    await commit(work, hands.ada, "pay Bob 1")
    forged = (await work.git("cat-file", "commit", "HEAD")).replace("pay Bob 1", "pay Bob 9") + "\n"
    (tmp_path / "forged").write_text(forged)
    made = await work.git("hash-object", "-t", "commit", "-w", str(tmp_path / "forged"))
    await work.push(f"{made}:refs/heads/main")
    assert "bad signature" in await problem(sources, server, "main", policy(hands.ada))


async def test_expired_and_revoked_keys_are_named_so(
    hands: Hands, server: GitServer, work: Worktree, sources: GitSources, tmp_path: Path
) -> None:
    await commit(work, hands.eve)
    fingerprint = await hands.gpg.fingerprint("eve")
    revocation = (await asyncio.to_thread((hands.gpg.home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text)).replace(
        ":-----BEGIN", "-----BEGIN"
    )
    (tmp_path / "revocation").write_text(revocation)
    await hands.gpg.run("--import", str(tmp_path / "revocation"))
    revoked = Signer(hands.eve.id, await hands.gpg.run("--armor", "--export", fingerprint), ())
    assert "signed with revoked key" in await problem(sources, server, "main", policy(revoked))
    old = await hands.gpg.expired_key("old")
    await commit(work, old)
    assert "signed with expired key" in await problem(sources, server, "main", policy(old))
    await work.git(*old.settings, "tag", "-s", "-m", "release", "v1.0.0")
    await work.push("--tags")
    assert "signed with expired key" in await problem(sources, server, "v1.0.0", policy(old))


async def test_a_subkey_signs_for_its_primary_key(hands: Hands, server: GitServer, work: Worktree, sources: GitSources) -> None:
    both = await hands.gpg.key("zoe", subkey=True)
    await commit(work, both)
    raw = await work.git("cat-file", "commit", "HEAD")
    assert "gpgsig" in raw
    assert await problem(sources, server, "main", policy(both)) == ""
    whole = Signer(await hands.gpg.fingerprint("zoe"), both.public, ())
    assert await problem(sources, server, "main", policy(whole)) == "", "a fingerprint names a key too"


async def test_ssh_keys_sign_too(hands: Hands, server: GitServer, work: Worktree, sources: GitSources, tmp_path: Path) -> None:
    stranger = await ssh_key(tmp_path, "stranger")
    await commit(work, hands.ssh)
    assert await problem(sources, server, "main", policy(hands.ssh)) == ""
    assert "signed with untrusted key" in await problem(sources, server, "main", policy(hands.ssh, trusted=(stranger,)))
    assert "signed with unallowed key" in await problem(sources, server, "main", policy(stranger, trusted=(stranger, hands.ssh)))
    line = Signer(hands.ssh.id, 'bob@example.com,ops@example.com namespaces="git" ' + hands.ssh.public, ())
    assert await problem(sources, server, "main", policy(line)) == "", "lines of allowed signers are keys too"


@pytest.mark.parametrize("kind", ["gpg", "ssh"])
async def test_of_an_annotated_tag_its_own_signature_counts(
    kind: str, hands: Hands, server: GitServer, work: Worktree, sources: GitSources
) -> None:
    signer = hands.ada if kind == "gpg" else hands.ssh
    await commit(work)
    await work.git(*signer.settings, "tag", "-s", "-m", "release", "v1.0.0")
    await work.git("tag", "-a", "-m", "release", "v1.0.1")
    await work.git("tag", "v1.0.2")
    await work.push("--tags")
    assert await problem(sources, server, "v1.0.0", policy(signer)) == ""
    assert "unsigned" in await problem(sources, server, "v1.0.1", policy(signer))
    assert "unsigned" in await problem(sources, server, "v1.0.2", policy(signer)), "a lightweight tag is its commit"
    assert "unsigned" in await problem(sources, server, "v1.0.0", policy(signer, mode=Mode.STRICT)), "strict asks for the commits too"
    other = hands.eve if kind == "gpg" else hands.ada
    said = await problem(sources, server, "v1.0.0", policy(other, trusted=(signer, other)))
    assert f"signed with unallowed key (key_id={signer.id})" in said
    assert "v1.0.0" in said


async def test_a_signed_tag_under_another_name_is_refused(hands: Hands, server: GitServer, work: Worktree, sources: GitSources) -> None:
    await commit(work, hands.ada)
    await work.git(*hands.ada.settings, "tag", "-s", "-m", "release", "v1.0.0")
    await work.push("refs/tags/v1.0.0:refs/tags/v9.0.0")
    assert "the tag object is of another tag (v1.0.0)" in await problem(sources, server, "v9.0.0", policy(hands.ada))


async def test_strict_looks_at_all_commits_and_tells_each_key_once(
    hands: Hands, server: GitServer, work: Worktree, sources: GitSources
) -> None:
    first = await commit(work)
    for _ in range(3):
        await commit(work, hands.eve)
    await commit(work, hands.ada)
    wanted = policy(hands.ada, mode=Mode.STRICT, trusted=(hands.ada, hands.eve))
    said = (await problem(sources, server, "main", wanted)).splitlines()
    assert len(said) == 2
    assert hands.eve.id in said[0]
    assert f"{first} by 'Ada <ada@example.com>': unsigned" in said[1]
    assert await problem(sources, server, "main", policy(hands.ada)) == "", "head looks at the newest alone"


async def test_a_sealing_commit_answers_for_what_is_before_it_if_its_own_key_is_allowed(
    hands: Hands, server: GitServer, work: Worktree, sources: GitSources
) -> None:
    await commit(work)
    await commit(work, hands.eve, "a seal by nobody\n\nArgocd-gpg-seal: trust me")
    wanted = policy(hands.ada, mode=Mode.STRICT, trusted=(hands.ada, hands.eve))
    assert "unsigned" in await problem(sources, server, "main", wanted)
    await commit(work, hands.ada, "sealed\n\nArgocd-gpg-seal: reviewed")
    assert await problem(sources, server, "main", wanted) == ""
    await commit(work, hands.ada)
    assert await problem(sources, server, "main", wanted) == ""
    await commit(work)
    assert "unsigned" in await problem(sources, server, "main", wanted)
    await commit(work, hands.ada)
    assert "unsigned" in await problem(sources, server, "main", wanted), "what is signed later answers for nothing before"


async def test_strict_fetches_the_history_that_a_shallow_fetch_left_out(
    hands: Hands, server: GitServer, work: Worktree, sources: GitSources
) -> None:
    await commit(work)
    last = await commit(work, hands.ada)
    repo = Repo(server.url("web"), Credentials(depth=1))
    assert "unsigned" in await sources.verify(repo, last, policy(hands.ada, mode=Mode.STRICT))


async def test_a_thousand_apps_at_one_commit_cost_one_look(hands: Hands, server: GitServer, work: Worktree, sources: GitSources) -> None:
    last = await commit(work, hands.ada)
    repo = Repo(server.url("web"))
    wanted = policy(hands.ada)
    await sources.verify(repo, last, wanted)
    before = sources._signatures._homes.copy()
    # The keys are taken away: whoever looked again would find nothing good.
    for home in before.values():
        (home / "gnupg" / "pubring.kbx").unlink()
    assert set(await asyncio.gather(*(sources.verify(repo, last, wanted) for _ in range(1000)))) == {""}


async def test_rubbish_in_the_keyring_costs_only_itself(hands: Hands, server: GitServer, work: Worktree, sources: GitSources) -> None:
    await commit(work, hands.ada)
    rubbish = Signer("0000000000000000", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nrubbish\n-----END PGP PUBLIC KEY BLOCK-----\n", ())
    assert await problem(sources, server, "main", policy(rubbish, hands.ada)) == ""
    assert "not in keyring" in await problem(sources, server, "main", policy(hands.ada, trusted=(rubbish,)))
