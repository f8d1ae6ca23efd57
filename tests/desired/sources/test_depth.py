"""A shallow first fetch (``depth``): less to fetch, and nothing that can be asked later is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeostat.box.gitserver import GitServer
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.git import GitSources, Repo
from tests.desired.sources.worktree import Worktree

SHALLOW = Credentials(depth=1)


@pytest.fixture
async def commits(work: Worktree) -> list[str]:
    """Five commits, each with a line more."""
    return [await work.commit({"a": "".join(f"{line}\n" for line in range(number + 1)), f"f{number}": ""}) for number in range(5)]


def history(tmp_path: Path, name: str = "cache") -> bool:
    """Whether the clone lacks the beginning of its history."""
    (clone,) = (tmp_path / name / "git").iterdir()
    return (clone / "shallow").exists()


async def test_the_first_fetch_brings_the_newest_commits_and_later_ones_what_is_new(
    tmp_path: Path, server: GitServer, work: Worktree, commits: list[str], sources: GitSources
) -> None:
    repo = Repo(server.url("web"), SHALLOW)
    before = await sources.tree(repo, commits[-1])
    assert before.read("a") == b"0\n1\n2\n3\n4\n"
    assert history(tmp_path)
    await work.commit({"b": "1"}, to="side")
    last = await work.commit({"c": "1"})
    assert await sources.poll(repo)
    after = await sources.tree(repo, last)
    assert after.changed_since(before) == {"b", "c", "/"}
    assert history(tmp_path)
    posts = [seen for seen in server.seen if seen.method == "POST"]
    assert not await sources.poll(repo)
    later = [seen for seen in server.seen if seen.method == "POST"]
    assert len(later) - len(posts) <= 1, "a poll that finds nothing new fetches nothing"


async def test_a_commit_from_before_can_be_had_by_its_id_long_or_short(
    tmp_path: Path, server: GitServer, commits: list[str], sources: GitSources
) -> None:
    repo = Repo(server.url("web"), SHALLOW)
    assert (await sources.tree(repo, commits[1])).read("a") == b"0\n1\n"
    assert history(tmp_path), "one commit is no reason to fetch all"
    assert (await sources.resolve(repo, commits[0][:10])).commit == commits[0]


async def test_who_wrote_a_line_is_told_from_the_whole_history(
    tmp_path: Path, server: GitServer, work: Worktree, commits: list[str], sources: GitSources
) -> None:
    repo = Repo(server.url("web"), SHALLOW)
    await sources.resolve(repo, "main")
    found = await sources.last_writer(repo, commits[4], "a", 2, 2)
    assert found is not None
    assert found.commit == commits[1]
    assert not history(tmp_path)
    changed = await sources.last_change(repo, commits[4], ["f2"])
    assert changed is not None
    assert changed.commit == commits[2]
    last = await work.commit({"a": "new\n"})
    assert (await sources.resolve(repo, "main", fresh=True)).commit == last
    assert not history(tmp_path), "what was fetched stays"


async def test_the_next_process_goes_on_with_a_shallow_clone(tmp_path: Path, server: GitServer, work: Worktree, commits: list[str]) -> None:
    repo = Repo(server.url("web"), SHALLOW)
    async with GitSources(tmp_path / "kept") as sources:
        await sources.resolve(repo, "main")
    last = await work.commit({"a": "new\n"})
    async with GitSources(tmp_path / "kept") as sources:
        assert (await sources.tree(repo, (await sources.resolve(repo, "main")).commit)).read("a") == b"new\n"
        found = await sources.last_writer(repo, commits[4], "a", 1, 1)
        assert found is not None
        assert found.commit == commits[0]
        assert last != commits[4]
