"""Which version of a chart is meant: Helm's rules (an exact version first, then a range over all of them), decided by Helm's own library."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence

from homeostat.desired.sources.errors import RefusedError
from homeostat.evaluate.errors import EvaluationError

Highest = Callable[[str, Sequence[str]], Awaitable[str | None]]
"""Answers the highest of some versions that satisfies a constraint (``SemverRequest`` through the evaluator's pool), or ``None``."""

_EXACT = re.compile(r"v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")


def is_exact(text: str) -> bool:
    """Whether ``text`` is a whole version, and no range."""
    return bool(_EXACT.fullmatch(text))


async def choose(wanted: str, versions: Sequence[str], highest: Highest) -> str | None:
    """The version of ``versions`` that ``wanted`` means; nothing means the highest that is no pre-release. Raises :class:`RefusedError`."""
    if wanted in versions:
        return wanted
    try:
        return await highest(wanted or "*", versions) if versions else None
    except EvaluationError as error:
        message = f"The chart version {wanted!r} is neither a version nor a range of versions"
        raise RefusedError(message, hint="write 1.2.3, ^1.2 or >=1.2.0 <2") from error
