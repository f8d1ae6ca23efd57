"""Which files of a source Flux leaves out: ``.sourceignore`` files, ``spec.ignore`` and what is left out by default.

The rules are those of ``fluxcd/pkg/sourceignore``, which are nearly those of ``.gitignore``: the last pattern that matches decides, and a file below a
folder that is left out may be let in again. Where the files come from, and what becomes of those that stay, is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

FILE = ".sourceignore"
_VCS = (".git/", ".gitignore", ".gitmodules", ".gitattributes")
_DEFAULTS = (
    *("*.jpg", "*.jpeg", "*.gif", "*.png", "*.wmv", "*.flv", "*.tar.gz", "*.zip"),
    *(".github/", ".circleci/", ".travis.yml", ".gitlab-ci.yml", "appveyor.yml", ".drone.yml", "cloudbuild.yaml"),
    *("codeship-services.yml", "codeship-steps.yml", "**/.goreleaser.yml", "**/.sops.yaml", "**/.flux.yaml"),
)
_MAX_PATTERNS = 10_000
_CLASS = re.compile(r"(\^?)((?:[^\]\\]|\\.)+)\]", re.DOTALL)
_SPECIAL = re.compile(r"\\(.)|([\[&~|])", re.DOTALL)


@dataclass(frozen=True)
class Pattern:
    """One line: it counts below the folder ``domain``. ``folders`` wants a folder, ``lets_in`` begins with ``!``."""

    domain: tuple[str, ...]
    parts: tuple[str, ...]
    lets_in: bool = False
    folders: bool = False

    def matches(self, path: Sequence[str]) -> bool:
        if len(path) <= len(self.domain) or tuple(path[: len(self.domain)]) != self.domain:
            return False
        inside = path[len(self.domain) :]
        return self._anywhere(inside) if len(self.parts) == 1 and self.parts[0] else self._from_the_top(inside)

    def _anywhere(self, path: Sequence[str]) -> bool:
        for at, name in enumerate(path):
            if _is_like(self.parts[0], name):
                return not (self.folders and at == len(path) - 1)
        return False

    def _from_the_top(self, path: Sequence[str]) -> bool:
        matched = deeper = False
        rest = list(path)
        for at, part in enumerate(self.parts):
            if part == "":
                deeper = False
            elif part == "**":
                if at == len(self.parts) - 1:
                    break
                deeper = True
            elif "**" in part or not rest:
                return False
            elif deeper:
                deeper = False
                while rest:
                    if _is_like(part, rest.pop(0)):
                        matched = True
                        break
                    if not rest:
                        matched = False
            elif _is_like(part, rest.pop(0)):
                matched = True
            else:
                return False
        return matched and not (self.folders and not rest)


class Rules:
    """Several patterns, the later ones over the earlier ones."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._patterns = tuple(patterns)[-_MAX_PATTERNS:]

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def leave_out(self, path: str) -> bool:
        """Whether the file at ``path`` (from the root of the source) stays out."""
        names = path.split("/")
        return next((not pattern.lets_in for pattern in reversed(self._patterns) if pattern.matches(names)), False)


def read(text: str, domain: Sequence[str] = ()) -> list[Pattern]:
    """The patterns in a ``.sourceignore`` of the folder ``domain``, or in ``spec.ignore``."""
    lines = (line.removesuffix("\r") for line in text.split("\n"))
    return [_pattern(line, domain) for line in lines if line.strip() and not line.startswith("#")]


def with_defaults(patterns: Sequence[Pattern]) -> Rules:
    """What a GitRepository and an OCIRepository leave out: some files of version control always, others when nothing is said."""
    always = [_pattern(text, ()) for text in _VCS]
    return Rules([*always, *(patterns or [_pattern(text, ()) for text in _DEFAULTS])])


def _pattern(text: str, domain: Sequence[str]) -> Pattern:
    lets_in = text.startswith("!")
    text = text.removeprefix("!")
    if not text.endswith("\\ "):
        text = text.rstrip(" ")
    folders = text.endswith("/")
    return Pattern(tuple(domain), tuple(text.removesuffix("/").split("/")), lets_in, folders)


def _is_like(pattern: str, name: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is not None and compiled.fullmatch(name) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    r"""As Go's ``filepath.Match`` reads it: ``*``, ``?``, ``[a-z]``, ``[^a]`` and ``\``; ``None`` when it is none. Takes no time without end."""
    chunks = [""]
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            chunks.append("")
        elif character == "?":
            chunks[-1] += "[^/]"
        elif character == "[":
            found = _CLASS.match(pattern, at)
            if found is None:
                return None
            at = found.end()
            chunks[-1] += f"[{found[1]}{_SPECIAL.sub(lambda special: re.escape(special[1] or special[2]), found[2])}]"
        else:
            if character == "\\":
                if at == len(pattern):
                    return None
                character = pattern[at]
                at += 1
            chunks[-1] += re.escape(character)
    first, *others = chunks
    middle = "".join(f"(?>[^/]*?{chunk})" for chunk in others[:-1])
    last = f"[^/]*{others[-1]}" if others else ""
    try:
        return re.compile(first + middle + last, re.DOTALL)
    except re.error:
        return None
