"""Where the sources of an app are, and what they say: revisions, files, and whether their repositories can be asked at all.

The only part of the loop that asks for anything outside of the cluster. What the files mean is ``desire``'s business.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from homeostat.desired.sources.errors import UnavailableError
from homeostat.desired.sources.sources import Sources
from homeostat.loop.trouble import Troubles
from homeostat.model.app import App, Source
from homeostat.model.errors import HomeostatError
from homeostat.model.tree import Tree


class Located(msgspec.Struct, frozen=True):
    """One source of an app at one revision."""

    source: Source
    revision: str
    tree: Tree


class Locator:
    """Finds the sources of apps. Repositories are named by their keys, which all who use them share."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._troubles = Troubles()

    async def locate(self, source: Source, project: str, *, revision: str = "", asked_at: float | None = None) -> Located:
        """The files of ``source`` at ``revision`` (by default at what it asks for). Raises :class:`HomeostatError`.

        With ``asked_at`` (loop time) what was known before then does not count. While the server does not answer, the last that is known does, so
        that drift goes on being healed.
        """
        key = self._sources.key(source, project)
        try:
            located = await self._locate(source, project, revision, asked_at)
        except UnavailableError as error:
            try:
                located = await self._locate(source, project, revision, None)
            except HomeostatError:
                raise error from None
            self._troubles.met(key, error)
        else:
            if asked_at is not None:
                self._troubles.over(key)
        return located

    async def _locate(self, source: Source, project: str, revision: str, asked_at: float | None) -> Located:
        fresh = asked_at is not None
        pinned = await self._sources.resolve(source, project, revision=revision, fresh=fresh, since=asked_at)
        tree = await self._sources.tree(source, project, pinned.revision, fresh=fresh, since=asked_at)
        return Located(source, pinned.revision, tree)

    def repositories(self, app: App) -> set[str]:
        """The keys of the repositories of the app, by which apps that share one are told to look again."""
        return {key for key, _ in self._of(app)}

    def trouble(self, app: App, key: str = "") -> str:
        """Why a repository of the app (that of ``key``, or any) could not be asked the last time, when that is so and older answers are being used."""
        if not self._troubles:
            return ""
        told = {told for one in self.repositories(app) if key in {"", one} and (told := self._troubles.of(one))}
        return "; ".join(sorted(told))

    async def poll(self, app: App, key: str = "") -> bool:
        """Asks the repository ``key`` of the app, or all of them, whether anything moved; true when trouble began or ended, whoever met it."""
        news = False
        for one, source in {one: source for one, source in self._of(app) if key in {"", one}}.items():
            try:
                await self._sources.poll(source, app.project)
            except HomeostatError as error:
                self._troubles.met(one, error)
            else:
                self._troubles.over(one)
            news |= self._troubles.is_news(one)
        return news

    def again_in(self, app: App, key: str) -> float | None:
        """In how many seconds a repository of the app should be polled again because it did not answer; ``None`` when there is no hurry."""
        source = next(source for one, source in self._of(app) if one == key)
        return self._sources.again_in(source, app.project)

    def _of(self, app: App) -> Iterator[tuple[str, Source]]:
        for source in app.sources:
            try:
                yield self._sources.key(source, app.project), source
            except HomeostatError:  # said when the app is looked at
                continue
