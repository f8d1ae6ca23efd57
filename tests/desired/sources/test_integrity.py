"""Which policy is about which repository, and what is a key."""

from __future__ import annotations

import pytest

from homeostat.desired.sources.integrity import Keyring, Mode, check, choose, keyring, policies
from homeostat.model.errors import InvalidError
from homeostat.model.integrity import GitPolicy

RING = Keyring()
KEY = "D56C4FCA57A46444"
SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEXAMPLE"


@pytest.mark.parametrize(
    "url",
    ["https://git.example/team/web", "https://git.example/team/web.git", "https://GIT.example/team/web", "https://git.example/Team/Web.git",
     "https://bob@git.example/team/web", " https://git.example/team/web"],
)  # fmt: skip
def test_no_spelling_of_an_address_is_a_way_round_a_policy(url: str) -> None:
    found = choose(url, [GitPolicy(("https://git.example/team/*",), "head", (KEY,))], RING)
    assert found is not None
    assert found.mode is Mode.HEAD


def test_a_repository_that_no_policy_is_about_needs_nothing() -> None:
    of = [GitPolicy(("https://git.example/team/*", "!https://git.example/team/web"), "head"), GitPolicy(("https://a/b",), "strict")]
    assert choose("https://git.example/other/web", of, RING) is None
    assert choose("https://git.example/team/web.git", of, RING) is None, "excluded"
    assert choose("https://git.example/team/api", of, RING) is not None


def test_mode_none_asks_for_nothing() -> None:
    assert choose("https://a/b", [GitPolicy(("*",), "none", (KEY,))], RING) is None


@pytest.mark.parametrize(
    ("of", "said"),
    [
        ([GitPolicy(("*",), "head"), GitPolicy(("https://a/*",), "none")], r"multiple \(2\) git source integrity policies"),
        ([GitPolicy(("*",), "tail")], "unknown GPG mode 'tail'"),
        ([GitPolicy(("https://[a",), "head")], "glob"),
    ],
    ids=["two", "mode", "pattern"],
)
def test_a_mistake_in_a_policy_does_not_switch_it_off(of: list[GitPolicy], said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        choose("https://a/b", of, RING)


def test_signature_keys_are_a_policy_for_every_repository_where_there_is_no_other() -> None:
    assert policies(signature_keys=[KEY]) == (GitPolicy(("*",), "head", (KEY,)),)
    own = GitPolicy(("https://a/*",), "strict", (KEY,))
    assert policies(signature_keys=[KEY], git=[own]) == (own,)
    assert policies() == ()


@pytest.mark.parametrize("written", [KEY, KEY.lower(), "0x" + KEY, "4" * 24 + KEY, "SHA256:abc"])
def test_a_key_is_allowed_in_every_spelling(written: str) -> None:
    found = choose("https://a/b", [GitPolicy(("*",), "head", (written,))], RING)
    assert found is not None
    assert found.allows(written)
    assert found.allows(KEY) is (written != "SHA256:abc")
    assert not found.allows("", "0" * 16)


def test_the_end_of_a_key_id_is_nobodys() -> None:
    found = choose("https://a/b", [GitPolicy(("*",), "head", ("57A46444", ""))], RING)
    assert found is not None
    assert not found.allows(KEY, "57A46444", "")


def test_the_keyring_tells_gnupg_keys_ssh_keys_and_rubbish_apart() -> None:
    armoured = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n"
    found = keyring(
        {"a": armoured, "b": f"# ours\n{SSH} bob@example\n", "c": f'bob@example namespaces="git" {SSH}\n', "d": "rubbish", "e": ""}
    )
    assert found.gpg == (armoured,)
    assert found.signers == (f'* namespaces="git" {SSH}', f'bob@example namespaces="git" {SSH}')
    assert found.strange == ("d", "e")
    assert found.digest != keyring({"a": armoured}).digest


def test_a_signer_cannot_bring_lines_or_certificates_of_its_own() -> None:
    assert keyring({"a": f'bob "cert-authority {SSH}'}).signers == ()
    assert keyring({"a": f"-oProxyCommand=x\n{SSH}"}).signers == (f'* namespaces="git" {SSH}',)


@pytest.mark.parametrize(("wrong", "said"), [(GitPolicy(("*",), "Head"), "unknown GPG mode 'Head'"), (GitPolicy(("!{a",), "head"), r"\{a")])
def test_a_policy_that_means_nothing_is_found_without_an_address(wrong: GitPolicy, said: str) -> None:
    check([GitPolicy(("*", "!https://{a,b}/*"), "strict")])
    with pytest.raises(InvalidError, match=said):
        check([GitPolicy(("*",), "head"), wrong])
