"""Submodules over HTTP with the real git, and what hostile ones come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeostat.box.gitserver import GitServer
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import CommitMissingError, RefusedError, SourceError, UnauthorisedError
from homeostat.desired.sources.git import GitSources, Repo
from homeostat.desired.sources.submodules import absolute
from homeostat.model.tree import EntryKind
from tests.desired.sources.worktree import Worktree


async def module(server: GitServer, folder: Path, name: str, files: dict[str, str]) -> tuple[Worktree, str]:
    work = await Worktree(folder / f"work-{name}", str(await server.create(name))).create()
    return work, await work.commit(files)


async def link(work: Worktree, path: str, commit: str, url: str, *, name: str = "") -> str:
    """Add a submodule without fetching it: its gitlink, and its lines in ``.gitmodules``."""
    await work.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
    await work.git("config", "--file", ".gitmodules", f"submodule.{name or path}.path", path)
    await work.git("config", "--file", ".gitmodules", f"submodule.{name or path}.url", url)
    return await record(work)


async def record(work: Worktree) -> str:
    await work.git("add", ".gitmodules")
    await work.git("commit", "--quiet", "-m", "submodules")
    await work.push("HEAD:refs/heads/main")
    return await work.git("rev-parse", "HEAD")


async def test_a_submodule_is_there_at_the_commit_of_its_gitlink_with_those_that_it_has_itself(
    tmp_path: Path, server: GitServer, work: Worktree, sources: GitSources
) -> None:
    _, inner = await module(server, tmp_path, "inner", {"deep.yaml": "deep"})
    lib, _ = await module(server, tmp_path, "lib", {"lib.yaml": "one"})
    pinned = await link(lib, "vendor/inner", inner, "./../inner.git")
    (lib.folder / "lib.yaml").write_text("two")
    await lib.git("commit", "--quiet", "-m", "two", "lib.yaml")
    await lib.push("HEAD:refs/heads/main")
    await work.commit({"app.yaml": "app"})
    commit = await link(work, "lib", pinned, "../lib.git")
    repo = Repo(server.url("web"))
    tree = await sources.tree(repo, commit)
    assert tree.read("app.yaml") == b"app"
    assert tree.read("lib/lib.yaml") == b"one"
    assert tree.read("lib/vendor/inner/deep.yaml") == b"deep"
    assert tree.stat("lib") is EntryKind.DIRECTORY
    assert await sources.tree(repo, commit) is tree
    later = await link(work, "lib", await lib.git("rev-parse", "HEAD"), "../lib.git")
    newer = await sources.tree(repo, (await sources.resolve(repo, "main", fresh=True)).commit)
    assert newer.read("lib/lib.yaml") == b"two"
    changed = newer.changed_since(tree)
    assert "lib/lib.yaml" in changed
    assert not changed & {"app.yaml", "lib/vendor/inner/deep.yaml"}
    assert later != commit


async def test_submodules_can_be_switched_off(tmp_path: Path, server: GitServer, work: Worktree) -> None:
    _, lib = await module(server, tmp_path, "lib", {"a": "1"})
    commit = await link(work, "lib", lib, "../lib.git")
    async with GitSources(tmp_path / "without", with_submodules=lambda: False) as sources:
        tree = await sources.tree(Repo(server.url("web")), commit)
        assert tree.stat("lib") is EntryKind.SUBMODULE
        assert tree.read("lib/a") is None


async def test_a_gitlink_that_gitmodules_does_not_know_is_a_name_and_an_entry_without_gitlink_nothing(
    tmp_path: Path, server: GitServer, work: Worktree, sources: GitSources
) -> None:
    _, lib = await module(server, tmp_path, "lib", {"a": "1"})
    await link(work, "lib", lib, "../lib.git")
    await work.git("update-index", "--add", "--cacheinfo", f"160000,{lib},other")
    await work.git("config", "--file", ".gitmodules", "submodule.gone.path", "gone")
    await work.git("config", "--file", ".gitmodules", "submodule.gone.url", "../gone.git")
    tree = await sources.tree(Repo(server.url("web")), await record(work))
    assert tree.read("lib/a") == b"1"
    assert tree.stat("other") is EntryKind.SUBMODULE
    assert tree.stat("gone") is None


async def test_credentials_go_along_to_the_same_server_and_to_no_other(tmp_path: Path, sources: GitSources) -> None:
    async with (
        GitServer(tmp_path / "one", username="bob", password="s3cret") as own,
        GitServer(tmp_path / "two", username="bob", password="s3cret") as other,
    ):
        _, lib = await module(own, tmp_path, "lib", {"a": "1"})
        await module(other, tmp_path, "there", {"a": "1"})
        work, _ = await module(own, tmp_path, "web", {"b": "2"})
        repo = Repo(own.url("web"), Credentials(username="bob", password="s3cret"))
        tree = await sources.tree(repo, await link(work, "lib", lib, "../lib.git"))
        assert tree.read("lib/a") == b"1"
        commit = await link(work, "there", lib, other.url("there"))
        await sources.resolve(repo, "main", fresh=True)
        with pytest.raises(UnauthorisedError, match=r"The submodule 'there' of .* cannot be had") as refused:
            await sources.tree(repo, commit)
        assert "s3cret" not in str(refused.value)
        assert {seen.status for seen in other.seen} == {401}


async def test_a_commit_that_the_submodule_does_not_have_names_the_submodule(
    tmp_path: Path, server: GitServer, work: Worktree, sources: GitSources
) -> None:
    await module(server, tmp_path, "lib", {"a": "1"})
    commit = await link(work, "lib", "1" * 40, "../lib.git")
    with pytest.raises(CommitMissingError, match=r"The submodule 'lib' of .* has no commit 1111"):
        await sources.tree(Repo(server.url("web")), commit)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ext::sh -c touch% /tmp/pwned", "cannot be had"),
        ("file:///etc", "folders are not allowed"),
        ("--upload-pack=touch /tmp/pwned", "has characters that no address has"),
        ("-u./x", "starts with a dash"),
        ("/etc", "is a path"),
        ("../../../../x.git", "leaves the server"),
        ("https://bob:s3cret@127.0.0.1", "names a server but no repository"),
    ],
)
async def test_a_hostile_address_is_refused(url: str, said: str, server: GitServer, work: Worktree, sources: GitSources) -> None:
    commit = await link(work, "lib", "1" * 40, url)
    with pytest.raises(RefusedError, match=said) as refused:
        await sources.tree(Repo(server.url("web")), commit)
    assert "The submodule 'lib'" in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc", "-u", ".git/hooks", "a/./b", "."])
async def test_a_hostile_path_is_refused(path: str, server: GitServer, work: Worktree, sources: GitSources) -> None:
    await work.git("config", "--file", ".gitmodules", "submodule.x.path", path)
    await work.git("config", "--file", ".gitmodules", "submodule.x.url", "../lib.git")
    commit = await record(work)
    with pytest.raises(RefusedError, match="is no path in the repository"):
        await sources.tree(Repo(server.url("web")), commit)


async def test_submodules_in_submodules_paths_of_one_another_are_refused(server: GitServer, work: Worktree, sources: GitSources) -> None:
    for number, path in enumerate(("a", "a-b", "a/x")):
        await work.git("config", "--file", ".gitmodules", f"submodule.{number}.path", path)
        await work.git("config", "--file", ".gitmodules", f"submodule.{number}.url", "../lib.git")
    commit = await record(work)
    with pytest.raises(RefusedError, match="'a/x' is, or lies in, another submodule"):
        await sources.tree(Repo(server.url("web")), commit)


@pytest.mark.parametrize(
    "text", ["[submodule", "x" * 300_000, "".join(f'[submodule "{n}"]\npath = p{n}\nurl = ../x\n' for n in range(101))]
)
async def test_a_file_that_git_would_not_take_or_that_is_too_long_is_refused(
    text: str, server: GitServer, work: Worktree, sources: GitSources
) -> None:
    commit = await work.commit({".gitmodules": text})
    with pytest.raises(RefusedError, match=r"The file \.gitmodules of .* at "):
        await sources.tree(Repo(server.url("web")), commit)


async def test_a_file_that_includes_another_or_is_a_link_is_read_as_it_stands(
    server: GitServer, work: Worktree, sources: GitSources
) -> None:
    commit = await work.commit({".gitmodules": "[include]\n\tpath = /etc/passwd\n", "a": "1"})
    repo = Repo(server.url("web"))
    assert (await sources.tree(repo, commit)).read("a") == b"1"
    (work.folder / ".gitmodules").unlink()
    (work.folder / ".gitmodules").symlink_to("a")
    commit = await work.commit({"a": "2"})
    await sources.resolve(repo, "main", fresh=True)
    assert (await sources.tree(repo, commit)).read("a") == b"2"


async def test_a_repository_that_holds_itself_too_often_is_refused(server: GitServer, work: Worktree, sources: GitSources) -> None:
    commit = await work.commit({"a": "0"})
    for _ in range(9):
        commit = await link(work, "self", commit, server.url("web"))
    with pytest.raises(SourceError, match="lies too deep, or there are too many"):
        await sources.tree(Repo(server.url("web")), commit)


@pytest.mark.parametrize(
    ("url", "base", "found"),
    [
        ("https://b/c", "https://a/x", "https://b/c"),
        ("../lib.git", "https://a:8443/team/web.git", "https://a:8443/team/lib.git"),
        ("./lib", "https://a/team/web/", "https://a/team/web/lib"),
        ("../../lib", "https://a/team/web", "https://a/lib"),
        ("../lib.git", "git@a:team/web.git", "git@a:team/lib.git"),
        ("../lib.git", "git@a:web.git", "git@a:lib.git"),
        ("../../other/lib.git", "git@a:team/web.git", "git@a:other/lib.git"),
        ("../lib", "ssh://git@a/team/web", "ssh://git@a/team/lib"),
    ],
)
def test_relative_addresses_are_taken_as_git_takes_them(url: str, base: str, found: str) -> None:
    assert absolute(url, base) == found


@pytest.mark.parametrize(("url", "base"), [("../../x", "https://a/web"), ("../../x", "git@a:web"), ("../../../x", "git@a:t/web")])
def test_a_relative_address_does_not_leave_the_server(url: str, base: str) -> None:
    with pytest.raises(RefusedError, match="leaves the server"):
        absolute(url, base)
