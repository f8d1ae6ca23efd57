"""One repository as one set of credentials sees it: fetches that its apps share, what they found, and how long to leave a broken server alone.

One fetch at a time. Who asks while one runs gets the *next* one, since the running one may have looked before the change that the asker has
heard of; so any number of askers costs at most two fetches. A fetch is one ``git fetch`` of all branches, tags and ``HEAD``: git moves only
what is new. After a failure the next attempt waits, for everyone; what an earlier fetch found can still be used.

What a fetch with other credentials left on disk is never an answer: a copy on disk is not a permission.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.request import getproxies_environment

import structlog

from homeostat.desired.sources import failures, git_process, metadata, redirects
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import CommitMissingError, SourceError, UnauthorisedError, UnavailableError
from homeostat.desired.sources.git_process import Finished
from homeostat.desired.sources.git_tree import GitTree, Large
from homeostat.desired.sources.revisions import Wanted
from homeostat.desired.sources.secrets import granted
from homeostat.desired.sources.store import PREFIX, Store
from homeostat.desired.sources.urls import Address
from homeostat.model import tasks
from homeostat.model.errors import HomeostatError

log = structlog.get_logger(__name__)

_OPTIONS = (
    "--progress",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-recurse-submodules",
    "--no-auto-maintenance",
    "--no-show-forced-updates",
)
# HEAD as a pattern: a repository without commits, or whose default branch is gone, then has none, and that is no failure.
_REFSPECS = (f"+HEAD*:{PREFIX}HEAD*", f"+refs/heads/*:{PREFIX}heads/*", f"+refs/tags/*:{PREFIX}tags/*")
_PORTS = {"https": "443", "http": "80", "ssh": "22"}
_MAX_OTHER = 100
_MAX_TREES = 64
_MAX_GONE = 10_000
_TIDY_EVERY = 128


@dataclass(frozen=True)
class Limits:
    """How long git may take, and how long a repository that failed is left alone. All in seconds."""

    silence: float = 60.0
    """Without a byte from git or the server. 60 s is what slow servers need to count the objects of a large repository."""
    fetch: float = 1800.0
    """For a whole fetch; the first one of a large repository takes minutes."""
    first_pause: float = 1.0
    """After the first failure; doubled by each further one."""
    longest_pause: float = 60.0
    first_poll: float = 5.0
    """Before a repository that did not answer is polled again; doubled by each further failure."""
    recent: float = 10.0
    """A fetch younger than this answers for revisions that it did not see, unless a fresh answer is asked for."""


class Gates:
    """How many fetches run at once: per server, so that one that hangs holds few places, and in all."""

    def __init__(self, *, in_all: int = 32, per_host: int = 6) -> None:
        self._in_all = asyncio.Semaphore(in_all)
        self._per_host = per_host
        self._hosts: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def place(self, host: str) -> AsyncIterator[None]:
        with self._host(host) as gate:
            # The host's gate first: who waits for a slow server holds no common place meanwhile.
            async with gate, self._in_all:
                yield

    @contextmanager
    def _host(self, host: str) -> Iterator[asyncio.Semaphore]:
        gate, users = self._hosts.get(host, (asyncio.Semaphore(self._per_host), 0))
        self._hosts[host] = gate, users + 1
        try:
            yield gate
        finally:
            users = self._hosts[host][1] - 1
            if users:
                self._hosts[host] = gate, users
            else:
                del self._hosts[host]


class SignIn(Protocol):
    """Turns credentials that name an issuer of tokens into such as git can use."""

    async def signed_in(self, address: Address, credentials: Credentials | None) -> Credentials | None: ...

    def forget(self, credentials: Credentials | None) -> None: ...


class Shelf:
    """The store of one address, shared by all credentials that it is fetched with."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.lock = asyncio.Lock()
        self.opened = False
        self.generation = 0
        self.untidy = _TIDY_EVERY
        self.tidied: asyncio.Task[None] | None = None


