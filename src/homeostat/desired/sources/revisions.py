"""Which reference or commit a ``targetRevision`` means. Pure; the references are those of the last fetch.

The order is Argo CD's (``util/git/client.go lsRemote``): a full commit id; a range of versions, by the highest tag in it; a branch or tag by
short or full name; the beginning of a commit id. Where a tag and a branch share a name the tag is meant, as in gitrevisions(7).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from homeostat.desired.sources.errors import RefusedError

_FULL = re.compile(r"[0-9A-Fa-f]{40}")
_SHORT = re.compile(r"[0-9A-Fa-f]{7,39}")
_PART = r"[0-9xX*]+"
_SUFFIX = r"(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
_VERSION = re.compile(rf"v?[0-9]+(?:\.[0-9]+){{0,2}}{_SUFFIX}")
_RANGE = re.compile(rf"\s*(?:=|!=|>|<|>=|=>|<=|=<|~|~>|\^)?\s*v?{_PART}(?:\.{_PART}){{0,2}}{_SUFFIX}\s*")
_SPLIT = re.compile(r"\|\||,|\s+-\s+|(?<=[0-9A-Za-z*])\s+(?=[=!<>~^v0-9xX*])")
# git check-ref-format, and no leading dash.
_NAME = re.compile(r"(?!-)(?!.*(?:\.\.|@\{|//|/\.|\.lock(?:/|$)))[^\x00-\x20\x7f~^:?*\[\\./][^\x00-\x20\x7f~^:?*\[\\]*(?<![./])")
_PREFIX = re.compile(r"(?!-)[^\x00-\x20\x7f~^:?*\[\\]{1,200}")


class Form(Enum):
    NAME = "name"
    COMMIT = "commit"
    RANGE = "range"


class Wanted(NamedTuple):
    """A revision that was read. ``text`` is ``HEAD`` where none was given; commit ids are in lower case.

    ``prefix`` is what the tags in question begin with: versions are looked for behind it (``tagPrefix``).
    """

    form: Form
    text: str
    prefix: str = ""

    @property
    def other(self) -> str:
        """The full name of a reference that is neither branch nor tag, and so is not fetched unless someone asks for it; else empty."""
        text = self.text
        return text if self.form is Form.NAME and text.startswith("refs/") and not text.startswith(("refs/heads/", "refs/tags/")) else ""

    @property
    def abbreviation(self) -> str:
        """The beginning of a commit id, if it can be one; else empty."""
        return self.text.lower() if self.form is Form.NAME and _SHORT.fullmatch(self.text) else ""


def read(revision: str, tag_prefix: str = "") -> Wanted:
    """Read a revision. Raises :class:`RefusedError` for what can be neither a name, a commit nor a range (``--upload-pack=…``, ``a..b``)."""
    if tag_prefix and not _PREFIX.fullmatch(tag_prefix):
        raise RefusedError(
            f"The tag prefix {tag_prefix[:60]!r} cannot be the beginning of a tag", hint="set `tagPrefix` to one, or leave it empty"
        )
    text = revision.strip()
    if not text:
        return Wanted(Form.NAME, "HEAD")
    if len(text) <= 250:
        if _FULL.fullmatch(text):
            return Wanted(Form.COMMIT, text.lower())
        if not _VERSION.fullmatch(text) and all(_RANGE.fullmatch(part) for part in _SPLIT.split(text)):
            return Wanted(Form.RANGE, text, tag_prefix)
        if _NAME.fullmatch(text) and text != "@":
            return Wanted(Form.NAME, text, tag_prefix)
    shown = text if len(text) <= 60 else text[:60] + "…"
    raise RefusedError(
        f"The revision {shown!r} cannot be the name of a branch or tag, a commit or a range of versions",
        hint="set `targetRevision` to one of these, or leave it empty for the default branch",
    )


def find(name: str, references: Mapping[str, str]) -> str | None:
    """The full name of the reference that ``name`` means."""
    if name == "HEAD":
        return "HEAD" if "HEAD" in references else None
    for full in (name, f"refs/tags/{name}", f"refs/heads/{name}", f"refs/{name}"):
        if full.startswith("refs/") and full in references:
            return full
    return None


def prefixed(wanted: Wanted, references: Mapping[str, str]) -> str:
    """The name to look for: with its prefix where it is a version, or where such a tag is there; else as it was written (``main``)."""
    full = wanted.prefix + wanted.text
    if wanted.prefix and (_VERSION.fullmatch(wanted.text) or f"refs/tags/{full}" in references):
        return full
    return wanted.text


def versions(references: Mapping[str, str], prefix: str = "") -> list[str]:
    """The tags that can be versions, without their ``prefix``; what a range is chosen from."""
    start = f"refs/tags/{prefix}"
    return sorted(tag for name in references if name.startswith(start) and _VERSION.fullmatch(tag := name[len(start) :]))
