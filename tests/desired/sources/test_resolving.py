"""From the text of a revision to a commit and its files, over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from homeostat.box.gitserver import GitServer
from homeostat.desired.sources.errors import (
    CommitMissingError,
    EmptyRepositoryError,
    RefusedError,
    RepositoryMissingError,
    RevisionDeletedError,
    RevisionMissingError,
)
from homeostat.desired.sources.git import GitSources, Repo, Resolved
from tests.desired.sources.worktree import Worktree


async def test_each_form_of_a_revision(server: GitServer, work: Worktree, sources: GitSources) -> None:
    first = await work.commit({"a": "1"})
    await work.git("tag", "v1.0.0")
    await work.git("tag", "-a", "-m", "annotated", "v1.1.0")
    second = await work.commit({"a": "2"}, to="feature/x")
    await work.push("--tags", f"{first}:refs/pull/7/head")
    repo = Repo(server.url("web"))
    assert await sources.resolve(repo, "") == Resolved(first, "HEAD")
    assert await sources.resolve(repo, "HEAD") == Resolved(first, "HEAD")
    assert await sources.resolve(repo, "main") == Resolved(first, "refs/heads/main")
    assert await sources.resolve(repo, "refs/heads/main") == Resolved(first, "refs/heads/main")
    assert await sources.resolve(repo, "feature/x") == Resolved(second, "refs/heads/feature/x")
    assert await sources.resolve(repo, "v1.0.0") == Resolved(first, "refs/tags/v1.0.0")
    assert await sources.resolve(repo, "v1.1.0") == Resolved(first, "refs/tags/v1.1.0"), "an annotated tag is peeled"
    assert await sources.resolve(repo, second) == Resolved(second)
    assert await sources.resolve(repo, second.upper()) == Resolved(second)
    assert await sources.resolve(repo, second[:7]) == Resolved(second)
    assert await sources.resolve(repo, "refs/pull/7/head") == Resolved(first, "refs/pull/7/head")
    tree = await sources.tree(repo, second)
    assert tree.read("a") == b"2"
    assert await sources.tree(repo, second) is tree
    about = await sources.metadata(repo, first)
    assert (about.author, about.date, about.message, about.tags) == ("Ada <ada@example.com>", 1767323045, "change\n", ("v1.0.0", "v1.1.0"))


async def test_other_references_move_with_a_fresh_answer(server: GitServer, work: Worktree, sources: GitSources) -> None:
    first = await work.commit({"a": "1"})
    await work.push(f"{first}:refs/pull/7/head")
    repo = Repo(server.url("web"))
    assert (await sources.resolve(repo, "refs/pull/7/head")).commit == first
    second = await work.commit({"a": "2"}, push=False)
    await work.push(f"{second}:refs/pull/7/head")
    assert (await sources.resolve(repo, "refs/pull/7/head", fresh=True)).commit == second
    with pytest.raises(RevisionMissingError, match="refs/pull/8/head"):
        await sources.resolve(repo, "refs/pull/8/head")
    assert (await sources.resolve(repo, "main", fresh=True)).commit == first, "a reference that is not there spoils nothing"


async def test_a_range_is_the_highest_tag_in_it(tmp_path: Path, server: GitServer, work: Worktree) -> None:
    asked: list[tuple[str, Sequence[str]]] = []

    async def highest(constraint: str, versions: Sequence[str]) -> str | None:
        asked.append((constraint, tuple(versions)))
        return {"1.x": "v1.2.0", ">=1.0 <2": "v1.2.0"}.get(constraint)

    commit = await work.commit({"a": "1"})
    for tag in ("v1.0.0", "v1.2.0", "v2.0.0", "latest"):
        await work.git("tag", tag)
    await work.push("--tags")
    async with GitSources(tmp_path / "cache", highest=highest) as sources:
        repo = Repo(server.url("web"))
        for _ in range(3):
            assert await sources.resolve(repo, "1.x") == Resolved(commit, "refs/tags/v1.2.0")
        assert await sources.resolve(repo, ">=1.0 <2") == Resolved(commit, "refs/tags/v1.2.0")
        with pytest.raises(RevisionMissingError, match=r"no tag in the range '\^9'"):
            await sources.resolve(repo, "^9")
    assert [constraint for constraint, _ in asked] == ["1.x", ">=1.0 <2", "^9"], "evaluated once per fetch"
    assert asked[0][1] == ("v1.0.0", "v1.2.0", "v2.0.0")


async def test_a_range_without_an_evaluator_is_refused(server: GitServer, work: Worktree, sources: GitSources) -> None:
    await work.commit({"a": "1"})
    with pytest.raises(RefusedError, match="range of versions"):
        await sources.resolve(Repo(server.url("web")), "1.x")


async def test_a_missing_revision_names_repository_and_revision(server: GitServer, work: Worktree, sources: GitSources) -> None:
    await work.commit({"a": "1"})
    repo = Repo(server.url("web"))
    for revision in ("nowhere", "refs/heads/nowhere", "deadbeef"):
        with pytest.raises(RevisionMissingError, match=f"{server.url('web')} has no branch, tag or commit '{revision}'"):
            await sources.resolve(repo, revision)
    with pytest.raises(CommitMissingError, match="d" * 40):
        await sources.resolve(repo, "d" * 40)
    with pytest.raises(CommitMissingError):
        await sources.tree(repo, "d" * 40)


async def test_a_missing_revision_is_not_asked_for_again_and_again(server: GitServer, work: Worktree, sources: GitSources) -> None:
    await work.commit({"a": "1"})
    repo = Repo(server.url("web"))
    server.seen.clear()
    for _ in range(20):
        with pytest.raises(RevisionMissingError):
            await sources.resolve(repo, "nowhere")
    assert len([seen for seen in server.seen if seen.method == "GET"]) == 1


async def test_a_branch_that_was_deleted_says_where_it_was(server: GitServer, work: Worktree, sources: GitSources) -> None:
    commit = await work.commit({"a": "1"})
    await work.push("HEAD:refs/heads/gone")
    repo = Repo(server.url("web"))
    await sources.resolve(repo, "gone")
    await work.push(":refs/heads/gone")
    with pytest.raises(RevisionDeletedError, match=f"branch 'gone' .* was deleted; it was at {commit}"):
        await sources.resolve(repo, "gone", fresh=True)
    assert (await sources.tree(repo, commit)).read("a") == b"1"
    await work.push("HEAD:refs/heads/gone")
    assert (await sources.resolve(repo, "gone", fresh=True)).commit == commit


async def test_a_branch_may_become_a_folder_of_branches(server: GitServer, work: Worktree, sources: GitSources) -> None:
    commit = await work.commit({"a": "1"}, to="release")
    repo = Repo(server.url("web"))
    await sources.resolve(repo, "release")
    await work.push(":refs/heads/release")
    await work.push("HEAD:refs/heads/release/1")
    assert (await sources.resolve(repo, "release/1", fresh=True)).commit == commit


async def test_rewritten_history_is_followed_and_what_was_read_stays_readable(
    server: GitServer, work: Worktree, sources: GitSources
) -> None:
    await work.commit({"a": "old"})
    repo = Repo(server.url("web"))
    before = await sources.tree(repo, (await sources.resolve(repo, "main")).commit)
    await work.git("checkout", "--quiet", "--orphan", "again")
    await work.commit({"a": "new"})
    assert await sources.poll(repo)
    after = await sources.tree(repo, (await sources.resolve(repo, "main")).commit)
    assert (before.read("a"), after.read("a")) == (b"old", b"new")
    assert after.changed_since(before) == {"a"}


async def test_a_commit_on_no_branch_is_fetched_by_its_id(tmp_path: Path, server: GitServer, work: Worktree, sources: GitSources) -> None:
    lost = await work.commit({"a": "lost"}, to="temporary")
    await work.git("checkout", "--quiet", "--orphan", "again")
    await work.commit({"a": "kept"})
    await work.push(":refs/heads/temporary")
    repo = Repo(server.url("web"))
    assert await sources.resolve(repo, lost) == Resolved(lost)
    assert (await sources.tree(repo, lost)).read("a") == b"lost"
    await sources.poll(repo)
    assert (await sources.tree(repo, lost)).read("a") == b"lost", "a fetch does not take it away"
    bare = Worktree(server.folder / "web.git", "")
    await bare.git("reflog", "expire", "--expire=now", "--all")
    await bare.git("gc", "--quiet", "--prune=now")
    async with GitSources(tmp_path / "another") as another:
        with pytest.raises(CommitMissingError, match=f"has no commit {lost}") as missing:
            await another.resolve(repo, lost)
        assert "rewritten" in missing.value.hint


async def test_an_empty_repository_says_so_until_something_is_pushed(server: GitServer, work: Worktree, sources: GitSources) -> None:
    repo = Repo(server.url("web"))
    with pytest.raises(EmptyRepositoryError, match="is empty"):
        await sources.resolve(repo, "HEAD")
    commit = await work.commit({"a": "1"})
    assert (await sources.resolve(repo, "HEAD", fresh=True)).commit == commit


async def test_a_repository_without_its_default_branch_serves_the_others(server: GitServer, work: Worktree, sources: GitSources) -> None:
    commit = await work.commit({"a": "1"}, to="other")
    repo = Repo(server.url("web"))
    assert (await sources.resolve(repo, "other")).commit == commit
    with pytest.raises(RevisionMissingError, match="no default branch"):
        await sources.resolve(repo, "")


async def test_a_tag_on_something_else_than_a_commit_says_so(server: GitServer, work: Worktree, sources: GitSources) -> None:
    await work.commit({"a": "1"})
    await work.git("tag", "tree", "HEAD^{tree}")
    await work.push("--tags")
    with pytest.raises(RevisionMissingError, match=r"is not a commit \(refs/tags/tree\)"):
        await sources.resolve(Repo(server.url("web")), "tree")


async def test_a_repository_that_is_not_there_says_so(server: GitServer, sources: GitSources) -> None:
    with pytest.raises(RepositoryMissingError, match="no such repository"):
        await sources.resolve(Repo(server.url("nothing")), "main")


@pytest.mark.parametrize("revision", ["--upload-pack=touch pwned", "-x", "main:refs/heads/x", "a..b", "x\ny"])
async def test_a_hostile_revision_never_reaches_git(server: GitServer, sources: GitSources, revision: str) -> None:
    server.seen.clear()
    with pytest.raises(RefusedError):
        await sources.resolve(Repo(server.url("web")), revision)
    assert not server.seen


async def test_a_tag_prefix_narrows_versions_and_ranges_and_leaves_branches_alone(
    tmp_path: Path, server: GitServer, work: Worktree
) -> None:
    asked: list[tuple[str, Sequence[str]]] = []

    async def highest(constraint: str, versions: Sequence[str]) -> str | None:
        asked.append((constraint, versions))
        return max(versions, default=None)

    first = await work.commit({"a": "1"})
    for tag in ("prod/v1.0.0", "v9.0.0", "dev/v2.0.0", "prod/canary", "production/v3.0.0"):
        await work.git("tag", tag)
    second = await work.commit({"a": "2"})
    await work.git("tag", "prod/v1.1.0")
    await work.push("--tags")
    repo = Repo(server.url("web"))
    async with GitSources(tmp_path / "prefixed", highest=highest) as sources:
        assert await sources.resolve(repo, "1.*", tag_prefix="prod/") == Resolved(second, "refs/tags/prod/v1.1.0")
        assert asked == [("1.*", ["v1.0.0", "v1.1.0"])]
        assert await sources.resolve(repo, "v1.0.0", tag_prefix="prod/") == Resolved(first, "refs/tags/prod/v1.0.0")
        assert await sources.resolve(repo, "canary", tag_prefix="prod/") == Resolved(first, "refs/tags/prod/canary")
        assert await sources.resolve(repo, "main", tag_prefix="prod/") == Resolved(second, "refs/heads/main")
        assert await sources.resolve(repo, second, tag_prefix="prod/") == Resolved(second)
        assert await sources.resolve(repo, "*") == Resolved(first, "refs/tags/v9.0.0"), "another prefix is another answer"
        with pytest.raises(RevisionMissingError, match=r"no branch, tag or commit 'prod/v9.0.0'"):
            await sources.resolve(repo, "v9.0.0", tag_prefix="prod/")
        with pytest.raises(RefusedError, match="tag prefix"):
            await sources.resolve(repo, "1.*", tag_prefix="--upload-pack=x ")
