"""Helm values that lie on web servers: ``valueFiles`` and ``fileParameters`` that are URLs, fetched and mounted before a render, since it has no network.

Each is a folder at :data:`MOUNT` by the digest of its address, with the ``file`` in it, or ``missing`` where the server has none: whether that is an error is
the render's business (``ignoreMissingValueFiles``). Credentials of repositories are not sent; those in the address itself are. An address with
variables is not known before the render, and is refused by it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import NamedTuple, TypeVar

from homeostat.desired.sources.archive import ArchiveTree
from homeostat.desired.sources.charts import ChartRepository
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import RefusedError, SourceError, UnavailableError
from homeostat.desired.sources.mounted import mounted
from homeostat.desired.sources.urls import redact
from homeostat.desired.sources.web import Access, Web, place
from homeostat.model.app import Source
from homeostat.model.tasks import together
from homeostat.model.tree import MOUNTS, Tree

MOUNT = f"{MOUNTS}/values"
SCHEMES = ("https", "http")

_E = TypeVar("_E", bound=SourceError)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_MAX_FILES = 50
_MAX_FILE = 10 * 1024 * 1024
_MAX_KEPT = 500
_MAX_POLLED = 200
"""Of one repository: what its apps have named last."""


class _Address(NamedTuple):
    """Where a file is, and what is known of its server: authorities and proxies, and only those credentials that the address has."""

    url: str
    credentials: Credentials


class _File(NamedTuple):
    """``began``: loop time of the question. ``data``: ``None`` when the server has no such file."""

    began: float
    data: bytes | None


class ValueFiles:
    """Mounts what charts take values from. ``schemes`` are those that ``helm.valuesFileSchemes`` allows."""

    def __init__(self, web: Web, *, schemes: Callable[[], tuple[str, ...]] = lambda: SCHEMES) -> None:
        self._web = web
        self._schemes = schemes
        self._files: OrderedDict[_Address, _File] = OrderedDict()
        self._told: dict[str, OrderedDict[_Address, bytes | None]] = {}
        """By the key of a repository: what its apps have been told that is there."""

    async def mounted(
        self,
        tree: Tree,
        source: Source,
        *,
        server: Callable[[str], ChartRepository],
        key: Callable[[], str],
        fresh: bool = False,
        since: float | None = None,
    ) -> Tree:
        """``tree`` with the files that ``source`` names by URL; as it is where it names none.

        ``server`` answers how the server of an address is to be trusted. A file comes from what its server said last, or with ``fresh`` from
        a new answer (one that is no older than ``since``, in loop time); :meth:`poll` with the same ``key`` asks again. Raises a :class:`SourceError`.
        """
        named = dict(_named(source))
        if not named:
            return tree
        if len(named) > _MAX_FILES:
            raise RefusedError(f"helm.valueFiles: the source names more than {_MAX_FILES} files by URL")
        for url, field in named.items():
            self._check(url, field)

        async def fetched(url: str, field: str) -> tuple[_Address, bytes | None]:
            try:
                there = place(url)
                given = server(there.url).credentials
                address = _Address(
                    url,
                    Credentials(
                        username=there.username,
                        password=there.password,
                        ca=given.ca,
                        insecure=given.insecure,
                        proxy=given.proxy,
                        no_proxy=given.no_proxy,
                    ),
                )
                known = self._files.get(address)
                if known is None or (fresh and known.began < (since if since is not None else asyncio.get_running_loop().time())):
                    known = await self._fetch(address)
            except SourceError as error:
                raise _named_error(error, url, f"{field}: ") from error
            return address, known.data

        found = await together(*(fetched(url, field) for url, field in named.items()))
        told = self._told.setdefault(key(), OrderedDict())
        files: dict[str, bytes] = {}
        for address, data in found:
            told.setdefault(address, data)
            told.move_to_end(address)
            folder = hashlib.sha256(address.url.encode()).hexdigest()
            files[f"{folder}/missing" if data is None else f"{folder}/file"] = data or b""
        while len(told) > _MAX_POLLED:
            told.popitem(last=False)
        return mounted(tree, {MOUNT: ArchiveTree(files)})

    async def poll(self, key: str) -> tuple[set[str], UnavailableError | None]:
        """Ask for the files of ``key``. Answers the keys of all whose files are others than they were told, and why a server could not be asked.

        What cannot be had any more is news, too: whoever still needs it asks for it, and what nobody needs is not asked for again.
        """
        lost: UnavailableError | None = None

        async def ask(address: _Address) -> tuple[_Address, _File | SourceError]:
            try:
                return address, await self._fetch(address)
            except SourceError as error:
                return address, error

        moved: set[str] = set()
        for address, answer in await together(*(ask(address) for address in self._told.get(key, ()))):
            if isinstance(answer, UnavailableError):
                lost = lost or _named_error(answer, address.url)
            elif isinstance(answer, SourceError):
                self._files.pop(address, None)
            for user, told in self._told.items():
                if address not in told:
                    continue
                if isinstance(answer, SourceError):
                    del told[address]
                elif told[address] != answer.data:
                    told[address] = answer.data
                else:
                    continue
                moved.add(user)
        return moved, lost

    def _check(self, url: str, field: str) -> None:
        scheme = url.partition(":")[0].lower()
        allowed = self._schemes()
        if scheme not in allowed:
            hint = f"`helm.valuesFileSchemes` in argocd-cm allows {', '.join(allowed) or 'none'}"
            raise RefusedError(f"{field}: {shown(url)}: the scheme {scheme!r} is not allowed", hint=hint)
        if scheme not in SCHEMES:
            raise RefusedError(f"{field}: {shown(url)}: values are not fetched by {scheme!r}", hint="use https://host/path")

    async def _fetch(self, address: _Address) -> _File:
        began = asyncio.get_running_loop().time()
        there = place(address.url)
        access = Access(there.origin, address.credentials)
        accept = frozenset({HTTPStatus.OK.value, HTTPStatus.NOT_FOUND.value})
        answer = await self._web.get(
            address.url, access=access, what="The value file", limit=_MAX_FILE, authorization=access.basic, accept=accept
        )
        found = self._files[address] = _File(began, answer.body if answer.status == HTTPStatus.OK else None)
        self._files.move_to_end(address)
        while len(self._files) > _MAX_KEPT:
            self._files.popitem(last=False)
        return found


def shown(url: str) -> str:
    """For a message: without user information and parameters, either of which may be a secret."""
    head, mark, rest = url.partition("://")
    bare = re.split(r"[?#]", rest, maxsplit=1)[0]
    authority, slash, path = bare.partition("/")
    return f"{head}{mark}{authority.rpartition('@')[2]}{slash}{path}"[:200]


def _named_error(error: _E, url: str, start: str = "") -> _E:
    said = error.message.replace(redact(url), shown(url))
    return type(error)(f"{start}{shown(url)}: {said}", hint=error.hint)


def _named(source: Source) -> Iterator[tuple[str, str]]:
    """The URLs that the source names, each with its field."""
    if source.helm is None:
        return
    fields = (
        ("helm.fileParameters", [parameter.path for parameter in source.helm.file_parameters]),
        ("helm.valueFiles", source.helm.value_files),
    )
    for field, names in fields:
        for name in names:
            if "$" not in name and _SCHEME.match(name):
                yield name, field
