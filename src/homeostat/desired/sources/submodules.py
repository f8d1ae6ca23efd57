"""Submodules: other repositories at paths of a tree, each pinned by the commit that the tree itself names there (its gitlink).

As ``git submodule update --init --recursive`` would check them out, but as trees that are mounted; what stands in ``.gitmodules`` is not handed
to git as it is: it comes from whoever may push. Only path and address are read of it; an address has to be one that an app could name too, and
credentials go along to the repository's own origin and nowhere else. A gitlink that ``.gitmodules`` does not mention stays a name.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakValueDictionary

from homeostat.desired.sources import git_process, urls
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import CacheError, RefusedError, SourceError
from homeostat.desired.sources.git_tree import GitTree
from homeostat.desired.sources.mounted import MountedTree
from homeostat.desired.sources.urls import Address
from homeostat.model.tree import Tree

if TYPE_CHECKING:
    from homeostat.desired.sources.git import Repo

FILE = ".gitmodules"
_MAX_FILE = 256 * 1024
_MAX_MODULES = 100
_MAX_IN_ALL = 300
_MAX_DEPTH = 8
_MAX_TREES = 64


class Module(NamedTuple):
    """What ``.gitmodules`` says of one: where it is mounted, and the address as it stands there."""

    name: str
    path: str
    url: str


class Budget:
    """How many repositories one tree may bring along in all."""

    def __init__(self) -> None:
        self.left = _MAX_IN_ALL


Fetch = Callable[["Repo", str, int, Budget], Awaitable[Tree]]
"""Answers the tree of a repository at a commit, its own submodules included; the number is how deep it lies."""


class Submodules:
    """Mounts them, and remembers the trees: all apps of a commit share one."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._trees: OrderedDict[tuple[Repo, str], Tree] = OrderedDict()
        self._locks: WeakValueDictionary[tuple[Repo, str], asyncio.Lock] = WeakValueDictionary()

    async def mounted(self, repo: Repo, tree: GitTree, make: Callable[[str, Credentials | None], Repo], depth: int, budget: Budget) -> Tree:
        """``tree`` with its submodules. Raises a :class:`SourceError` that names the submodule when one cannot be had."""
        if tree.blob_of(FILE) is None:
            return tree
        key = (repo, tree.commit)
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            known = self._trees.get(key)
            if known is None:
                known = await self._mount(repo, tree, make, depth, budget)
                self._trees[key] = known
                while len(self._trees) > _MAX_TREES:
                    self._trees.popitem(last=False)
            else:
                self._trees.move_to_end(key)
            return known

    async def _mount(self, repo: Repo, tree: GitTree, make: Callable[[str, Credentials | None], Repo], depth: int, budget: Budget) -> Tree:
        mounts: dict[str, Tree] = {}
        for module in await read(repo, tree):
            commit = tree.gitlink(module.path)
            if commit is None:
                continue  # mentioned, and not there: git passes over it too
            where = f"The submodule {module.path!r} of {repo.url} at {tree.commit[:12]}"
            budget.left -= 1
            if depth >= _MAX_DEPTH or budget.left < 0:
                raise RefusedError(f"{where} lies too deep, or there are too many: at most {_MAX_DEPTH} levels and {_MAX_IN_ALL} in all")
            try:
                url = absolute(module.url, repo.url)
                there = urls.parse(url)
                mounts[module.path] = await self._fetch(make(url, lent(repo.address, repo.credentials, there)), commit, depth + 1, budget)
            except SourceError as error:
                raise type(error)(f"{where} cannot be had: {error.message}", hint=error.hint) from error
        return MountedTree(tree, mounts)  # even without any: so it can be compared with one that has some


