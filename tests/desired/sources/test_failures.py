"""What git says when it fails, and what we say then."""

from __future__ import annotations

import base64

import pytest

from homeostat.desired.sources import errors, failures, urls
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.git_process import Finished

ADDRESS = urls.parse("https://git.example/team/web")
SSH = "fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.\n"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("fatal: Authentication failed for 'https://git.example/team/web/'", errors.UnauthorisedError),
        ("fatal: could not read Username for 'https://git.example': terminal prompts disabled", errors.UnauthorisedError),
        ("fatal: unable to access 'https://git.example/': The requested URL returned error: 403", errors.UnauthorisedError),
        ("git@git.example: Permission denied (publickey).\n" + SSH, errors.UnauthorisedError),
        ('Load key "/x/identity": error in libcrypto\ngit@git.example: Permission denied (publickey).\n' + SSH, errors.UnauthorisedError),
        ("fatal: unable to access 'https://git.example/': server certificate verification failed. CAfile: none", errors.IdentityError),
        ("fatal: unable to access 'https://git.example/': SSL certificate problem: self-signed certificate", errors.IdentityError),
        ("No ED25519 host key is known for git.example and you have requested strict checking.\nHost key verification failed.\n" + SSH,
         errors.IdentityError),
        ("@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.\n" + SSH, errors.IdentityError),
        ("fatal: repository 'https://git.example/team/web/' not found", errors.RepositoryMissingError),
        ("ERROR: Repository not found.\n" + SSH, errors.RepositoryMissingError),
        ("fatal: '/team/web' does not appear to be a git repository\n" + SSH, errors.RepositoryMissingError),
        ("fatal: unable to access 'https://git.example/': Could not resolve host: git.example", errors.UnreachableError),
        ("ssh: Could not resolve hostname git.example: Name or service not known\n" + SSH, errors.UnreachableError),
        ("fatal: unable to access 'https://git.example/': Failed to connect to git.example port 443: Connection refused", errors.UnreachableError),
        ("ssh: connect to host git.example port 22: Connection refused\n" + SSH, errors.UnreachableError),
        ("kex_exchange_identification: Connection closed by remote host\n" + SSH, errors.UnreachableError),
        ("fatal: unable to access 'https://git.example/': Empty reply from server", errors.UnreachableError),
        ("ssh: connect to host git.example port 22: Connection timed out\n" + SSH, errors.SlowError),
        ("fatal: unable to access 'https://git.example/': Operation too slow. Less than 500 bytes/sec transferred", errors.SlowError),
        ("fatal: unable to access 'https://git.example/': The requested URL returned error: 502", errors.FetchFailedError),
        ("fatal: unable to access 'https://git.example/': The requested URL returned error: 301", errors.RefusedError),
        ("fatal: write error: No space left on device", errors.FetchFailedError),
        ("fatal: something nobody has heard of", errors.FetchFailedError),
        ("", errors.FetchFailedError),
        ("remote: Permission denied\nfatal: something nobody has heard of", errors.FetchFailedError),
    ],
)  # fmt: skip
def test_each_failure_has_its_class_and_names_the_repository(said: str, expected: type[errors.SourceError]) -> None:
    found = failures.explain(Finished(128, b"", said, ""), ADDRESS, None)
    assert type(found) is expected
    assert "https://git.example/team/web" in found.message
    assert "\n" not in found.message


def test_a_run_that_was_killed_is_slow_whatever_it_said() -> None:
    found = failures.explain(Finished(-9, b"", "fatal: Connection refused", "was silent"), ADDRESS, None)
    assert type(found) is errors.SlowError


def test_no_credential_in_any_spelling_reaches_a_message() -> None:
    address = urls.parse("https://bob:in%2Furl@git.example/x")
    credentials = Credentials(username="bob", password="p@ss/word", bearer_token="t0ken", proxy="http://u:pr0xy@proxy:3128")
    basic = base64.b64encode(b"bob:p@ss/word").decode()
    said = f"fatal: p@ss/word p%40ss%2Fword {basic} t0ken in/url in%2Furl http://u:pr0xy@proxy:3128 https://someone:else@host/x"
    found = failures.explain(Finished(128, b"", said, ""), address, credentials)
    for part in ("p@ss", "p%40ss", basic, "t0ken", "in/url", "in%2F", "pr0xy", "someone", "else"):
        assert part not in found.message


def test_damage_is_told_from_what_the_server_says() -> None:
    assert failures.is_damage(Finished(128, b"", "error: object file x is empty\nfatal: loose object 1 is corrupt", ""))
    assert not failures.is_damage(Finished(128, b"", "remote: fatal: loose object 1 is corrupt", ""))
    assert not failures.is_damage(Finished(128, b"", "fatal: Authentication failed", ""))
