"""What Kustomize takes for the address of a base in another repository: its ``api/internal/git/repospec.go``, rule by rule.

    https://host/org/repo//path?ref=tag   github.com/org/repo/path   git@host:org/repo.git/path   ssh://…   …/_git/repo/path   …?version=tag

Pure. Which of these addresses may be asked is not decided here but by ``urls.py`` and ``git.py``.
"""

from __future__ import annotations

import posixpath
import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qs

_SCHEMES = ("ssh://", "https://", "http://", "file://")
_USER = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*@")
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_DEFAULT_SEGMENTS = 2
"""``org/repo``: how much of a path is the repository when nothing marks its end."""


class Base(NamedTuple):
    """A folder of another repository. ``path`` is relative to its root; an empty ``ref`` is the default branch."""

    repo: str
    path: str
    ref: str
    submodules: bool


@lru_cache(maxsize=4096)
def parse(name: str) -> Base | None:
    """The base that ``name`` means; ``None`` when it is a path, as for Kustomize."""
    if name.startswith("/"):
        return None
    address, _, query = name.partition("?")
    host, rest = _host(address)
    if not host:
        return None
    repo, path = _split(rest, whole=host == "file://")
    path = path.lstrip("/")
    if not repo or posixpath.normpath(path).partition("/")[0] == "..":
        return None
    values = parse_qs(query)
    ref = (values.get("ref") or values.get("version") or [""])[0]
    submodules = (values.get("submodules") or [""])[0] not in _FALSE
    return Base(host + repo, "" if path in {"", "."} else posixpath.normpath(path), ref, submodules)


def _host(address: str) -> tuple[str, str]:
    """The beginning of the address up to its path, and the rest; empty when it has none."""
    if address.lower().startswith("git::"):
        address = address[5:]
    scheme = next((each for each in _SCHEMES if address.lower().startswith(each)), "")
    address = address[len(scheme) :]
    found = _USER.match(address)
    user = found[0] if found else ""
    address = address[len(user) :]
    github = address.lower().startswith(("github.com/", "github.com:"))
    scp = not scheme and bool(user or github)
    if not scheme and not scp:
        return "", ""
    if scheme == "file://":
        return scheme, user + address
    at = address.find("/")
    colon = address.find(":")
    if scp and (at < 0 or 0 < colon < at):
        at = colon
    host, rest = (address[: at + 1], address[at + 1 :]) if at >= 0 else (address, "")
    if github:
        if scheme == "ssh://" or user:
            scheme, host = "", "github.com:"
        else:
            scheme, user, host = "https://", "", "github.com/"
    return (scheme + user + host, rest) if host else ("", "")


def _split(text: str, *, whole: bool) -> tuple[str, str]:
    """The path of the repository, and the path in it."""
    before, mark, after = text.partition("_git/")
    if mark:
        repo, _, path = after.partition("/")
        return before + mark + repo, path
    before, mark, after = text.partition("//")
    if mark:
        return before, after
    before, mark, after = text.partition(".git")
    if mark:
        return before + mark, after
    if whole:
        return text, ""
    names = text.split("/")
    if len(names) < _DEFAULT_SEGMENTS:
        return "", ""
    return "/".join(names[:_DEFAULT_SEGMENTS]), "/".join(names[_DEFAULT_SEGMENTS:])
