"""Any spelling of one repository is one place; what is no address is none."""

from __future__ import annotations

import pytest

from homeostat.desired.sources import places

REPOSITORIES = [
    pytest.param(
        "git.example.com/team/apps",
        [
            "https://git.example.com/team/apps",
            "https://git.example.com/team/apps.git",
            "https://git.example.com/team/apps/",
            "http://Git.Example.com:8080/Team/Apps",
            "https://robot:token@git.example.com/team/apps",
            "git@git.example.com:team/apps.git",
            "ssh://git@git.example.com:2222/team/apps.git",
            "git+ssh://git@git.example.com/team/apps",
            "ssh://git@ssh.git.example.com:443/team/apps.git",
            "ssh://git@altssh.git.example.com:443/team/apps.git",
        ],
        id="usual",
    ),
    pytest.param(
        "dev.azure.com/org/my project/_git/apps",
        [
            "https://dev.azure.com/org/my%20project/_git/apps",
            "https://org@dev.azure.com/org/my%20project/_git/apps",
            "git@ssh.dev.azure.com:v3/org/my%20project/apps",
            "https://org.visualstudio.com/my%20project/_git/apps",
            "https://org.visualstudio.com/DefaultCollection/my%20project/_git/apps",
            "org@vs-ssh.visualstudio.com:v3/org/my%20project/apps",
        ],
        id="azure",
    ),
    pytest.param(
        "dev.azure.com/org/apps/_git/apps",
        ["https://dev.azure.com/org/_git/apps", "git@ssh.dev.azure.com:v3/org/apps/apps"],
        id="short azure",
    ),
    pytest.param("ssh.example/team/apps", ["git@ssh.example:team/apps", "https://ssh.example/team/apps"], id="a host that is called ssh"),
    pytest.param("my-ssh.example.com/apps", ["git@my-ssh.example.com:apps"], id="a host that contains ssh"),
]


@pytest.mark.parametrize(("place", "urls"), REPOSITORIES)
def test_any_spelling_of_a_repository_is_one_place(place: str, urls: list[str]) -> None:
    assert {url: places.of_repository(url) for url in urls} == dict.fromkeys(urls, place)


@pytest.mark.parametrize(
    ("place", "urls"),
    [
        ("ghcr.io/team/chart", ["oci://ghcr.io/team/chart", "ghcr.io/Team/chart", "oci://GHCR.io/team/chart/", "ghcr.io:443/team/chart"]),
        (
            "docker.io/library/nginx",
            ["docker.io/library/nginx", "oci://registry-1.docker.io/library/nginx", "index.docker.io/library/nginx"],
        ),
        ("localhost/charts/shop", ["localhost:5000/charts/shop", "oci://localhost:5000/charts/shop"]),
    ],
)
def test_any_spelling_of_an_artefact_is_one_place(place: str, urls: list[str]) -> None:
    assert {url: places.of_artefact(url) for url in urls} == dict.fromkeys(urls, place)


@pytest.mark.parametrize("url", ["", "x", "ext::sh -c id", "--upload-pack=id", "https://host", "https://a b/c", "x" * 5000])
def test_what_is_no_address_is_no_place(url: str) -> None:
    assert places.of_repository(url) == ""
    assert places.of_artefact(url) == ""
