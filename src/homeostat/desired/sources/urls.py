"""Which repository addresses are accepted, and when two of them name the same repository.

Addresses come from Applications, so from anyone who may write one. git understands far more than a repository needs (``ext::sh -c …`` runs a
program, ``--upload-pack=…`` is an option): only the forms below pass, and everything else is refused before git sees it.

    https://host[:port]/path   http://…   ssh://[user@]host[:port]/path   git+ssh://…   user@host:path   file:///path

Pure: whether a ``file:`` address may be used at all is decided in ``git.py``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from homeostat.desired.sources.errors import RefusedError

_DEFAULT_PORTS = {"https": "443", "http": "80", "ssh": "22"}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SCP = re.compile(r"(?:(?P<user>[^@:/\s]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@:/\s\[\]]+):(?P<path>[^:].*)")
_AUTHORITY = re.compile(r"(?:(?P<info>[^@]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@:\[\]]*)(?::(?P<port>[0-9]{1,5}))?")
_HOST = re.compile(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_]([A-Za-z0-9_.-]*)")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@%~=-]*")
_BAD = re.compile(r"[\x00-\x20\x7f\\]")


class Address(NamedTuple):
    """A repository address in its parts. ``username`` and ``password`` are those written into the address itself (``https://u:p@host/…``).

    ``url`` is what git is given: it names the user for SSH and never holds a password. ``key`` is the same for every spelling of one
    repository: host in lower case, no default port, no ``.git``, no trailing slash, no user for HTTP, scp form as ``ssh://``.
    """

    scheme: str
    host: str
    port: str
    path: str
    username: str
    password: str
    url: str
    key: str

    def __repr__(self) -> str:
        return f"Address({self.url!r})"


@lru_cache(maxsize=4096)
def parse(url: str) -> Address:
    """The parts of ``url``. Raises :class:`RefusedError` for anything that is not one of the accepted forms."""
    text = url.strip()
    shown = redact(text)
    if not text:
        raise RefusedError("The repository address is empty", hint="set `repoURL`")
    if len(text) > 4096 or _BAD.search(text):
        raise RefusedError(f"The repository address {shown!r} has characters that no address has", hint="write spaces as %20")
    if text.startswith("-"):
        raise RefusedError(f"The repository address {shown!r} starts with a dash, like an option of git")
    if text.startswith("/"):
        raise RefusedError(f"The repository address {shown!r} is a path", hint=f"write file://{text}")
    found = _SCHEME.match(text)
    if found is None:
        return _scp(text, shown)
    scheme = {"git+ssh": "ssh", "ssh+git": "ssh"}.get(found[1].lower(), found[1].lower())
    if scheme not in {"https", "http", "ssh", "file"}:
        raise RefusedError(f"The repository address {shown!r} uses the transport {scheme!r}", hint="use https, http, ssh, git+ssh or file")
    authority, slash, rest = text[found.end() :].partition("/")
    if "#" in text or "?" in text:
        raise RefusedError(f"The repository address {shown!r} has a query or a fragment", hint="name the revision in `targetRevision`")
    if scheme == "file":
        if authority not in {"", "localhost"} or not rest:
            raise RefusedError(f"The repository address {shown!r} names no local folder", hint="write file:///path/to/repository")
        path = "/" + rest
        return Address("file", "", "", path, "", "", f"file://{path}", f"file://{_trim(path)}")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None or not _HOST.fullmatch(parts["host"]):
        raise RefusedError(f"The repository address {shown!r} has no valid host")
    if not slash or not rest.strip("/"):
        raise RefusedError(f"The repository address {shown!r} names a server but no repository on it")
    username, _, password = (parts["info"] or "").partition(":")
    host, port, path = parts["host"], parts["port"] or "", "/" + rest
    if scheme == "ssh":
        return _ssh(shown, host, port, path, username)
    port_part = f":{port}" if port else ""
    key_port = "" if port in {"", _DEFAULT_PORTS[scheme]} else f":{port}"
    return Address(
        scheme, host, port, path, unquote(username), unquote(password),
        f"{scheme}://{host}{port_part}{path}", f"{scheme}://{host.lower()}{key_port}{_trim(path)}",
    )  # fmt: skip


def _scp(text: str, shown: str) -> Address:
    found = _SCP.fullmatch(text)
    if found is None or not _HOST.fullmatch(found["host"]):
        raise RefusedError(
            f"The repository address {shown!r} is not one that Git servers have",
            hint="use https://host/path, ssh://user@host/path or user@host:path",
        )
    path = found["path"]
    # ``host:path`` is relative to the user's home on the server and ``ssh://host/path`` is not; hosting services treat both alike, and the
    # originals do so too. ``/~/`` would say it exactly but few servers know it, so git is given the form that was written.
    address = _ssh(shown, found["host"], "", "/" + path.lstrip("/"), found["user"] or "")
    return address._replace(url=text)


def _ssh(shown: str, host: str, port: str, path: str, username: str) -> Address:
    if username and not _USER.fullmatch(username):
        raise RefusedError(f"The repository address {shown!r} has no valid user name")
    user_part = f"{username}@" if username else ""
    key_port = "" if port in {"", "22"} else f":{port}"
    return Address(
        "ssh", host, port, path, username, "",
        f"ssh://{user_part}{host}{f':{port}' if port else ''}{path}", f"ssh://{user_part}{host.lower()}{key_port}{_trim(path)}",
    )  # fmt: skip


def _trim(path: str) -> str:
    path = re.sub(r"/+", "/", path).rstrip("/")
    return path.removesuffix(".git").rstrip("/")


def normalise(url: str) -> str:
    """The form in which two spellings of one repository are equal (reference 2.14). Raises :class:`RefusedError`."""
    return parse(url).key


def match_form(url: str) -> str:
    """How Argo CD compares the address of a Secret with that of an app: the whole address in lower case (``NormalizeGitURL``).

    Never raises: Secrets hold what people typed. An address that is not understood only equals itself.
    """
    text = url.strip().lower()
    if "://" not in text and (found := _SCP.fullmatch(text)) and found["user"]:
        text = "ssh://" + text.replace(":", "/", 1)
    scheme, mark, rest = text.partition("://")
    if not mark:
        return text
    if scheme == "git+ssh":
        scheme = "ssh"
    authority, slash, path = rest.partition("/")
    info, at, host = authority.rpartition("@")
    if scheme != "ssh":
        info, at = "", ""
    return f"{scheme}://{info}{at}{host}{slash}{path}".removesuffix(".git")


def redact(url: str) -> str:
    """``url`` for a message: no password, no token, not longer than a line."""
    text = re.sub(r"(://)[^/@\s]*@", r"\1", url)
    return text if len(text) <= 200 else text[:200] + "…"
