"""One fetch for all who ask, only what is new, and a broken server that costs the others nothing."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from homeostat.box.gitserver import GitServer
from homeostat.desired.sources.errors import (
    CacheError,
    EmptyRepositoryError,
    FetchFailedError,
    RepositoryMissingError,
    SlowError,
    SourceError,
    UnreachableError,
)
from homeostat.desired.sources.git import GitSources, Repo
from homeostat.desired.sources.remote import Gates, Limits
from tests.desired.sources.servers import FailingServer, HeldServer, listening
from tests.desired.sources.worktree import Worktree


def fetches(server: GitServer) -> int:
    return len([seen for seen in server.seen if seen.method == "GET"])


async def test_fifty_apps_share_one_fetch(server: GitServer, work: Worktree, sources: GitSources) -> None:
    commit = await work.commit({"a": "1"})
    server.seen.clear()
    found = await asyncio.gather(*(sources.resolve(Repo(server.url("web")), "main") for _ in range(50)))
    assert {each.commit for each in found} == {commit}
    assert fetches(server) == 1
    await asyncio.gather(*(sources.resolve(Repo(server.url("web")), "main", fresh=True) for _ in range(50)))
    assert fetches(server) == 2
    await asyncio.gather(*(sources.resolve(Repo(server.url("web")), "main") for _ in range(50)))
    assert fetches(server) == 2, "what is known is not asked for"


async def test_who_asks_during_a_fetch_shares_the_next_one(tmp_path: Path) -> None:
    async with HeldServer(tmp_path / "served") as server, GitSources(tmp_path / "cache") as sources:
        work = await Worktree(tmp_path / "work", str(await server.create("web"))).create()
        await work.commit({"a": "1"})
        repo = Repo(server.url("web"))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(sources.resolve(repo, "main", fresh=True))
            await server.arrived.wait()
            late = [group.create_task(sources.resolve(repo, "main", fresh=True)) for _ in range(50)]
            satisfied = [group.create_task(sources.resolve(repo, "main")) for _ in range(50)]
            await asyncio.sleep(0)
            second = await work.commit({"a": "2"})
            server.go.set()
        assert {task.result().commit for task in late} == {second}
        assert {task.result() for task in satisfied} == {running.result()}, "who wants no fresh answer takes the running one"
        assert fetches(server) == 2


async def test_a_caller_that_gives_up_does_not_end_the_fetch_of_the_others(tmp_path: Path) -> None:
    async with HeldServer(tmp_path / "served") as server, GitSources(tmp_path / "cache") as sources:
        work = await Worktree(tmp_path / "work", str(await server.create("web"))).create()
        commit = await work.commit({"a": "1"})
        repo = Repo(server.url("web"))
        async with asyncio.TaskGroup() as group:
            impatient = group.create_task(sources.resolve(repo, "main"))
            patient = group.create_task(sources.resolve(repo, "main"))
            await server.arrived.wait()
            impatient.cancel()
            server.go.set()
        assert patient.result().commit == commit
        assert fetches(server) == 1


async def test_a_fetch_moves_only_what_is_new(server: GitServer, work: Worktree, sources: GitSources) -> None:
    await work.commit({f"files/{number}": f"{number}" * 2000 for number in range(500)})
    repo = Repo(server.url("web"))
    await sources.resolve(repo, "main")
    whole = sum(seen.sent for seen in server.seen if seen.service == "git-upload-pack")
    server.seen.clear()
    second = await work.commit({"files/1": "small"})
    assert (await sources.resolve(repo, "main", fresh=True)).commit == second
    sent = sum(seen.sent for seen in server.seen if seen.service == "git-upload-pack")
    assert sent < 8000 < whole


async def test_apps_that_take_turns_share_a_fetch_that_began_after_their_reason(
    server: GitServer, work: Worktree, sources: GitSources
) -> None:
    await work.commit({"a": "1"})
    repo = Repo(server.url("web"))
    await sources.resolve(repo, "main")
    second = await work.commit({"a": "2"})
    pushed = time.monotonic()
    server.seen.clear()
    for _ in range(20):
        assert (await sources.resolve(repo, "main", fresh=True, since=pushed)).commit == second
    assert fetches(server) == 1


async def test_a_cache_that_nobody_uses_for_a_month_is_removed(tmp_path: Path, server: GitServer, work: Worktree) -> None:
    await work.commit({"a": "1"})
    async with GitSources(tmp_path / "cache") as sources:
        await sources.resolve(Repo(server.url("web")), "main")
    (cache,) = (tmp_path / "cache" / "git").iterdir()
    (tmp_path / "cache" / "git" / "half.new").mkdir()
    async with GitSources(tmp_path / "cache"):
        assert list((tmp_path / "cache" / "git").iterdir()) == [cache]
    os.utime(cache, (0, 0))
    async with GitSources(tmp_path / "cache"):
        assert list((tmp_path / "cache" / "git").iterdir()) == []


async def test_what_nobody_asks_for_is_forgotten_and_found_again(
    server: GitServer, work: Worktree, sources: GitSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = await work.commit({"a": "1"})
    await server.create("other")
    await work.push("main")
    repo = Repo(server.url("web"))
    await sources.resolve(repo, "main")
    (shelf,) = sources._shelves.values()
    if shelf.tidied is not None:
        await shelf.tidied
    monkeypatch.setattr("homeostat.desired.sources.git._IDLE", -1.0)
    with pytest.raises(EmptyRepositoryError):
        await sources.resolve(Repo(server.url("other")), "main")
    assert repo not in sources._remotes
    assert (await sources.resolve(repo, "main")).commit == commit


async def test_poll_says_whether_anything_moved(server: GitServer, work: Worktree, sources: GitSources) -> None:
    await work.commit({"a": "1"})
    repo = Repo(server.url("web"))
    assert await sources.poll(repo)
    assert not await sources.poll(repo)
    await work.commit({"a": "2"}, to="other")
    assert await sources.poll(repo)
    await work.push(":refs/heads/other")
    assert await sources.poll(repo)
    assert not await sources.poll(repo)


async def test_a_later_process_goes_on_with_the_cache(tmp_path: Path, server: GitServer, work: Worktree) -> None:
    first = await work.commit({f"files/{number}": f"{number}" * 2000 for number in range(500)})
    repo = Repo(server.url("web"))
    async with GitSources(tmp_path / "cache") as sources:
        await sources.resolve(repo, "main")
    server.seen.clear()
    async with GitSources(tmp_path / "cache") as sources:
        assert (await sources.resolve(repo, "main")).commit == first
        assert (await sources.tree(repo, first)).read("files/7") == b"7" * 2000
    assert sum(seen.sent for seen in server.seen if seen.service == "git-upload-pack") < 8000


@pytest.mark.parametrize("damage", ["config", "HEAD", "objects", "references"])
async def test_a_damaged_cache_is_cloned_again(tmp_path: Path, server: GitServer, work: Worktree, damage: str) -> None:
    commit = await work.commit({"a": "1"})
    repo = Repo(server.url("web"))
    async with GitSources(tmp_path / "cache") as sources:
        await sources.resolve(repo, "main")
    (cache,) = (tmp_path / "cache" / "git").iterdir()
    if damage in {"config", "HEAD"}:
        (cache / damage).write_bytes(b"\x00[[[")
    elif damage == "references":
        for path in [path for path in (cache / "refs").rglob("*") if path.is_file()] + [cache / "packed-refs"]:
            path.write_text("rubbish\n")
    else:
        for path in (cache / "objects").rglob("*"):
            if path.is_file():
                # Another file in its place: libgit2 may still have the old one mapped, and a mapped file that shrinks kills its reader.
                path.unlink()
                path.write_bytes(b"")
    async with GitSources(tmp_path / "cache") as sources:
        try:
            found = await sources.resolve(repo, "main", fresh=True)
        except CacheError:  # git itself did not look at the objects; reading did
            found = await sources.resolve(repo, "main", fresh=True)
        assert found.commit == commit
        assert (await sources.tree(repo, commit)).read("a") == b"1"


async def test_damage_that_is_met_while_reading_is_repaired_by_the_next_resolve(tmp_path: Path, server: GitServer, work: Worktree) -> None:
    commit = await work.commit({"a": "1"})
    repo = Repo(server.url("web"))
    async with GitSources(tmp_path / "cache") as sources:
        await sources.resolve(repo, "main")
        tree = await sources.tree(repo, commit)
        (cache,) = (tmp_path / "cache" / "git").iterdir()
        for path in (cache / "objects").rglob("*"):
            if path.is_file():
                path.unlink()
        next(iter(sources._shelves.values())).store.reopen()
        with pytest.raises(CacheError):
            tree.read("a")
        assert (await sources.resolve(repo, "main")).commit == commit
        assert tree.read("a") == b"1"


async def test_a_server_that_is_down_costs_one_attempt_for_all_and_what_is_known_stays(tmp_path: Path) -> None:
    async with GitSources(tmp_path / "cache", limits=Limits(first_pause=3600)) as sources:
        async with GitServer(tmp_path / "served") as server:
            work = await Worktree(tmp_path / "work", str(await server.create("web"))).create()
            commit = await work.commit({"a": "1"})
            repo = Repo(server.url("web"))
            await sources.resolve(repo, "main")
        with pytest.raises(UnreachableError, match="no connection"):
            await sources.resolve(repo, "main", fresh=True)
        assert (await sources.resolve(repo, "main")).commit == commit
        assert (await sources.tree(repo, commit)).read("a") == b"1"


async def test_a_dead_server_is_not_hammered_by_a_thousand_apps(tmp_path: Path) -> None:
    async with listening(hang=False) as dead, GitSources(tmp_path / "cache", limits=Limits(first_pause=3600)) as sources:
        for fresh in (False, True, False):
            found = await asyncio.gather(
                *(sources.resolve(Repo(dead.url), "main", fresh=fresh) for _ in range(350)), return_exceptions=True
            )
            assert {type(error) for error in found} == {UnreachableError}
        assert dead.connections == 1


async def test_after_the_pause_there_is_another_attempt(tmp_path: Path) -> None:
    async with listening(hang=False) as dead, GitSources(tmp_path / "cache", limits=Limits(first_pause=0)) as sources:
        for _ in range(3):
            with pytest.raises(UnreachableError):
                await sources.resolve(Repo(dead.url), "main")
        assert dead.connections == 3


async def test_a_server_that_hangs_is_given_up(tmp_path: Path) -> None:
    async with listening(hang=True) as hanging, GitSources(tmp_path / "cache", limits=Limits(silence=0.3)) as sources:
        with pytest.raises(SlowError, match="was silent"):
            await sources.resolve(Repo(hanging.url), "main")


async def test_a_fetch_that_lasts_too_long_is_given_up(tmp_path: Path) -> None:
    async with listening(hang=True) as hanging, GitSources(tmp_path / "cache", limits=Limits(fetch=0.3)) as sources:
        with pytest.raises(SlowError, match="took too long"):
            await sources.resolve(Repo(hanging.url), "main")


async def test_one_repository_that_hangs_costs_another_nothing(tmp_path: Path, server: GitServer, work: Worktree) -> None:
    commit = await work.commit({"a": "1"})
    # 127.0.0.1 serves both: even on the same host there are more places than one.
    async with listening(hang=True) as hanging, GitSources(tmp_path / "cache") as sources, asyncio.TaskGroup() as group:
        stuck = group.create_task(sources.resolve(Repo(hanging.url), "main"))
        await hanging.arrived.wait()
        assert (await sources.resolve(Repo(server.url("web")), "main")).commit == commit
        assert not stuck.done()
        stuck.cancel()


async def test_a_host_that_hangs_fills_only_its_own_places(tmp_path: Path, server: GitServer, work: Worktree) -> None:
    commit = await work.commit({"a": "1"})
    gates = Gates(in_all=3, per_host=2)
    async with listening(hang=True) as hanging, GitSources(tmp_path / "cache", gates=gates) as sources, asyncio.TaskGroup() as group:
        many = [hanging.url.replace("127.0.0.1", "localhost").replace("web", f"web{number}") for number in range(10)]
        stuck = [group.create_task(sources.resolve(Repo(url), "main")) for url in many]
        await hanging.arrived.wait()
        assert (await sources.resolve(Repo(server.url("web")), "main")).commit == commit
        for task in stuck:
            task.cancel()
    assert hanging.connections <= 2 * 2, "curl may try two addresses of localhost"


@pytest.mark.parametrize(("status", "expected"), [(500, FetchFailedError), (503, FetchFailedError), (429, FetchFailedError)])
async def test_a_server_that_fails_says_its_status(tmp_path: Path, status: int, expected: type[SourceError]) -> None:
    async with FailingServer(tmp_path / "served", status) as server, GitSources(tmp_path / "cache") as sources:
        with pytest.raises(expected, match=str(status)):
            await sources.resolve(Repo(server.url("web")), "main")


async def test_many_small_fetches_are_packed_and_stay_readable(
    tmp_path: Path, server: GitServer, work: Worktree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeostat.desired.sources.remote._TIDY_EVERY", 2)
    repo = Repo(server.url("web"))
    async with GitSources(tmp_path / "cache") as sources:
        commits = []
        for number in range(6):
            commits.append(await work.commit({"a": str(number)}))
            await sources.resolve(repo, "main", fresh=True)
            shelf = next(iter(sources._shelves.values()))
            if shelf.tidied is not None:
                await shelf.tidied
        for number, commit in enumerate(commits):
            assert (await sources.tree(repo, commit)).read("a") == str(number).encode()
        (cache,) = (tmp_path / "cache" / "git").iterdir()
        assert list((cache / "objects" / "pack").glob("*.pack"))
        assert len(list((cache / "objects").glob("??/*"))) < 6


async def test_who_does_not_answer_is_polled_sooner_than_usual_and_later_with_each_failure(tmp_path: Path) -> None:
    limits = Limits(first_pause=0, first_poll=5)
    async with GitServer(tmp_path / "served") as server, GitSources(tmp_path / "cache", limits=limits) as sources:
        work = await Worktree(tmp_path / "work", str(await server.create("web"))).create()
        await work.commit({"a": "1"})
        repo = Repo(server.url("web"))
        await sources.poll(repo)
        assert sources.again_in(repo) is None
        async with listening(hang=False) as dead:
            gone = Repo(dead.url)
            for longest in (6, 12, 24):
                with pytest.raises(UnreachableError):
                    await sources.poll(gone)
                again = sources.again_in(gone)
                assert again is not None
                assert longest / 2 < again <= longest
        missing = Repo(server.url("nothing"))
        with pytest.raises(RepositoryMissingError):
            await sources.poll(missing)
        assert sources.again_in(missing) is None, "asking more often would not make it appear"
