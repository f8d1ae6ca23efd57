"""What kustomizations name elsewhere: bases in other repositories, single files on web servers, charts. All of it is found, pinned and mounted before
a render, since a render has no network.

Kustomizations are read as far as they lead from one to another, also through what was fetched. A base is a source like any other: resolved by
``git.py`` with its repository's credentials, asked again when its app is. Where a render finds what a name means stands in a file of its own
(:data:`INDEX`), which is part of the tree, and so of the trace. What a kustomization means otherwise is the evaluator's business, and
what is wrong with one is left to the render to tell.
"""

from __future__ import annotations

import asyncio
import hashlib
import posixpath
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, NamedTuple

import msgspec

from homeostat.desired.sources import bases, urls
from homeostat.desired.sources.archive import ArchiveTree
from homeostat.desired.sources.charts import ChartRepository, ChartSources
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import RefusedError, SourceError
from homeostat.desired.sources.git import GitSources, Repo
from homeostat.desired.sources.mounted import mounted
from homeostat.desired.sources.web import Access, Web, place
from homeostat.model import yaml
from homeostat.model.errors import InvalidError
from homeostat.model.tasks import together
from homeostat.model.tree import MOUNTS, EntryKind, Tree, TreeError

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
INDEX = f"{MOUNTS}/overlay"
"""Where the tree with ``index.json`` is mounted: what each name means, as paths of the tree."""

_MAX_REMOTES = 50
_MAX_FOLDERS = 2000
_MAX_POLLED = 200
"""Of one repository: what its overlays have named last."""
_MAX_FILE = 512 * 1024
_MAX_DOWNLOAD = 10 * 1024 * 1024
_LONG = 32 * 1024
_MAX_REMEMBERED = 10_000
_FOLDERS = ("resources", "bases", "components", "generators", "transformers", "validators")
_FILES = ("crds", "configurations", "patchesStrategicMerge")
_PATHS = ("patches", "patchesJson6902", "replacements")


class Chart(NamedTuple):
    """An entry of ``helmCharts`` with a repository. ``homes`` are the folders where it may lie already, as ``helm pull`` of Kustomize leaves it."""

    repository: str
    name: str
    version: str
    homes: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{self.repository}\n{self.name}\n{self.version}"


class _Names(NamedTuple):
    """What one kustomization names. ``files`` can be single files only."""

    folders: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    generators: tuple[str, ...] = ()


class _Found(NamedTuple):
    """What the kustomizations of a tree name outside of it: by name, with the file that names it first."""

    remotes: dict[str, str]
    files: dict[str, str]
    charts: dict[Chart, str]


class _News(NamedTuple):
    """How to ask whether something has moved. ``key`` is that of a Git repository, which tells its own listeners; else empty."""

    poll: Callable[[], Coroutine[Any, Any, bool]]
    key: str = ""


class _Remote(NamedTuple):
    """What a name became. ``path`` is where it is in ``tree``, a folder or a file."""

    tree: Tree
    path: str
    repo: str
    ref: str
    news: _News


class Doors(NamedTuple):
    """Whom to ask, as the app's project may: the repositories of Git and of charts behind an address, with their credentials."""

    repository: Callable[[str], Repo]
    charts: Callable[[str], ChartRepository]


