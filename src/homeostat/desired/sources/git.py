"""Git repositories as sources: a revision becomes a commit, a commit becomes the files of a tree.

Start here. :class:`GitSources` is made once per process and used by every app; what it does for one repository is in ``remote.py``.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from homeostat.desired.sources import blame, revisions, secrets, store, urls
from homeostat.desired.sources.blame import Change
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import (
    CacheError,
    CommitMissingError,
    EmptyRepositoryError,
    RefusedError,
    RevisionDeletedError,
    RevisionMissingError,
)
from homeostat.desired.sources.git_tree import GitTree
from homeostat.desired.sources.integrity import Mode, Policy
from homeostat.desired.sources.lfs import LargeFiles
from homeostat.desired.sources.remote import Gates, Limits, Remote, Shelf
from homeostat.desired.sources.revisions import Form, Wanted
from homeostat.desired.sources.signatures import Signatures
from homeostat.desired.sources.store import Commit, Store
from homeostat.desired.sources.submodules import Budget, Submodules
from homeostat.desired.sources.tokens import Tokens
from homeostat.desired.sources.web import Web
from homeostat.model.tree import Tree

Highest = Callable[[str, Sequence[str]], Awaitable[str | None]]
"""Answers the highest of some versions that satisfies a constraint (``SemverRequest`` through the evaluator's pool), or ``None``."""


_IDLE = 24 * 3600.0


class Repo:
    """A repository and how to sign in to it. Equal when the normalised address and the credentials are.

    Raises :class:`RefusedError` for an address that is never handed to git.
    """

    __slots__ = ("_hash", "address", "credentials")

    def __init__(self, url: str, credentials: Credentials | None = None) -> None:
        self.address = urls.parse(url)
        self.credentials = credentials
        self._hash = hash((self.address.key, self.address.username, self.address.password, credentials))

    @property
    def url(self) -> str:
        """The address without credentials; fit for messages."""
        return self.address.url

    @property
    def key(self) -> str:
        """The normalised address: what a webhook's address is compared with (:func:`homeostat.desired.sources.urls.normalise`)."""
        return self.address.key

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Repo):
            return NotImplemented
        mine, theirs = self.address, other.address
        return (mine.key, mine.username, mine.password, self.credentials) == (
            theirs.key, theirs.username, theirs.password, other.credentials,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"Repo({self.url!r})"


class Resolved(msgspec.Struct, frozen=True):
    """What a revision is now. ``commit`` is a full id; ``reference`` is what led to it (``HEAD``, ``refs/tags/v1.2.0``), empty for a commit."""

    commit: str
    reference: str = ""


class GitSources:
    """Every Git repository of the process. An async context manager; leaving it ends all fetches.

    ``root`` is the folder of the caches; a later process goes on with it. ``highest`` chooses among versions; without it a range is
    an error. ``file_roots`` are the folders whose repositories ``file:`` addresses may name: none unless given, since anyone who may write an
    app could otherwise read every repository on this machine, the caches included. ``web`` asks what is no Git: issuers of tokens, LFS servers.
    ``with_submodules`` is asked whether trees hold their submodules.
    """

    def __init__(
        self,
        root: Path,
        *,
        highest: Highest | None = None,
        file_roots: Sequence[Path] = (),
        limits: Limits | None = None,
        gates: Gates | None = None,
        web: Web | None = None,
        with_submodules: Callable[[], bool] = lambda: True,
    ) -> None:
        self._root = root
        self._highest = highest
        self._file_roots = tuple(root.resolve() for root in file_roots)
        self._limits = limits or Limits()
        self._gates = gates or Gates()
        self._shelves: dict[str, Shelf] = {}
        self._remotes: dict[Repo, Remote] = {}
        self._listeners: list[Callable[[str], None]] = []
        self._signatures = Signatures(self._private)
        self._web = web or Web(gates=self._gates)
        self._owns_web = web is None
        self._tokens = Tokens(self._web)
        self._with_submodules = with_submodules
        self._submodules = Submodules(self._tree)

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._sweep)
        if self._owns_web:
            await self._web.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for remote in self._remotes.values():
            await remote.aclose()
        await self._signatures.aclose()
        if self._owns_web:
            await self._web.__aexit__(kind, error, trace)

    async def resolve(
        self, repo: Repo, revision: str, *, tag_prefix: str = "", fresh: bool = False, since: float | None = None
    ) -> Resolved:
        """The commit that ``revision`` means: a branch, a tag, a full or short commit id, a range of versions, ``HEAD`` or nothing.

        With ``tag_prefix`` a version or a range is one of the tags that begin with it; what comes behind is the version.

        Without ``fresh`` nothing is asked of the server once the repository was fetched by this process and the revision is known. With
        it, the answer comes from a fetch that begins after the call, shared by all who ask at that time; a full commit id that is here
        needs none. ``since`` (:func:`time.monotonic`) widens the sharing: a fetch that began at that time or later is fresh enough, as when
        a thousand apps are refreshed for one push and take their turns. Raises a :class:`homeostat.desired.sources.errors.SourceError`.
        """
        wanted = revisions.read(revision, tag_prefix)
        remote = self._remote(repo)
        fetched = False
        new = bool(wanted.other) and remote.want(wanted.other)
        pinned = wanted.form is Form.COMMIT and remote.ready and remote.store.commit_of(wanted.text) is not None
        if fresh and since is not None and remote.ready and remote.fetched_at >= since:
            fresh = False
        if not remote.ready or ((fresh or new) and not pinned):
            await remote.fetch(fresh=fresh or new)
            fetched = True
        found = await self._find(remote, wanted)
        if found is None and not fetched and not remote.recent:
            await remote.fetch(fresh=False)
            found = await self._find(remote, wanted)
        if found is None and wanted.abbreviation and remote.store.is_shallow():
            await remote.deepen()
            found = await self._find(remote, wanted)
        if found is None and wanted.form is Form.COMMIT:
            await remote.fetch_commit(wanted.text)
            found = await self._find(remote, wanted)
        if found is None:
            raise _missing(remote, wanted)
        return found

    async def tree(self, repo: Repo, commit: str, *, submodules: bool = True) -> Tree:
        """The files of ``commit``, a full id as :meth:`resolve` gave it, its ``submodules`` included. The same object for all who ask for the same commit.

        Asks a server only when this process has not fetched the repository yet, or the commit is not here.
        """
        return await self._tree(repo, commit, 0, Budget()) if submodules else await self._bare_tree(repo, commit)

    async def _tree(self, repo: Repo, commit: str, depth: int, budget: Budget) -> Tree:
        tree = await self._bare_tree(repo, commit)
        if not self._with_submodules():
            return tree
        return await self._submodules.mounted(repo, tree, Repo, depth, budget)

    async def _bare_tree(self, repo: Repo, commit: str) -> GitTree:
        remote = self._remote(repo)
        tree = remote.tree(commit) if remote.ready else None
        if tree is None:
            resolved = await self.resolve(repo, commit)
            tree = remote.tree(resolved.commit)
        if tree is None:
            raise CommitMissingError(f"The Git repository {repo.url} has no commit {commit}")
        return tree

    async def poll(self, repo: Repo) -> bool:
        """Fetch, and say whether any reference moved, appeared or vanished since the last fetch of this process."""
        return await self._remote(repo).fetch(fresh=True)

    def again_in(self, repo: Repo) -> float | None:
        """When a poll of a repository whose server did not answer is worth while: in so many seconds, more with each failure. ``None`` otherwise."""
        remote = self._remotes.get(repo)
        return None if remote is None else remote.again_in

    async def metadata(self, repo: Repo, commit: str) -> Commit:
        """Author, date, message and tags of ``commit``."""
        await self._bare_tree(repo, commit)
        remote = self._remote(repo)
        found = await asyncio.to_thread(remote.store.commit, commit)
        if found is None:
            raise CommitMissingError(f"The Git repository {repo.url} has no commit {commit}")
        references = (remote.references or {}).items()
        tags = [name.removeprefix("refs/tags/") for name, target in references if name.startswith("refs/tags/")
                and (target == commit or remote.store.commit_of(target) == commit)]  # fmt: skip
        return msgspec.structs.replace(found, tags=tuple(sorted(tags)))

    async def verify(self, repo: Repo, commit: str, policy: Policy | None, *, reference: str = "") -> str:
        """What is wrong with the signatures of ``commit``, one problem a line; empty when it is as ``policy`` asks for.

        ``reference`` is that of :class:`Resolved`: where it is an annotated tag, its signature counts. Answers are kept for a while. Raises a
        :class:`homeostat.model.errors.HomeostatError` when it cannot be told, which is no better than a problem.
        """
        if policy is None:
            return ""
        await self._bare_tree(repo, commit)
        remote = self._remote(repo)
        if policy.mode is Mode.STRICT:
            await remote.deepen()
        tag = remote.store.tag((remote.references or {}).get(reference, "")) if reference.startswith("refs/tags/") else None
        return await self._signatures.problem(remote.store, commit, tag, reference.removeprefix("refs/tags/"), policy)

    async def last_writer(self, repo: Repo, commit: str, path: str, first: int, last: int) -> Change | None:
        """Who wrote the lines ``first`` to ``last`` of the file at ``path`` (without links) in ``commit``; see :func:`blame.of_lines`."""
        await self._bare_tree(repo, commit)
        await self._remote(repo).deepen()
        return await blame.of_lines(self._remote(repo).store.path, commit, path, first, last)

    async def last_change(self, repo: Repo, commit: str, paths: Sequence[str]) -> Change | None:
        """The last commit up to ``commit`` that touched any of the files; see :func:`blame.of_files`."""
        await self._bare_tree(repo, commit)
        await self._remote(repo).deepen()
        return await blame.of_files(self._remote(repo).store.path, commit, paths)

    def subscribe(self, moved: Callable[[str], None]) -> None:
        """``moved`` is called with the key of a repository (:attr:`Repo.key`) whenever a fetch, whoever asked for it, found that references
        moved, appeared or vanished. It is called while the fetch ends: it must be quick, and ask nothing of this object.
        """
        self._listeners.append(moved)

    def _moved(self, key: str) -> None:
        for moved in self._listeners:
            moved(key)

    @property
    def _private(self) -> Path:
        return self._root / "private"

    @property
    def _caches(self) -> Path:
        return self._root / "git"

    def _sweep(self) -> None:
        """Remove what a killed process left, and the caches that nobody has used for long."""
        secrets.sweep(self._private)
        store.sweep(self._caches)

    def _remote(self, repo: Repo) -> Remote:
        remote = self._remotes.get(repo)
        if remote is None:
            self._check_folder(repo)
            self._forget_idle()
            shelf = self._shelves.get(repo.key)
            if shelf is None:
                name = hashlib.sha256(repo.key.encode()).hexdigest()
                shelf = self._shelves[repo.key] = Shelf(Store(self._caches / name))
            address = repo.address
            if repo.credentials is not None and repo.credentials.username and address.password:
                address = address._replace(username="", password="")
            large = None
            if repo.credentials is not None and repo.credentials.lfs:
                large = LargeFiles(address, repo.credentials, shelf.store, self._private, self._web, self._tokens)
            remote = self._remotes[repo] = Remote(
                address, repo.credentials, shelf, self._gates, self._private, self._limits, self._moved, self._tokens, large
            )
        remote.used = time.monotonic()
        return remote

    def _forget_idle(self) -> None:
        """Let go of what nobody has asked for in a long time: apps that are gone, credentials that were changed. The disk keeps its copy."""
        long_ago = time.monotonic() - _IDLE
        for repo in [repo for repo, remote in self._remotes.items() if remote.used < long_ago and not remote.busy]:
            del self._remotes[repo]
        in_use = {repo.key for repo in self._remotes}
        for key in [key for key in self._shelves if key not in in_use]:
            del self._shelves[key]

    def _check_folder(self, repo: Repo) -> None:
        if repo.address.scheme != "file":
            return
        folder = Path(repo.address.path).resolve()
        if folder.is_relative_to(self._root.resolve()) or not any(folder.is_relative_to(root) for root in self._file_roots):
            raise RefusedError(
                f"The Git repository {repo.url} is a folder of this machine, and folders are not allowed as sources",
                hint="serve it over https or ssh, or allow its parent folder when Homeostat is started",
            )

    async def _find(self, remote: Remote, wanted: Wanted) -> Resolved | None:
        """What ``wanted`` is by the last fetch. ``None`` when that fetch did not see it."""
        references = remote.references
        if references is None:
            return None
        known = remote.memory.get(wanted)
        if known is not None:
            return Resolved(*known)
        if wanted.form is Form.COMMIT:
            commit = remote.store.commit_of(wanted.text)
            return None if commit is None else Resolved(commit)
        if not references:
            raise EmptyRepositoryError(f"The Git repository {remote.address.url} is empty", hint="push a first commit")
        name: str | None = None
        if wanted.form is Form.RANGE:
            name = await self._choose(wanted, references)
        full = f"refs/tags/{name}" if name is not None else revisions.find(revisions.prefixed(wanted, references), references)
        if full is not None:
            commit = remote.store.commit_of(references[full])
            if commit is None:
                raise self._no_commit(remote, wanted, full)
            found = (commit, full)
            # A fetch may have finished while the range was being evaluated; then this answer is of yesterday and is not kept.
            if remote.references is references:
                remote.memory[wanted] = found
            return Resolved(*found)
        return self._abbreviated(remote, wanted)

    async def _choose(self, wanted: Wanted, references: Mapping[str, str]) -> str | None:
        if self._highest is None:
            raise RefusedError(f"The revision {wanted.text!r} is a range of versions, and nothing here can compare versions")
        candidates = revisions.versions(references, wanted.prefix)
        chosen = await self._highest(wanted.text, candidates) if candidates else None
        return wanted.prefix + chosen if chosen is not None and chosen in candidates else None

    def _abbreviated(self, remote: Remote, wanted: Wanted) -> Resolved | None:
        if not wanted.abbreviation:
            return None
        try:
            commit = remote.store.commit_by_prefix(wanted.abbreviation)
        except ValueError as error:
            message = f"The revision {wanted.text} is the beginning of several objects of the Git repository {remote.address.url}"
            raise RevisionMissingError(message, hint="write more of the commit id") from error
        return None if commit is None else Resolved(commit)

    def _no_commit(self, remote: Remote, wanted: Wanted, full: str) -> CacheError | RevisionMissingError:
        if remote.store.has((remote.references or {}).get(full, "")):
            return RevisionMissingError(f"The revision {wanted.text} of the Git repository {remote.address.url} is not a commit ({full})")
        remote.store.damaged = True
        return CacheError(
            f"The cached copy of {remote.address.url} lacks what {full} points to", hint="it is cloned again at the next refresh"
        )


def _missing(remote: Remote, wanted: Wanted) -> RevisionMissingError:
    url, text = remote.address.url, wanted.text
    if wanted.form is Form.RANGE:
        behind = f" behind the prefix {wanted.prefix!r}" if wanted.prefix else ""
        return RevisionMissingError(
            f"The Git repository {url} has no tag in the range {text!r}{behind}",
            hint=f"tags must be versions, such as {wanted.prefix}v1.2.3",
        )
    text = revisions.prefixed(wanted, remote.references or {})
    if text == "HEAD":
        return RevisionMissingError(f"The Git repository {url} has no default branch", hint="name a branch in `targetRevision`")
    deleted = revisions.find(text, remote.gone)
    if deleted is not None:
        kind = "tag" if deleted.startswith("refs/tags/") else "branch"
        return RevisionDeletedError(
            f"The {kind} {text!r} of the Git repository {url} was deleted; it was at {remote.gone[deleted]}",
            hint="set `targetRevision` to a branch or tag that exists",
        )
    return RevisionMissingError(
        f"The Git repository {url} has no branch, tag or commit {text!r}", hint="check `targetRevision`, and whether it was pushed"
    )
