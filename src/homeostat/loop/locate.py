"""Where the sources of an app are, and what they say: revisions, files, and whether their repositories can be asked at all.

The only part of the loop that asks for anything outside of the cluster. What the files mean is ``desire``'s business.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import msgspec

from homeostat.desired.sources import integrity
from homeostat.desired.sources.errors import SourceError, UnavailableError
from homeostat.desired.sources.integrity import Keyring
from homeostat.desired.sources.sources import Sources, is_chart
from homeostat.loop.trouble import Troubles
from homeostat.model.app import App, Source
from homeostat.model.errors import HomeostatError
from homeostat.model.tree import Tree


class Located(msgspec.Struct, frozen=True):
    """One source of an app at one revision; ``reference`` is what led to a commit."""

    source: Source
    revision: str
    tree: Tree
    reference: str = ""


class Locator:
    """Finds the sources of apps. Repositories are named by their keys, which all who use them share."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._troubles = Troubles()
        self._ring: tuple[Mapping[str, str], Keyring] = ({}, Keyring())

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
        return Located(source, pinned.revision, tree, pinned.reference)

    async def unproven(self, located: Located, app: App, keys: Mapping[str, str]) -> str:
        """What is wrong with the signatures of a source; empty when nothing is, or its app's project asks for none.

        ``keys`` are those that count (``Settings.signing_keys``). Raises :class:`HomeostatError` when it cannot be told, which is no better.
        """
        source, reference = located.source, located.reference
        repository = self._sources.repository(source, app.project) if app.signatures else None
        policy = integrity.choose(source.repo_url, app.signatures, self._trusted(keys)) if repository is not None else None
        if repository is None or policy is None:
            return ""
        if not reference:
            # A sync holds on to a commit. A signed tag that led there goes on to count, as long as it leads there.
            with contextlib.suppress(SourceError):
                own = await self._sources.resolve(source, app.project)
                reference = own.reference if own.revision == located.revision else ""
        return await self._sources.git.verify(repository, located.revision, policy, reference=reference)

    def must_be_signed(self, app: App) -> bool:
        """Whether signatures are asked for in a repository of the app. Raises :class:`HomeostatError` when it cannot be told."""
        addresses = [source.repo_url for source in app.sources if app.signatures and not is_chart(source)]
        return any(integrity.choose(address, app.signatures, Keyring()) is not None for address in addresses)

    def _trusted(self, keys: Mapping[str, str]) -> Keyring:
        if self._ring[0] is not keys:
            self._ring = (keys, integrity.keyring(keys))
        return self._ring[1]

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
