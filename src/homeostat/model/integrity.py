"""Which signatures a project asks for, as it says it. What that means for a repository, and whose keys count, is ``desired/sources/integrity.py``'s business."""

from __future__ import annotations

import msgspec


class GitPolicy(msgspec.Struct, frozen=True):
    """One of a project's policies. ``repos`` are globs of addresses, ``!`` before one excludes; ``keys`` are ids or fingerprints (``SHA256:…``: of SSH)."""

    repos: tuple[str, ...]
    mode: str
    keys: tuple[str, ...] = ()
