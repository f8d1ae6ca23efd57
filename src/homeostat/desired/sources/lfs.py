"""Git LFS: the file that a pointer in a repository stands for, had when a render reads it.

A pointer names the SHA-256 of its file, so what is fetched later is pinned all the same. Only what is read is fetched (the original fetches all files
of all revisions), over the batch API of git-lfs, checked, and kept in the clone. As with the clone, having it is no permission: whoever reads a
tree was let in to its repository. Where the server is: the repository's own address, ``.lfsconfig``, or what ``git-lfs-authenticate`` says over SSH.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import shlex
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from homeostat.desired.sources import git_process, secrets
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import FetchFailedError, LyingError, RefusedError, RepositoryMissingError, SourceError
from homeostat.desired.sources.remote import SignIn
from homeostat.desired.sources.store import Store
from homeostat.desired.sources.submodules import lent
from homeostat.desired.sources.urls import Address, parse
from homeostat.desired.sources.web import Access, Web, mapping, place
from homeostat.model import tasks

_JSON = {"Accept": "application/vnd.git-lfs+json", "Content-Type": "application/vnd.git-lfs+json"}
_MAX_ANSWER = 1024 * 1024
_MISSING = frozenset({404, 410})


class _Server(NamedTuple):
    """Where the batch API is, and what to say to it."""

    url: str
    authorization: str
    credentials: Credentials


class LargeFiles:
    """Those of one repository as one set of credentials sees it. ``private`` is where private files may be made."""

    def __init__(self, address: Address, credentials: Credentials, store: Store, private: Path, web: Web, sign_in: SignIn) -> None:
        self._address = address
        self._credentials = credentials
        self._store = store
        self._private = private
        self._web = web
        self._sign_in = sign_in
        self._fetching: dict[str, asyncio.Task[SourceError | None]] = {}

    def read(self, digest: str, size: int) -> bytes | None:
        """The file of this SHA-256, when it is here."""
        data = self._store.large(digest)
        return data if data is not None and len(data) == size else None

    async def fetch(self, digest: str, size: int, config: str | None) -> None:
        """Have the file here. ``config`` is the id of ``.lfsconfig`` in the clone. Raises a :class:`SourceError`.

        Who asks for one that is on its way waits for it; it goes on coming when they lose patience.
        """
        task = self._fetching.get(digest)
        if task is None:
            task = self._fetching[digest] = tasks.spawn(self._outcome(digest, size, config), name=f"large file {digest[:12]}")
            task.add_done_callback(lambda _: self._fetching.pop(digest, None))
        error = await asyncio.shield(task)
        if error is not None:
            raise type(error)(error.message, hint=error.hint) from error

    async def aclose(self) -> None:
        await tasks.cancel(self._fetching.values())

    async def _outcome(self, digest: str, size: int, config: str | None) -> SourceError | None:
        try:
            await self._fetch(digest, size, config)
        except SourceError as error:
            return error
        return None

    async def _fetch(self, digest: str, size: int, config: str | None) -> None:
        what = f"The LFS file {digest[:12]} of {self._address.url}"
        server = await self._server(config, what)
        access = Access(place(server.url).origin, server.credentials)
        asked = {"operation": "download", "transfers": ["basic"], "objects": [{"oid": digest, "size": size}], "hash_algo": "sha256"}
        answer = await self._web.post(
            f"{server.url}/objects/batch", body=orjson.dumps(asked), access=access, what=what, limit=_MAX_ANSWER, headers=_JSON,
            authorization=server.authorization,
        )  # fmt: skip
        href, headers = _download(_object(answer.body, what), digest, what)
        authorization = next((headers.pop(name) for name in list(headers) if name.lower() == "authorization"), "")
        there = Access(place(href).origin, lent_to(access, href))
        if not authorization and there.origin == access.origin:
            authorization = server.authorization
        got = await self._web.get(href, access=there, what=what, limit=size, headers=headers, authorization=authorization)
        await asyncio.to_thread(self._keep, digest, size, got.body, what)

    async def _server(self, config: str | None, what: str) -> _Server:
        configured = await self._configured(config, what) if config is not None else ""
        credentials = await self._sign_in.signed_in(self._address, self._credentials) or Credentials()
        if configured:
            url = place(configured).url.rstrip("/")
            address = parse(url)
            known = lent(self._address, credentials, address) or Credentials()
            return _Server(url, secrets.authorization(address, known), known)
        if self._address.scheme == "ssh":
            return await self._over_ssh(what)
        if self._address.scheme not in {"https", "http"}:
            raise RefusedError(
                f"{what} cannot be read: a repository at {self._address.scheme}: has no LFS server", hint="serve it over https or ssh"
            )
        url = self._address.url.rstrip("/").removesuffix(".git")
        return _Server(f"{url}.git/info/lfs", secrets.authorization(self._address, credentials), credentials)

    async def _configured(self, config: str, what: str) -> str:
        """What ``.lfsconfig`` says about the server; empty when nothing."""
        done = await git_process.run(
            ["config", "--no-includes", f"--blob={config}", "--get", "lfs.url"], folder=self._store.path, environment={}
        )
        if done.code not in {0, 1} or done.error:
            raise RefusedError(f"{what} cannot be read: .lfsconfig is not in the format of git's configuration")
        return done.output.decode(errors="replace").strip()

    async def _over_ssh(self, what: str) -> _Server:
        """As git-lfs does it: the Git server hands out an address and a token."""
        address = self._address
        path = address.path if "://" in address.url else address.url.partition(":")[2]
        with ExitStack() as stack:
            access = await asyncio.to_thread(stack.enter_context, secrets.granted(address, self._credentials, self._private))
            login = f"{address.username}@{address.host}" if address.username else address.host
            port = ("-p", address.port) if address.port else ()
            command = [
                access.environment["GIT_SSH"],
                *port,
                "--",
                login.replace("[", "").replace("]", ""),
                f"git-lfs-authenticate {shlex.quote(path)} download",
            ]
            done = await git_process.listen(command, environment=access.environment, limit=60.0, kept=_MAX_ANSWER)
        if done.code or done.stalled:
            said = done.stalled or (done.error.strip().splitlines() or [f"code {done.code}"])[-1][:200]
            raise FetchFailedError(f"{what} cannot be read: `git-lfs-authenticate` failed on the server: {said}")
        given = _object(done.output, what)
        headers = _headers(given.get("header"), what)
        authorization = next((value for name, value in headers.items() if name.lower() == "authorization"), "")
        kept = Credentials(ca=self._credentials.ca, insecure=self._credentials.insecure)
        return _Server(place(str(given.get("href") or "")).url.rstrip("/"), authorization, kept)

    def _keep(self, digest: str, size: int, data: bytes, what: str) -> None:
        found = hashlib.sha256(data).hexdigest()
        if found != digest or len(data) != size:
            raise LyingError(
                f"{what} is not what it should be: it has {len(data)} bytes and the digest {found}", hint="push the file again with git-lfs"
            )
        self._store.keep_large(digest, data)


def lent_to(access: Access, href: str) -> Credentials:
    """How to get to where a file is: as to the LFS server on the same origin, else with its proxy and nothing more."""
    own = access.credentials
    return own if place(href).origin == access.origin else Credentials(proxy=own.proxy, no_proxy=own.no_proxy)


def _download(answer: Mapping[str, Any], digest: str, what: str) -> tuple[str, dict[str, str]]:
    """Where the file is, and the headers that it is asked for with."""
    objects = answer.get("objects")
    found = objects[0] if isinstance(objects, list) and len(objects) == 1 and isinstance(objects[0], dict) else {}
    if found.get("oid") != digest:
        raise FetchFailedError(f"{what} cannot be read: the LFS server answers for another file")
    error = found.get("error")
    if isinstance(error, dict):
        kind = RepositoryMissingError if error.get("code") in _MISSING else FetchFailedError
        said = re.sub(r"[^\x20-\x7e]", "?", str(error.get("message") or ""))[:200]
        raise kind(f"{what} cannot be read: the LFS server answers {error.get('code')}: {said}", hint="push the file with `git lfs push`")
    action = (found.get("actions") or {}).get("download") if isinstance(found.get("actions"), dict) else None
    if not isinstance(action, dict) or not isinstance(action.get("href"), str):
        raise FetchFailedError(f"{what} cannot be read: the LFS server does not say where it is")
    return action["href"], _headers(action.get("header"), what)


def _headers(given: object, what: str) -> dict[str, str]:
    found = given if isinstance(given, dict) else {}
    for name, value in found.items():
        if (
            not re.fullmatch(r"[A-Za-z0-9-]{1,100}", str(name))
            or not isinstance(value, str)
            or not value.isprintable()
            or len(value) > 8192
        ):
            raise FetchFailedError(f"{what} cannot be read: the LFS server names a header that is none")
    return {
        name: value for name, value in found.items() if name.lower() not in {"host", "content-length", "transfer-encoding", "connection"}
    }


def _object(body: bytes, what: str) -> dict[str, Any]:
    return mapping(body, f"{what} cannot be read: the LFS server did not answer with JSON")