class Remote:
    """See the module. ``references`` is ``None`` until a fetch of this process with these credentials has succeeded."""

    def __init__(
        self,
        address: Address,
        credentials: Credentials | None,
        shelf: Shelf,
        gates: Gates,
        folder: Path,
        limits: Limits,
        on_moved: Callable[[str], None],
        sign_in: SignIn,
        large: Large | None = None,
    ) -> None:
        self.address = address
        self._on_moved = on_moved
        self._sign_in = sign_in
        self._large = large
        self._granted = credentials
        self.credentials = credentials
        self.store = shelf.store
        self.references: Mapping[str, str] | None = None
        self.gone: dict[str, str] = {}
        self.memory: dict[Wanted, tuple[str, str]] = {}
        self.used = time.monotonic()
        self._shelf = shelf
        self._gates = gates
        self._folder = folder
        self._limits = limits
        self._other: OrderedDict[str, None] = OrderedDict()
        self._trees: OrderedDict[str, GitTree] = OrderedDict()
        self._running: asyncio.Task[bool | SourceError] | None = None
        self._waiting: asyncio.Task[bool | SourceError] | None = None
        self._by_id: dict[str, asyncio.Task[bool | SourceError]] = {}
        self._not_handed_out: dict[str, float] = {}
        self._seen_generation = -1
        self.fetched_at = float("-inf")
        self._failures = 0
        self._failed_at = float("-inf")
        self._failure: SourceError | None = None
        self._at = address

    @property
    def recent(self) -> bool:
        """Whether a fetch has succeeded so lately that it answers for what it did not see."""
        return not self.store.damaged and time.monotonic() - self.fetched_at < self._limits.recent

    @property
    def ready(self) -> bool:
        """Whether the last fetch can be answered from."""
        return self.references is not None and not self.store.damaged

    @property
    def busy(self) -> bool:
        """Whether something runs for this repository."""
        running = (self._running, self._waiting, self._shelf.tidied, *self._by_id.values())
        return any(task is not None and not task.done() for task in running)

    @property
    def again_in(self) -> float | None:
        """How long a repository that does not answer should be left alone before the next poll; ``None`` when nothing suggests that waiting helps."""
        if not isinstance(self._failure, UnavailableError):
            return None
        pause: float = self._limits.first_poll * 2 ** min(self._failures - 1, 20)
        return pause * random.uniform(0.8, 1.2)  # noqa: S311 - so that a server that comes back is not asked for everything at once

    async def fetch(self, *, fresh: bool) -> bool:
        """Fetch, or share a fetch; ``True`` when a reference moved. ``fresh`` asks for one that starts after this call.

        Raises the :class:`SourceError` of the attempt, or of the last one while the repository is left alone after a failure.
        """
        if not fresh and self._running is not None and not self._running.done():
            return _outcome(await asyncio.shield(self._running))
        if self._waiting is None:
            self._leave_alone(fresh=fresh)
            self._waiting = tasks.spawn(self._next(self._running), name=f"fetch {self.address.key}")
        return _outcome(await asyncio.shield(self._waiting))

    def want(self, reference: str) -> bool:
        """Fetch ``reference`` (full name) from now on too. ``True`` when it was not asked for before."""
        known = reference in self._other
        self._other[reference] = None
        self._other.move_to_end(reference)
        while len(self._other) > _MAX_OTHER:
            self._other.popitem(last=False)
        return not known

    async def fetch_commit(self, commit: str) -> None:
        """Fetch one commit by its full id. Raises :class:`CommitMissingError` when the server does not hand it out."""
        if time.monotonic() - self._not_handed_out.get(commit, float("-inf")) < self._limits.recent:
            raise self._commit_missing(commit)
        task = self._by_id.get(commit)
        if task is None:
            task = self._by_id[commit] = tasks.spawn(self._one_commit(commit), name=f"fetch {self.address.key} {commit[:12]}")
            task.add_done_callback(lambda _: self._by_id.pop(commit, None))
        _outcome(await asyncio.shield(task))

    async def deepen(self) -> None:
        """Fetch what a shallow first fetch has left out (``depth``): the whole history, which is then kept. Raises :class:`SourceError`."""
        if not self.store.is_shallow():
            return
        async with self._gates.place(self.address.host), self._shelf.lock:
            if not self.store.is_shallow():
                return
            finished = await self._git_fetch("--unshallow", refspecs=[*_REFSPECS])
        if finished.code or finished.stalled:
            raise failures.explain(finished, self.address, self._granted)
        await asyncio.to_thread(self.store.reopen)

    def tree(self, commit: str) -> GitTree | None:
        """The files of ``commit`` when it is here."""
        known = self._trees.get(commit)
        if known is not None:
            self._trees.move_to_end(commit)
            return known
        root = self.store.root_of(commit)
        if root is None:
            return None
        tree = self._trees[commit] = GitTree(self.store, commit, root, lfs=self._large)
        while len(self._trees) > _MAX_TREES:
            self._trees.popitem(last=False)
        return tree

    async def aclose(self) -> None:
        """End what runs."""
        running = (self._running, self._waiting, self._shelf.tidied, *self._by_id.values())
        await tasks.cancel([task for task in running if task is not None])
        if self._large is not None:
            await self._large.aclose()

    def _leave_alone(self, *, fresh: bool) -> None:
        """Raise the last failure again while it is too early for another attempt. A fresh answer waits the shortest pause only."""
        if self._failure is None:
            return
        pause = self._limits.first_pause
        if not fresh:
            pause = min(pause * 2 ** min(self._failures - 1, 30), self._limits.longest_pause)
        if time.monotonic() < self._failed_at + pause:
            raise _again(self._failure)

    async def _next(self, running: asyncio.Task[bool | SourceError] | None) -> bool | SourceError:
        if running is not None:
            await asyncio.wait([running])
        async with self._gates.place(self.address.host), self._shelf.lock:
            # Only now does the fetch begin: everyone who came while it waited for its turn is served by it.
            self._running, self._waiting = self._waiting, None
            try:
                moved = await self._attempt()
            except HomeostatError as error:
                failure = error if isinstance(error, SourceError) else SourceError(error.message, hint=error.hint)
                if isinstance(error, UnauthorisedError):
                    self._sign_in.forget(self.credentials)
                self._failures += 1
                self._failed_at, self._failure = time.monotonic(), failure
                log.warning("a repository cannot be fetched", repository=self.address.key, error=failure.message, failures=self._failures)
                return failure
            self._failures, self._failure = 0, None
            if moved:
                self._tidy()
        return moved

    async def _attempt(self) -> bool:
        started = time.monotonic()
        if not self._shelf.opened or self.store.damaged:
            await self._end_packing()
            await asyncio.to_thread(self.store.open)
            self._shelf.opened = True
            self._shelf.generation += 1
        # Only the first fetch is a shallow one: later ones bring what is new since, and nothing has to be counted again at each poll.
        depth = self._depth if self._depth and not await asyncio.to_thread(self.store.references) else ()
        other = [f"+{name}*:{PREFIX}other/{name.removeprefix('refs/')}*" for name in self._other]
        finished = await self._git_fetch("--prune", *depth, refspecs=[*_REFSPECS, *other])
        if finished.code and failures.is_damage(finished):
            log.warning("a cached repository is damaged and is cloned again", repository=self.address.key)
            await self._end_packing()
            await asyncio.to_thread(self.store.discard)
            await asyncio.to_thread(self.store.open)
            self._shelf.generation += 1
            finished = await self._git_fetch("--prune", *self._depth, refspecs=[*_REFSPECS, *other])
        if finished.code or finished.stalled:
            raise failures.explain(finished, self.address, self._granted)
        # git is silent when nothing moved, and then nothing has to be read again.
        if finished.error.strip():
            self._shelf.generation += 1
        moved = False
        if self._seen_generation != self._shelf.generation or self.references is None:
            first = self.references is None
            moved = self._take(await asyncio.to_thread(self.store.references))
            if moved and not first:
                self._on_moved(self.address.key)
            self._seen_generation = self._shelf.generation
        self.fetched_at = started
        return moved

    def _take(self, references: Mapping[str, str]) -> bool:
        if references == self.references:
            return False
        for name, target in (self.references or {}).items():
            if name not in references and len(self.gone) < _MAX_GONE:
                self.gone[name] = target
        for name in references:
            self.gone.pop(name, None)
        self._shelf.untidy += len(references.items() ^ (self.references or {}).items())
        self.references = references
        self.memory.clear()
        return True

    async def _one_commit(self, commit: str) -> bool | SourceError:
        async with self._gates.place(self.address.host), self._shelf.lock:
            depth = self._depth if self.store.is_shallow() else ()
            finished = await self._git_fetch(*depth, refspecs=[f"+{commit}:{PREFIX}commits/{commit}"])
        if finished.code and failures.is_gone(finished):
            if len(self._not_handed_out) >= _MAX_GONE:
                self._not_handed_out.clear()
            self._not_handed_out[commit] = time.monotonic()
            return self._commit_missing(commit)
        if finished.code or finished.stalled:
            return failures.explain(finished, self.address, self._granted)
        return True

    def _commit_missing(self, commit: str) -> CommitMissingError:
        return CommitMissingError(
            f"The Git repository {self.address.url} has no commit {commit}",
            hint="its history may have been rewritten; choose a commit that a branch or tag leads to",
        )

    async def _git_fetch(self, *options: str, refspecs: list[str]) -> Finished:
        """Run ``git fetch``. Where a server redirects to is looked at before git goes there, and asked at once from then on."""
        if self.store.is_shallow() and self._shelf.tidied is not None:
            await asyncio.wait([self._shelf.tidied])  # both write down where the history begins
        finished = await self._git("fetch", *_OPTIONS, *options, refspecs=refspecs)
        if finished.code and failures.is_redirect(finished):
            await self._follow()
            finished = await self._git("fetch", *_OPTIONS, *options, refspecs=refspecs)
        if finished.code:
            self._at = self.address  # the next attempt begins at the beginning
        return finished

    async def _follow(self) -> None:
        """Finds where the repository is now. Raises :class:`RefusedError` when the way there leads to where nobody may be sent."""
        self._at = self.address
        for _ in range(redirects.MOST):
            target = redirects.location((await self._git("ls-remote", refspecs=["HEAD"], environment=redirects.TRACE)).error)
            if not target:
                return
            self._at = redirects.behind(self._at, target)

    @property
    def _depth(self) -> tuple[str, ...]:
        depth = self.credentials.depth if self.credentials is not None else 0
        return (f"--depth={depth}",) if depth > 0 else ()

    async def _git(self, *arguments: str, refspecs: list[str], environment: Mapping[str, str] | None = None) -> Finished:
        """Asks the server with git; ``arguments`` are what stands before the address."""
        credentials = self._granted = await self._sign_in.signed_in(self.address, self.credentials)
        at = self._at
        settings = await self._checked_host(at)
        with ExitStack() as stack:
            given = granted(at, redirects.along(credentials, self.address, at), self._folder)
            try:
                access = await asyncio.to_thread(stack.enter_context, given)
            except (OSError, UnicodeError) as error:
                raise UnauthorisedError(f"The credentials of {self.address.url} cannot be used: {type(error).__name__}") from error
            return await git_process.run(
                [*arguments, "--", at.url, *refspecs], folder=self.store.path, environment={**access.environment, **(environment or {})},
                settings=[*access.settings, *settings], scheme=at.scheme, silence=self._limits.silence, limit=self._limits.fetch,
            )  # fmt: skip

    async def _checked_host(self, address: Address) -> list[tuple[str, str]]:
        """Refuses a server at an address that nobody may be sent to, whatever its name resolves to; answers the setting that makes git go to what was
        looked at here. Behind a proxy it is the proxy that resolves names.
        """
        if address.scheme == "file":
            return []
        shown = address.url if address == self.address else f"{address.url}, where {self.address.url} redirects to"
        host, port = address.host.strip("[]"), address.port or _PORTS[address.scheme]
        metadata.refuse(host, shown)
        if (self.credentials is not None and self.credentials.proxy) or getproxies_environment():
            return []
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
        except OSError:
            return []  # git will say so
        answers = list(dict.fromkeys(str(answer[4][0]) for answer in found))
        for answer in answers:
            metadata.refuse(answer, f"{shown} ({answer})")
        if address.scheme == "ssh" or host in answers:
            return []
        return [("http.curloptResolve", f"{host}:{port}:{','.join(f'[{one}]' if ':' in one else one for one in answers)}")]

    def _tidy(self) -> None:
        """After the first clone, and whenever enough references have moved, pack what many small fetches left. It runs beside fetches and reads; nothing is lost."""
        shelf = self._shelf
        if shelf.untidy >= _TIDY_EVERY and (shelf.tidied is None or shelf.tidied.done()):
            shelf.untidy = 0
            shelf.tidied = tasks.spawn(self._pack(), name=f"pack {self.address.key}")

    async def _end_packing(self) -> None:
        """Before the repository is thrown away: a git that still writes into the folder would bring half of it back."""
        if self._shelf.tidied is not None:
            await tasks.cancel([self._shelf.tidied])

    async def _pack(self) -> None:
        for arguments in (["pack-refs", "--all"], ["repack", "-d", "-l", "-q", "--geometric=2", "--no-write-bitmap-index"]):
            finished = await git_process.run(arguments, folder=self.store.path, environment={}, silence=self._limits.fetch)
            if finished.code:
                log.warning("a cached repository was not packed", repository=self.address.key, error=finished.error[-300:])
                return
        if not self.store.damaged:
            await asyncio.to_thread(self.store.reopen)


def _outcome(outcome: bool | SourceError) -> bool:
    if isinstance(outcome, SourceError):
        raise _again(outcome)
    return outcome


def _again(error: SourceError) -> SourceError:
    """A copy for one of many who share a failure: an exception object that is raised twice collects the tracebacks of both."""
    copy = type(error)(error.message, hint=error.hint)
    copy.__cause__ = error
    return copy
