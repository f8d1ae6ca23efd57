"""Pushes: only repositories in use are asked, only when an app asks for what moved, and never more often than it is worth."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from homeostat.desired.sources import urls
from homeostat.loop.pushes import MOST_NAMES, MOST_WAITING, Found, Published, Push, Pushes
from homeostat.model import tasks
from homeostat.model.app import App, AppKey, Destination, Source

REPOSITORY = "https://git.example.com/team/apps.git"
MAIN = frozenset({"refs/heads/main"})


def app(revision: str = "main", *, url: str = REPOSITORY, chart: str = "", name: str = "shop") -> App:
    source = Source(repo_url=url, target_revision=revision, chart=chart)
    return App(
        key=AppKey("Application", "argocd", name), id=name, uid=name, resource_version="1", sources=(source,), destination=Destination()
    )


class World:
    """Apps, and what was asked on their behalf. ``gate`` holds a fetch back; ``outcomes`` are what fetches find, in order, then nothing."""

    def __init__(self, *apps: App) -> None:
        self.apps = apps
        self.gate = asyncio.Event()
        self.gate.set()
        self.outcomes: list[Found] = []
        self.fetched: list[str] = []
        self.looked: list[str] = []
        self.begun = asyncio.Event()
        self._more = asyncio.Event()
        self.pushes = Pushes(in_use=self._in_use, apps=lambda: self.apps, fetch=self._fetch, look=self._look, first_pause=0.001)

    def _in_use(self) -> dict[str, list[App]]:
        using: dict[str, list[App]] = {}
        for one in self.apps:
            if not one.sources[0].chart and not one.sources[0].repo_url.startswith("oci:"):
                using.setdefault(urls.normalise(one.sources[0].repo_url), []).append(one)
        return using

    async def _fetch(self, repository: str) -> Found:
        self.begun.set()
        await self.gate.wait()
        self.fetched.append(repository)
        self._more.set()
        return self.outcomes.pop(0) if self.outcomes else Found.NOTHING

    def _look(self, keys: Iterable[AppKey]) -> None:
        self.looked += sorted(key.name for key in keys)
        self._more.set()

    async def more(self) -> None:
        """Something was asked since the last time."""
        async with asyncio.timeout(10):
            await self._more.wait()
        self._more.clear()

    async def settled(self) -> None:
        """What was heard has been looked up: a push to a place that is always asked has been served."""
        before = len(self.fetched)
        self.apps = (*self.apps, app(url="https://git.example.com/last", name="last"))
        assert self.pushes.pushed(Push(("https://git.example.com/last",)))
        async with asyncio.timeout(10):
            while "https://git.example.com/last" not in self.fetched[before:]:
                await self.more()
        self.fetched.remove("https://git.example.com/last")


@asynccontextmanager
async def running(*apps: App) -> AsyncIterator[World]:
    world = World(*apps)
    task = tasks.spawn(world.pushes.run(), name="pushes under test")
    try:
        yield world
    finally:
        await tasks.cancel([task])


async def test_a_push_to_a_repository_in_use_has_it_fetched_by_the_address_of_the_app() -> None:
    async with running(app(url="git@git.example.com:team/apps.git")) as world:
        assert world.pushes.pushed(Push((REPOSITORY,), MAIN))
        await world.more()
        assert world.fetched == ["ssh://git@git.example.com/team/apps"]


async def test_addresses_that_no_app_uses_are_never_asked() -> None:
    async with running(app()) as world:
        for url in (
            "https://git.example.com/team/other",
            "http://169.254.169.254/latest/meta-data",
            "file:///etc",
            "",
            "--x",
            "https://" + "a" * 9000,
        ):
            assert world.pushes.pushed(Push((url,), MAIN))
        await world.settled()
        assert world.fetched == []


@pytest.mark.parametrize(
    ("revision", "push", "asked"),
    [
        pytest.param("main", Push((REPOSITORY,), MAIN), True, id="its branch"),
        pytest.param("refs/heads/main", Push((REPOSITORY,), MAIN), True, id="its branch in full"),
        pytest.param("main", Push((REPOSITORY,), frozenset({"refs/heads/feature"})), False, id="another branch"),
        pytest.param("main", Push((REPOSITORY,), frozenset({"refs/heads/feature", "refs/heads/main"})), True, id="its branch among others"),
        pytest.param("main", Push((REPOSITORY,)), True, id="nobody knows what"),
        pytest.param("", Push((REPOSITORY,), MAIN, "main"), True, id="the default branch"),
        pytest.param("HEAD", Push((REPOSITORY,), frozenset({"refs/heads/feature"}), "main"), False, id="not the default branch"),
        pytest.param("HEAD", Push((REPOSITORY,), frozenset({"refs/heads/feature"})), True, id="perhaps the default branch"),
        pytest.param("v1.2.3", Push((REPOSITORY,), frozenset({"refs/tags/v1.2.3"})), True, id="its tag"),
        pytest.param("v1.2.3", Push((REPOSITORY,), frozenset({"refs/tags/v1.2.4"})), False, id="another tag"),
        pytest.param("1.*", Push((REPOSITORY,), frozenset({"refs/tags/v1.2.3"})), True, id="a tag, for a range"),
        pytest.param("1.*", Push((REPOSITORY,), MAIN), False, id="a branch, for a range"),
        pytest.param("0123456789012345678901234567890123456789", Push((REPOSITORY,), MAIN), False, id="a commit never moves"),
        pytest.param("refs/pull/7/head", Push((REPOSITORY,), frozenset({"refs/pull/7/head"})), True, id="another reference"),
        pytest.param("a..b", Push((REPOSITORY,), MAIN), False, id="no revision at all"),
    ],
)
async def test_a_repository_is_asked_when_an_app_asks_for_what_moved(revision: str, push: Push, *, asked: bool) -> None:
    async with running(app(revision)) as world:
        assert world.pushes.pushed(push)
        await world.settled()
        assert bool(world.fetched) is asked


async def test_a_thousand_pushes_are_one_fetch() -> None:
    async with running(app()) as world:
        for _ in range(1000):
            assert world.pushes.pushed(Push((REPOSITORY,), MAIN))
        await world.settled()
        assert world.fetched == ["https://git.example.com/team/apps"]


async def test_pushes_during_a_fetch_are_one_more_fetch() -> None:
    async with running(app()) as world:
        world.gate.clear()
        world.pushes.pushed(Push((REPOSITORY,), MAIN))
        await world.begun.wait()
        for _ in range(100):
            world.pushes.pushed(Push((REPOSITORY,), MAIN))
            await asyncio.sleep(0)
        world.gate.set()
        await world.more()
        await world.settled()
        while len(world.fetched) < 2:
            await world.more()
        await world.settled()
        assert len(world.fetched) == 2


async def test_a_fetch_that_fails_is_tried_again_without_another_push() -> None:
    async with running(app()) as world:
        world.outcomes = [Found.TROUBLE, Found.TROUBLE, Found.NEWS]
        world.pushes.pushed(Push((REPOSITORY,), MAIN))
        while len(world.fetched) < 3:
            await world.more()
        await world.settled()
        assert len(world.fetched) == 3


async def test_a_flood_of_repositories_is_turned_away_and_does_not_last() -> None:
    async with running(app()) as world:
        answers = [world.pushes.pushed(Push((f"https://git.example.com/{number}",))) for number in range(MOST_WAITING + 50)]
        assert answers == [True] * MOST_WAITING + [False] * 50
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        world.pushes.pushed(Push((REPOSITORY,), MAIN))
        await world.settled()
        assert len(world.fetched) == 1


async def test_more_names_than_are_remembered_are_all_names() -> None:
    async with running(app()) as world:
        for number in range(MOST_NAMES + 1):
            world.pushes.pushed(Push((REPOSITORY,), frozenset({f"refs/heads/{number}"})))
        await world.settled()
        assert len(world.fetched) == 1


@pytest.mark.parametrize(
    ("source", "tag", "due"),
    [
        pytest.param(app("1.2.3", url="ghcr.io/team", chart="shop"), "1.2.3", True, id="a chart's version"),
        pytest.param(app("1.2.3", url="oci://ghcr.io/team", chart="shop"), "1.2.4", False, id="another version"),
        pytest.param(app("1.2.3+build", url="ghcr.io/team", chart="shop"), "1.2.3_build", True, id="a version with build metadata"),
        pytest.param(app(">=1.0 <2", url="ghcr.io/team", chart="shop"), "1.2.4", True, id="a range"),
        pytest.param(app("stable", url="oci://ghcr.io/Team/shop"), "stable", True, id="an artefact"),
        pytest.param(app("stable", url="oci://ghcr.io/team/shop-2"), "stable", False, id="another artefact"),
        pytest.param(app("stable", url="https://ghcr.io/team/shop"), "stable", False, id="a Git repository of that name"),
        pytest.param(app("stable", url="https://ghcr.io/team", chart="shop"), "stable", False, id="a repository over HTTP"),
    ],
)
async def test_a_tag_makes_the_apps_due_that_ask_for_it(source: App, tag: str, *, due: bool) -> None:
    async with running(source) as world:
        assert world.pushes.published(Published(("ghcr.io/team/shop",), frozenset({tag})))
        await world.settled()
        assert bool(world.looked) is due


async def test_many_tags_make_an_app_due_twice_at_most() -> None:
    async with running(app("stable", url="oci://ghcr.io/team/shop")) as world:
        for _ in range(1000):
            assert world.pushes.published(Published(("ghcr.io/team/shop",), frozenset({"stable"})))
        await world.settled()
        assert world.looked == ["shop"]
