"""What others tell us: somebody pushed to a Git repository, or published an artefact in an OCI registry.

It is hearsay. It names repositories, and only those that an app uses are asked, with the app's own address and credentials; what changed is found
out by asking. So whoever makes things up reaches nothing but a fetch that would have come anyway. What a push costs is bounded:

- pushes that are heard while others wait are looked at together, one look at the list of apps for all of them;
- a push to branches and tags that no app asks for costs nothing more;
- a repository is fetched once for all pushes to it until the fetch begins, and never twice at a time;
- a fetch that finds nothing new makes the next one for a push to that repository wait, longer each time (:data:`LONGEST_PAUSE` at most), until one
  finds something. So repeated or made-up pushes do not add up, and a real one is at most that late;
- a fetch that fails is tried again, for there may be no poll to make up for it (``timeout.reconciliation: 0``).

How senders write is ``web.webhooks``' business; which apps a fetch concerns is told by their traces (``engine``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from enum import Enum

import msgspec
import structlog

from homeostat.desired.sources import places, revisions, urls
from homeostat.desired.sources.errors import RefusedError
from homeostat.desired.sources.revisions import Form
from homeostat.loop import metrics
from homeostat.model.app import App, AppKey, Source

log = structlog.get_logger()

MOST_WAITING = 1000
"""Repositories that are told of and not yet looked up. A batch takes milliseconds, so this is a flood, and its sender is told to try later."""

MOST_NAMES = 1000
"""Branches and tags of one repository that are remembered by name; beyond that all are taken to have moved."""

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 10.0
LONGEST_RETRY = 60.0
FORGIVEN_AFTER = 60.0
"""Seconds of rest after which a repository's pause is forgotten."""


class Push(msgspec.Struct, frozen=True):
    """A push to a Git repository. ``addresses`` are all that the sender has for it: page, clone addresses.

    ``references`` are the full names of what moved, appeared or vanished; ``None``: not told. ``default`` is the name of the default branch,
    empty when it was not told.
    """

    addresses: tuple[str, ...]
    references: frozenset[str] | None = None
    default: str = ""


class Published(msgspec.Struct, frozen=True):
    """Tags that were published in repositories of an OCI registry. ``addresses`` are ``host/path``, with or without ``oci://``."""

    addresses: tuple[str, ...]
    tags: frozenset[str]


class Found(Enum):
    """What asking a repository came to."""

    NEWS = "news"
    NOTHING = "nothing"
    TROUBLE = "trouble"


class _Heard(msgspec.Struct):
    """What was heard of one place. ``references`` and ``defaults`` are of Git, ``tags`` of a registry."""

    pushes: int = 0
    references: set[str] | None = msgspec.field(default_factory=set)
    defaults: set[str] = msgspec.field(default_factory=set)
    tags: set[str] = msgspec.field(default_factory=set)


class _Line(msgspec.Struct):
    """One repository's. ``due`` is what is to be asked by the next turn; ``since`` is when its last turn ended, ``pause`` how long it then rests."""

    since: float
    pause: float = 0.0
    due: bool = False
    working: bool = False
    apps: set[AppKey] = msgspec.field(default_factory=set)