async def read(repo: Repo, tree: GitTree) -> list[Module]:
    """The modules in the ``.gitmodules`` of ``tree``, by path. Raises :class:`RefusedError` for a file that git would not take, or paths that overlap."""
    blob = tree.blob_of(FILE)
    where = f"The file {FILE} of {repo.url} at {tree.commit[:12]}"
    if blob is None:
        return []
    if tree.size_of(FILE) > _MAX_FILE:
        raise RefusedError(f"{where} has more than {_MAX_FILE} bytes")
    done = await git_process.run(
        ["config", "--no-includes", f"--blob={blob}", "--null", "--get-regexp", r"^submodule\..*\.(path|url)$"],
        folder=tree.folder, environment={}, kept=4 * _MAX_FILE,
    )  # fmt: skip
    if done.stalled:
        raise CacheError(f"{where} cannot be read: git {done.stalled}")
    if done.code not in {0, 1} or done.error:  # 1 without a word: nothing of the kind stands there
        raise RefusedError(f"{where} cannot be read: it is not in the format of git's configuration")
    found: dict[str, dict[str, str]] = {}
    for entry in done.output.decode(errors="replace").split("\0"):
        key, _, value = entry.partition("\n")
        section, _, name = key.rpartition(".")
        found.setdefault(section.removeprefix("submodule."), {})[name] = value
    modules = [
        Module(name, fields["path"].rstrip("/"), fields["url"])
        for name, fields in found.items()
        if fields.get("path") and fields.get("url")
    ]
    if len(modules) > _MAX_MODULES:
        raise RefusedError(f"{where} names {len(modules)} submodules, more than the limit of {_MAX_MODULES}")
    return _checked(sorted(modules, key=lambda module: module.path), where)


def _checked(modules: list[Module], where: str) -> list[Module]:
    paths = {module.path for module in modules}
    for module in modules:
        path = module.path
        names = path.lower().split("/")
        if path.startswith(("/", "-")) or "\\" in path or path != posixpath.normpath(path) or {".", "..", ".git"} & set(names):
            raise RefusedError(f"{where}: submodule {module.name[:100]!r}: {path[:200]!r} is no path in the repository")
        if any(path[:at] in paths for at, character in enumerate(path) if character == "/") or len(paths) < len(modules):
            raise RefusedError(f"{where}: submodule {module.name[:100]!r}: {path[:200]!r} is, or lies in, another submodule")
    return modules


def absolute(url: str, base: str) -> str:
    """The address that ``url`` means in the repository at ``base``: one that begins with ``./`` or ``../`` is relative to it.

    Raises :class:`RefusedError` when it climbs above the server.
    """
    if not url.startswith(("./", "../")):
        return url
    head, rest = base.rstrip("/"), url
    while rest.startswith(("./", "../")):
        step, _, rest = rest.partition("/")
        if step == "..":
            scheme, mark, path = head.partition("://")
            cut = path if mark else head
            at = max(cut.rfind("/"), -1 if mark else cut.rfind(":"))
            # What is left of an address with a scheme must keep its host, one of ``host:path`` its colon.
            if at <= 0 or cut.endswith(":") or (not mark and ":" not in cut[: at + 1]):
                raise RefusedError(f"The relative address {urls.redact(url)!r} leaves the server of {base}")
            kept = cut[:at] if cut[at] == "/" else cut[: at + 1]
            head = f"{scheme}{mark}{kept}" if mark else kept
    return f"{head}{rest}" if head.endswith(":") else f"{head}/{rest}"


def lent(own: Address, credentials: Credentials | None, there: Address) -> Credentials | None:
    """The credentials of the repository at ``own`` as far as they are good for ``there``: whole at the same origin, else only how to get out to it."""
    if (own.scheme, own.host.lower(), own.port) == (there.scheme, there.host.lower(), there.port):
        if own.password and (credentials is None or not credentials.username):
            base = credentials or Credentials()
            return Credentials(
                username=own.username, password=own.password, ca=base.ca, insecure=base.insecure, proxy=base.proxy, no_proxy=base.no_proxy
            )
        return credentials
    if credentials is None:
        return None
    return Credentials(known_hosts=credentials.known_hosts, proxy=credentials.proxy, no_proxy=credentials.no_proxy)
