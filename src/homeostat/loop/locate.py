"""Where the sources of an app are, and what they say: revisions, files, and whether their repositories can be asked at all.

The only part of the loop that asks for anything outside of the cluster. What the files mean is ``desire``'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from homeostat.desired.sources.errors import UnavailableError
from homeostat.desired.sources.git import GitSources, Repo
from homeostat.loop.trouble import Troubles
from homeostat.model.app import App, Source
from homeostat.model.errors import HomeostatError
from homeostat.model.tree import Tree


class Located(msgspec.Struct, frozen=True):
    """One source of an app at one revision."""

    source: Source
    repository: Repo
    revision: str
    tree: Tree


class Locator:
    """Finds the sources of apps. Repositories are named by their keys, which all who use them share."""

    def __init__(self, *, sources: GitSources, repository: Callable[[str, str], Repo]) -> None:
        self._sources = sources
        self._repository = repository
        self._troubles = Troubles()

    async def locate(self, source: Source, project: str, *, revision: str = "", asked_at: float | None = None) -> Located:
        """The files of ``source`` at ``revision`` (by default at what it asks for). Raises :class:`HomeostatError`.

        With ``asked_at`` (loop time) what was known before then does not count. While the server does not answer, the last that is known does, so
        that drift goes on being healed.
        """
        repository = self._repository(source.repo_url, project)
        asked, prefix = revision or source.target_revision, source.tag_prefix
        try:
            resolved = await self._sources.resolve(repository, asked, tag_prefix=prefix, fresh=asked_at is not None, since=asked_at)
        except UnavailableError as error:
            try:
                resolved = await self._sources.resolve(repository, asked, tag_prefix=prefix)
            except HomeostatError:
                raise error from None
            self._troubles.met(repository.key, error)
        else:
            if asked_at is not None:
                self._troubles.over(repository.key)
        return Located(source, repository, resolved.commit, await self._sources.tree(repository, resolved.commit))

    def repositories(self, app: App) -> set[str]:
        """The keys of the repositories of the app, by which apps that share one are told to look again."""
        return {repository.key for repository in self._of(app)}

    def trouble(self, app: App, key: str = "") -> str:
        """Why a repository of the app (that of ``key``, or any) could not be asked the last time, when that is so and older answers are being used."""
        if not self._troubles:
            return ""
        told = {told for one in self.repositories(app) if key in {"", one} and (told := self._troubles.of(one))}
        return "; ".join(sorted(told))

    async def poll(self, app: App, key: str = "") -> bool:
        """Asks the repository ``key`` of the app, or all of them, whether anything moved; true when trouble began or ended, whoever met it."""
        news = False
        for repository in set(self._of(app)):
            if key not in {"", repository.key}:
                continue
            try:
                await self._sources.poll(repository)
            except HomeostatError as error:
                self._troubles.met(repository.key, error)
            else:
                self._troubles.over(repository.key)
            news |= self._troubles.is_news(repository.key)
        return news

    def again_in(self, app: App, key: str) -> float | None:
        """In how many seconds a repository of the app should be polled again because it did not answer; ``None`` when there is no hurry."""
        waits = (self._sources.again_in(repository) for repository in self._of(app) if repository.key == key)
        return min((wait for wait in waits if wait is not None), default=None)

    def _of(self, app: App) -> Iterator[Repo]:
        for source in app.sources:
            try:
                yield self._repository(source.repo_url, app.project)
            except HomeostatError:  # said when the app is looked at
                continue