class Pushes:
    """Hears of pushes and sees to it that what they concern is asked. Run :meth:`run` in a task; the rest may be called at any time.

    ``in_use`` answers the Git repositories in use, by key, with their apps; ``apps`` all apps. ``fetch`` asks one Git repository, ``look`` makes
    apps due with new eyes. ``first_pause`` is for tests.
    """

    def __init__(
        self,
        *,
        in_use: Callable[[], Mapping[str, Sequence[App]]],
        apps: Callable[[], Iterable[App]],
        fetch: Callable[[str], Awaitable[Found]],
        look: Callable[[Iterable[AppKey]], None],
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self._in_use = in_use
        self._apps = apps
        self._fetch = fetch
        self._look = look
        self._first_pause = first_pause
        self._pushed: dict[str, _Heard] = {}
        self._published: dict[str, _Heard] = {}
        self._lines: dict[str, _Line] = {}
        self._news = asyncio.Event()

    def pushed(self, push: Push) -> bool:
        """Remembers a push. False when too many wait already, and the sender should try again."""
        found = {place for address in push.addresses if (place := places.of_repository(address))}
        if len(self._pushed) + len(found - self._pushed.keys()) > MOST_WAITING:
            return False
        for place in found:
            heard = self._pushed.setdefault(place, _Heard())
            heard.pushes += 1
            heard.defaults.add(push.default)
            if push.references is None or heard.references is None or len(heard.references) + len(push.references) > MOST_NAMES:
                heard.references = None
            else:
                heard.references |= push.references
        if found:
            self._news.set()
        return True

    def published(self, published: Published) -> bool:
        """Remembers tags of an OCI registry. False when too many wait already, and the sender should try again."""
        found = {place for address in published.addresses if (place := places.of_artefact(address))}
        if len(self._published) + len(found - self._published.keys()) > MOST_WAITING:
            return False
        for place in found:
            heard = self._published.setdefault(place, _Heard())
            heard.pushes += 1
            if len(heard.tags) + len(published.tags) <= MOST_NAMES:
                heard.tags |= published.tags
            else:
                heard.tags.add("")
        if found:
            self._news.set()
        return True

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._news.wait()
                self._news.clear()
                pushed, self._pushed = self._pushed, {}
                published, self._published = self._published, {}
                self._forgive()
                for name, apps in self._meant(pushed, published).items():
                    line = self._lines.setdefault(name, _Line(since=time.monotonic()))
                    line.due = True
                    line.apps |= apps
                    if not line.working:
                        line.working = True
                        group.create_task(self._work(name, line), name=f"ask {name}")

    def _meant(self, pushed: Mapping[str, _Heard], published: Mapping[str, _Heard]) -> dict[str, set[AppKey]]:
        """The lines that have something to do: Git repositories by their key, artefacts by ``oci://`` and their place with the apps they concern."""
        meant: dict[str, set[AppKey]] = {}
        if pushed:
            for repository, apps in self._in_use().items():
                heard = pushed.get(places.of_repository(repository))
                if heard is None:
                    continue
                metrics.WEBHOOKS.labels(urls.redact(repository)).inc(heard.pushes)
                if any(_is_asked_for(source.target_revision, heard) for app in apps for source in app.sources):
                    meant[repository] = set()
        if published:
            for app in self._apps():
                for place, tag in _artefacts(app):
                    heard = published.get(place)
                    if heard is not None and _is_wanted(tag, heard):
                        meant.setdefault(f"oci://{place}", set()).add(app.key)
            for place, heard in published.items():
                if f"oci://{place}" in meant:
                    metrics.WEBHOOKS.labels(f"oci://{place}").inc(heard.pushes)
        return meant

    async def _work(self, name: str, line: _Line) -> None:
        while line.due:
            rest = line.since + line.pause - time.monotonic()
            if rest > 0:
                await asyncio.sleep(rest)  # what is heard meanwhile is served by the same turn
            line.due = False
            apps, line.apps = line.apps, set()
            if apps:
                # Nothing tells whether their registry has news, so that the next turn rests in any case.
                self._look(apps)
                found = Found.NOTHING
            else:
                log.info("a push was told of: the repository is fetched", repository=urls.redact(name))
                found = await self._fetch(name)
            longest = LONGEST_RETRY if found is Found.TROUBLE else LONGEST_PAUSE
            line.pause = 0.0 if found is Found.NEWS else min(max(2 * line.pause, self._first_pause), longest)
            line.since = time.monotonic()
            line.due = line.due or found is Found.TROUBLE
        line.working = False

    def _forgive(self) -> None:
        long_ago = time.monotonic() - FORGIVEN_AFTER
        for name in [name for name, line in self._lines.items() if not line.working and line.since < long_ago]:
            del self._lines[name]


def _is_asked_for(revision: str, heard: _Heard) -> bool:
    """Whether what moved may be what ``revision`` means (``revisions.find``). A commit never moves."""
    if heard.references is None:
        return True
    try:
        wanted = revisions.read(revision)
    except RefusedError:
        return False
    if wanted.form is Form.COMMIT:
        return False
    if wanted.form is Form.RANGE:
        return any(name.startswith("refs/tags/") for name in heard.references)
    if wanted.text == "HEAD":
        return "" in heard.defaults or any(f"refs/heads/{name}" in heard.references for name in heard.defaults)
    names = (wanted.text, f"refs/tags/{wanted.text}", f"refs/heads/{wanted.text}", f"refs/{wanted.text}")
    return any(name in heard.references for name in names)


def _artefacts(app: App) -> Iterable[tuple[str, str]]:
    """Where in OCI registries the app's sources are, with the tags or versions that they ask for."""
    if app.problems or app.skip:
        return
    for source in app.sources:
        if source.chart or source.repo_url.startswith("oci://"):
            for address in _addresses(source):
                yield places.of_artefact(address), source.target_revision


def _addresses(source: Source) -> Iterable[str]:
    """``repoURL`` names the artefact itself, or the folder that its chart is in."""
    if "://" in source.repo_url and not source.repo_url.startswith("oci://"):
        return ()
    return (source.repo_url, f"{source.repo_url.rstrip('/')}/{source.chart}") if source.chart else (source.repo_url,)


def _is_wanted(asked: str, heard: _Heard) -> bool:
    """Whether one of the published tags may be what the source asks for; a version's ``+`` is ``_`` in a tag."""
    if "" in heard.tags or asked in heard.tags or asked.replace("+", "_") in heard.tags:
        return True
    try:
        wanted = revisions.read(asked)
    except RefusedError:
        return False
    return wanted.form is Form.RANGE or wanted.text == "HEAD"
