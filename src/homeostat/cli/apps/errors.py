"""What can go wrong in a verb of ``homeostat app``, apart from what the API server says.

HomeostatError
├── AppNotFoundError        no app of that name; the hint names similar ones
├── OperationRunningError   a sync is under way and another was asked for
├── RefusedError            the app is in a state in which the verb makes no sense
├── TimedOutError           what was waited for did not come in time; the message says what it was
├── SyncFailedError         the sync came to an end, and not to a good one
└── NoLogsError             there is no pod, or none that has logs
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from homeostat.model.errors import HomeostatError


class AppNotFoundError(HomeostatError):
    """``names`` are those of the apps that there are."""

    def __init__(self, namespace: str, name: str, names: Iterable[str]) -> None:
        names = sorted(names)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or [one for one in names if name in one][:3]
        if near:
            hint = f"did you mean {' or '.join(f'`{one}`' for one in near)}?"
        elif names:
            hint = f"`homeostat app list -n {namespace}` shows the {len(names)} apps there are"
        else:
            hint = f"there are no apps in namespace {namespace}; `-n` names another control namespace"
        super().__init__(f"there is no app `{name}` in namespace {namespace}", hint=hint)


class OperationRunningError(HomeostatError):
    """Only one operation at a time: the one that is there is neither replaced nor joined."""

    def __init__(self, name: str, since: str) -> None:
        started = f" since {since}" if since else ""
        super().__init__(
            f"another operation is already in progress on app `{name}`{started}",
            hint=f"wait for it with `homeostat app wait {name} --operation`, or end it with `homeostat app terminate-op {name}`",
        )


class RefusedError(HomeostatError):
    """The app's own state or settings speak against it."""


class TimedOutError(HomeostatError):
    """``what`` finishes the sentence "timed out after 30s, …"."""

    def __init__(self, seconds: float, what: str, *, hint: str = "") -> None:
        super().__init__(f"timed out after {seconds:g}s, {what}", hint=hint)


class SyncFailedError(HomeostatError):
    """Says with which phase the sync ended, and why."""


class NoLogsError(HomeostatError):
    """Says which pods were looked for."""