class Overlays:
    """Mounts what overlays name elsewhere. ``with_charts`` is asked whether Kustomize may inflate charts (``--enable-helm``)."""

    def __init__(self, *, git: GitSources, charts: ChartSources, web: Web, with_charts: Callable[[], bool] = lambda: False) -> None:
        self._git = git
        self._charts = charts
        self._web = web
        self._with_charts = with_charts
        self._parsed: OrderedDict[bytes, _Names] = OrderedDict()
        self._walked: OrderedDict[tuple[str, str, tuple[str, ...]], _Found] = OrderedDict()
        self._downloads: OrderedDict[tuple[str, Credentials], tuple[float, ArchiveTree]] = OrderedDict()
        self._news: dict[str, OrderedDict[str, _News]] = {}

    async def mounted(
        self,
        tree: Tree,
        path: str,
        access: Doors,
        *,
        key: Callable[[], str],
        components: tuple[str, ...] = (),
        fresh: bool = False,
        since: float | None = None,
    ) -> Tree:
        """``tree`` with what the overlay at ``path`` needs of elsewhere; as it is where it needs nothing.

        ``components`` are added to the overlay's own. What a name means comes from what the servers said last, or with ``fresh`` from new answers
        (:meth:`GitSources.resolve`); :meth:`poll` with the same ``key`` asks again. Raises a :class:`SourceError` that names file and address.
        """
        found = await self._walk(tree, path, components)
        if not found.remotes and not found.files and not found.charts:
            return tree
        index: dict[str, dict[str, Any]] = {"remotes": {}, "charts": {}}
        mounts: dict[str, Tree] = {}
        waiting = [(found, tree)]
        while waiting:
            wanted = {name: file for one, _ in waiting for name, file in one.remotes.items() if name not in index["remotes"]}
            files = {
                name: file for one, _ in waiting for name, file in one.files.items() if name not in index["remotes"] and name not in wanted
            }
            charts = {
                chart.key: (chart, file) for one, _ in waiting for chart, file in one.charts.items() if chart.key not in index["charts"]
            }
            if len(index["remotes"]) + len(index["charts"]) + len(wanted) + len(files) + len(charts) > _MAX_REMOTES:
                first = next(iter((wanted | files).values()), path)
                raise RefusedError(f"{first}: the overlay names more than {_MAX_REMOTES} bases, files and charts elsewhere")
            fetched = await together(
                *(self._named(file, name, self._remote(name, access, fresh, since)) for name, file in wanted.items()),
                *(self._named(file, name, self._download(name, access, fresh, since)) for name, file in files.items()),
                *(self._named(file, chart.name, self._chart(chart, access, fresh, since)) for chart, file in charts.values()),
            )
            waiting = []
            for number, (name, remote) in enumerate(zip((*wanted, *files, *charts), fetched, strict=True)):
                is_chart = number >= len(wanted) + len(files)
                mount = f"{MOUNTS}/{'charts' if is_chart else 'remote'}/{hashlib.sha256(name.encode()).hexdigest()[:20]}"
                mounts[mount] = remote.tree
                self._remember(key(), name, remote.news)
                if is_chart:
                    index["charts"][name] = mount
                    continue
                index["remotes"][name] = {
                    "path": posixpath.join(mount, remote.path).rstrip("/"), "root": mount, "repo": remote.repo, "ref": remote.ref, "shown": urls.redact(name),
                }  # fmt: skip
                if number < len(wanted) and remote.tree.stat(remote.path) is EntryKind.DIRECTORY:
                    waiting.append((await self._walk(remote.tree, remote.path), remote.tree))
        return mounted(tree, {**mounts, INDEX: ArchiveTree({"index.json": msgspec.json.encode(index, order="sorted")})})

    async def poll(self, key: str) -> set[str]:
        """Ask for what the overlays of ``key`` need. Answers the keys of all who need something that has moved; of what lies in Git, see :meth:`users`.

        One that cannot be asked keeps nobody from asking for the others; it is an error when there is no news to tell.
        """

        async def ask(one: _News) -> bool | SourceError:
            try:
                return await one.poll()
            except SourceError as error:
                return error

        news = list(self._news.get(key, {}).items())
        answers = await together(*(ask(one) for _, one in news))
        moved = {name for (name, one), answer in zip(news, answers, strict=True) if answer is True and not one.key}
        error = next((answer for answer in answers if isinstance(answer, SourceError)), None)
        if error is not None and not moved:
            raise error
        return {user for user, names in self._news.items() if moved & names.keys()}

    def users(self, repository: str) -> list[str]:
        """The keys of those whose overlays have bases in the Git repository of this key."""
        return [user for user, names in self._news.items() if any(one.key == repository for one in names.values())]

    def _remember(self, key: str, name: str, news: _News) -> None:
        names = self._news.setdefault(key, OrderedDict())
        names[name] = news
        names.move_to_end(name)
        while len(names) > _MAX_POLLED:
            names.popitem(last=False)

    async def _named(self, file: str, name: str, coro: Coroutine[Any, Any, _Remote]) -> _Remote:
        try:
            return await coro
        except SourceError as error:
            raise type(error)(f"{file}: {urls.redact(name)}: {error.message}", hint=error.hint) from error

    async def _remote(self, name: str, access: Doors, fresh: bool, since: float | None) -> _Remote:
        if name.lower().startswith(("https://", "http://")) and not _is_certainly_git(name):
            place(name)  # where nobody may be sent, git is not sent either
            # As Kustomize does: a file first; what is none may be a repository.
            try:
                return await self._download(name, access, fresh, since)
            except SourceError:
                if bases.parse(name) is None:
                    raise
        base = bases.parse(name)
        if base is None:
            raise RefusedError(f"{urls.redact(name)!r} is no address of a repository")
        if base.repo.startswith("file:"):
            raise RefusedError("a base elsewhere is not a folder of this machine", hint="use https or ssh")
        repo = access.repository(base.repo)
        found = await self._git.resolve(repo, base.ref, fresh=fresh, since=since)
        tree = await self._git.tree(repo, found.commit, submodules=base.submodules)
        try:
            is_there = not base.path or tree.stat(base.path) is EntryKind.DIRECTORY
        except TreeError as error:
            raise RefusedError(error.message, hint=error.hint) from error
        if not is_there:
            raise RefusedError(f"{repo.url} has no folder {base.path!r} at {found.commit[:12]}")
        return _Remote(tree, base.path, repo.url, base.ref, _News(lambda: self._git.poll(repo), repo.key))

    async def _download(self, name: str, access: Doors, fresh: bool, since: float | None) -> _Remote:
        there = place(name)
        given = access.charts(there.url).credentials
        trusted = Credentials(ca=given.ca, insecure=given.insecure, proxy=given.proxy, no_proxy=given.no_proxy)
        loop = asyncio.get_running_loop()
        known = self._downloads.get((name, trusted))
        if known is None or (fresh and known[0] < (since if since is not None else loop.time())):
            began = loop.time()
            answer = await self._web.get(name, access=Access(there.origin, trusted), what="The file", limit=_MAX_DOWNLOAD)
            if not await asyncio.to_thread(_is_yaml, answer.body):
                raise RefusedError("The server answers with no YAML")
            known = self._downloads[name, trusted] = (began, ArchiveTree({"file.yaml": answer.body}))
            while len(self._downloads) > 4 * _MAX_REMOTES:
                self._downloads.popitem(last=False)

        async def poll() -> bool:
            before = self._downloads.get((name, trusted))
            await self._download(name, access, True, None)
            return before is None or before[1].id != self._downloads[name, trusted][1].id

        return _Remote(known[1], "file.yaml", there.url, "", _News(poll))

    async def _chart(self, chart: Chart, access: Doors, fresh: bool, since: float | None) -> _Remote:
        where = access.charts(chart.repository)
        version = await self._charts.resolve(where, chart.name, chart.version, fresh=fresh, since=since)
        tree = await self._charts.tree(where, chart.name, version)
        return _Remote(tree, "", where.key, version, _News(lambda: self._charts.poll(where, chart.name)))

    async def _walk(self, tree: Tree, path: str, components: tuple[str, ...] = ()) -> _Found:
        with_charts = self._with_charts()
        about = (tree.id, f"{path} {with_charts}", components)
        known = self._walked.get(about)
        if known is None:
            known = await self._walk_anew(tree, path, components, with_charts=with_charts)
            self._walked[about] = known
            while len(self._walked) > _MAX_REMEMBERED:
                self._walked.popitem(last=False)
        return known

    async def _walk_anew(self, tree: Tree, path: str, components: tuple[str, ...], *, with_charts: bool) -> _Found:
        found = _Found({}, {}, {})
        folders = [path]
        seen = {path}
        for folder in folders:
            file, names = await self._names(tree, folder)
            if folder == path:
                names = names._replace(folders=(*names.folders, *components))
            for name in names.folders:
                local = _local(tree, folder, name)
                if local is None and "\n" not in name and (bases.parse(name) is not None or name.startswith(("https://", "http://"))):
                    found.remotes.setdefault(name, file)
                elif local is not None and local not in seen and len(folders) < _MAX_FOLDERS and _kind(tree, local) is EntryKind.DIRECTORY:
                    seen.add(local)
                    folders.append(local)
            for name in names.files:
                if name.startswith(("https://", "http://")):
                    found.files.setdefault(name, file)
            if with_charts:
                charts = list(names.charts)
                for text in names.generators:
                    charts += await self._generated(tree, folder, text)
                for chart in charts:
                    if not any(_kind(tree, posixpath.join(folder, home)) is EntryKind.DIRECTORY for home in chart.homes):
                        found.charts.setdefault(chart, file)
        return found

    async def _names(self, tree: Tree, folder: str) -> tuple[str, _Names]:
        for name in KUSTOMIZATIONS:
            file = posixpath.join(folder, name)
            data = _read(tree, file)
            if data is not None:
                return file, await self._parse(data)
        return folder or ".", _Names()

    async def _generated(self, tree: Tree, folder: str, name: str) -> tuple[Chart, ...]:
        """The charts of a HelmChartInflationGenerator that ``generators`` holds or names."""
        data = name.encode() if "\n" in name else _read(tree, posixpath.normpath(posixpath.join(folder, name)))
        return () if data is None or b"HelmChartInflationGenerator" not in data else (await self._parse(data)).charts

    async def _parse(self, data: bytes) -> _Names:
        digest = hashlib.blake2b(data, digest_size=16).digest()
        names = self._parsed.get(digest)
        if names is None:
            if len(data) > _MAX_FILE:
                names = _Names()
            else:
                names = await asyncio.to_thread(_names_in, data) if len(data) > _LONG else _names_in(data)
            self._parsed[digest] = names
            while len(self._parsed) > _MAX_REMEMBERED:
                self._parsed.popitem(last=False)
        return names


