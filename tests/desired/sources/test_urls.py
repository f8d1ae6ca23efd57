"""Which addresses reach git, and when two are the same repository."""

from __future__ import annotations

import pytest

from homeostat.desired.sources import urls
from homeostat.desired.sources.errors import RefusedError


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "   ",
        "--upload-pack=touch /tmp/x",
        "-oProxyCommand=x",
        "ext::sh -c touch% /tmp/x",
        "ext::sh",
        "fd::17",
        "transport::address",
        "ftp://host/x",
        "git://host/x",
        "rsync://host/x",
        "ssh://-oProxyCommand=x/path",
        "ssh://-user@host/path",
        "ssh://user@-host/path",
        "-user@host:path",
        "user@-oProxyCommand=x:path",
        "https://ho st/x",
        "https://host/x\n[core]",
        "https://host/x\x00",
        "https://host\\@evil/x",
        "https://a@b@c/x",
        "https://host/x?service=y",
        "https://host/x#fragment",
        "https:///path",
        "https://host",
        "https://host/",
        "https://host:port/x",
        "https://$(id)/x",
        "file://host/path",
        "file://",
        "/srv/repository",
        "./repository",
        "repository",
        "https://host/" + "x" * 5000,
    ],
)
def test_what_is_no_address_of_a_repository_is_refused(hostile: str) -> None:
    with pytest.raises(RefusedError):
        urls.parse(hostile)


@pytest.mark.parametrize(
    ("spellings", "key"),
    [
        (
            ["https://Git.Example.com/Team/web", "https://git.example.com/Team/web.git", "https://git.example.com:443/Team/web/",
             "HTTPS://u:p@git.example.com/Team//web.git/"],
            "https://git.example.com/Team/web",
        ),
        (["http://h:80/x", "http://H/x.git"], "http://h/x"),
        (["http://h:8080/x"], "http://h:8080/x"),
        (["git@Example.com:team/web.git", "ssh://git@example.com/team/web", "git+ssh://git@example.com:22/team/web.git"],
         "ssh://git@example.com/team/web"),
        (["ssh://git@example.com:2222/team/web"], "ssh://git@example.com:2222/team/web"),
        (["ssh://[::1]:2222/team/web"], "ssh://[::1]:2222/team/web"),
        (["file:///srv/git/web.git", "file://localhost/srv/git/web"], "file:///srv/git/web"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_spellings_of_one_repository_have_one_key(spellings: list[str], key: str) -> None:
    assert {urls.normalise(spelling) for spelling in spellings} == {key}


def test_a_password_in_the_address_is_kept_apart_and_never_shown() -> None:
    address = urls.parse("https://bob:hunter%402@example.com/x.git")
    assert (address.username, address.password) == ("bob", "hunter@2")
    assert address.url == "https://example.com/x.git"
    assert "hunter" not in repr(address)
    with pytest.raises(RefusedError) as refused:
        urls.parse("https://bob:hunter2@example.com/x?y")
    assert "hunter2" not in str(refused.value)


def test_secrets_are_matched_as_argo_cd_matches_them() -> None:
    assert urls.match_form("git@GitHub.com:Org/App.git") == urls.match_form("ssh://git@github.com/org/app")
    assert urls.match_form("https://GitHub.com/Org/App.git") == urls.match_form("https://github.com/org/app")
    assert urls.match_form("https://u:p@github.com/org") == "https://github.com/org"
