"""Who wrote a line, and who changed a file last: ``git blame`` and ``git log`` in a clone.

The ``git`` program is asked because it can be stopped: the history of a large file takes seconds, and nothing else may wait for it. Only people
ask such questions, one at a time. Clones have the whole history of what they hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from homeostat.desired.sources import git_process
from homeostat.desired.sources.errors import CacheError, SlowError

_SECONDS = 60.0
_SEPARATOR = "\x1f"
_FORMAT = "%H%x1f%an%x1f%ae%x1f%at%x1f%s"
_MOST_PATHS = 2000


class Change(msgspec.Struct, frozen=True):
    """A commit by which somebody wrote something. ``date`` is the author's, in seconds since 1970; ``author`` is ``Name <address>``."""

    commit: str
    author: str
    date: int
    subject: str


async def of_lines(folder: Path, commit: str, path: str, first: int, last: int) -> Change | None:
    """The newest of the commits that wrote the lines ``first`` to ``last`` (from 1) of the file at ``path`` in ``commit``.

    ``folder`` is a bare repository, ``path`` has no links in it. ``None`` when there are no such lines. Raises :class:`CacheError`,
    :class:`SlowError`.
    """
    output = await _git(["blame", "--porcelain", "-L", f"{first},{last}", commit, "--", path], folder)
    return max(_blamed(output), key=lambda found: (found[0], found[1].date), default=(0, None))[1]


async def of_files(folder: Path, commit: str, paths: Sequence[str]) -> Change | None:
    """The last commit up to ``commit`` that touched any of the files; ``None`` when none did. Raises :class:`CacheError`, :class:`SlowError`."""
    output = await _git(["log", "-1", f"--format={_FORMAT}", commit, "--", *paths[:_MOST_PATHS]], folder)
    parts = output.strip("\n").split(_SEPARATOR, 4)
    return Change(parts[0], f"{parts[1]} <{parts[2]}>", int(parts[3]), parts[4]) if len(parts) == 5 else None


def _blamed(output: str) -> Iterator[tuple[int, Change]]:
    """The commits of the porcelain format, each with the time at which it was committed. Their headers come once, before their first line."""
    headers: dict[str, str] = {}
    commit = ""
    for line in output.split("\n"):
        if not commit:
            commit, headers = line.partition(" ")[0], {}
        elif line.startswith("\t"):
            if "author" in headers:
                author = f"{headers['author']} {headers.get('author-mail', '<>')}"
                change = Change(commit, author, int(headers.get("author-time", "0")), headers.get("summary", ""))
                yield int(headers.get("committer-time", "0")), change
            commit = ""
        else:
            name, _, value = line.partition(" ")
            headers[name] = value


async def _git(arguments: list[str], folder: Path) -> str:
    environment = {"GIT_LITERAL_PATHSPECS": "1"}
    finished = await git_process.run(arguments, folder=folder, environment=environment, silence=_SECONDS, limit=_SECONDS)
    if finished.stalled:
        raise SlowError(f"`git {arguments[0]}` {finished.stalled}", hint="the history of the file is very long; ask git itself")
    if finished.code:
        said = finished.error.strip().splitlines()
        if said and ("has only" in said[-1] or "no such path" in said[-1]):
            return ""
        raise CacheError(
            f"`git {arguments[0]}` failed: {said[-1] if said else finished.code}", hint="the copy is made anew at the next fetch"
        )
    return finished.output.decode(errors="replace")