def _names_in(data: bytes) -> _Names:
    try:
        documents = [one for one in yaml.load_all(data, name="kustomization.yaml") if isinstance(one, dict)]
    except InvalidError:
        return _Names()
    folders: list[str] = []
    files: list[str] = []
    charts: list[Chart] = []
    generators: list[str] = []
    for document in documents:
        folders += [name for field in _FOLDERS for name in _strings(document.get(field))]
        files += [name for field in _FILES for name in _strings(document.get(field))]
        files += [one["path"] for field in _PATHS for one in _mappings(document.get(field)) if isinstance(one.get("path"), str)]
        generators += _strings(document.get("generators"))
        if document.get("kind") == "HelmChartInflationGenerator":
            charts += _charts(document, [document])
        globals_ = document.get("helmGlobals")
        charts += _charts(globals_ if isinstance(globals_, dict) else {}, _mappings(document.get("helmCharts")))
        for old in _mappings(document.get("helmChartInflationGenerator")):
            spelled = {"name": old.get("chartName"), "version": old.get("chartVersion"), "repo": old.get("chartRepoUrl")}
            charts += _charts(old, [spelled])
    return _Names(tuple(folders), tuple(files), tuple(charts), tuple(generators))


def _charts(globals_: dict[str, Any], entries: list[dict[str, Any]]) -> Iterator[Chart]:
    home = globals_.get("chartHome") or "charts"
    for entry in entries:
        name, repository, version = (entry.get(field) or "" for field in ("name", "repo", "version"))
        if name and repository and all(isinstance(text, str) for text in (home, name, repository, version)):
            folder = posixpath.join(home, f"{name}-{version}") if version else home
            yield Chart(repository.rstrip("/"), name, version, (posixpath.join(folder, name),))


def _strings(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _is_certainly_git(name: str) -> bool:
    """Addresses that no web server serves files at."""
    address = name.partition("?")[0]
    path = address.partition("://")[2]
    return "//" in path or ".git" in path.partition("/")[2] or "_git/" in path or "?ref=" in name or "?version=" in name


def _is_yaml(data: bytes) -> bool:
    """Whether it is one, and not a page for people. What it means is the render's business."""
    return not data.lstrip()[:200].lower().startswith((b"<!doctype", b"<html"))


def _local(tree: Tree, folder: str, name: str) -> str | None:
    """The path that ``name`` means when something is there."""
    path = posixpath.normpath(posixpath.join(folder, name))
    path = "" if path == "." else path
    return path if not name.startswith("/") and _kind(tree, path) is not None else None


def _kind(tree: Tree, path: str) -> EntryKind | None:
    try:
        return tree.stat(path)
    except TreeError:
        return None


def _read(tree: Tree, path: str) -> bytes | None:
    try:
        return tree.read(path)
    except TreeError:
        return None
