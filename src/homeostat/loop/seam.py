"""What the loop asks of the world around it: one protocol per neighbour above it.

An API package (``argo``, ``flux``) implements :class:`Apps`. Nothing here knows a custom resource.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from homeostat.model.app import App, AppKey, Duty
from homeostat.model.report import Report


class Apps(Protocol):
    """The apps of one API, kept current by watches."""

    def get(self, key: AppKey) -> App | None:
        """The app as its resource says now, or ``None`` when it is gone."""
        ...

    def keys(self) -> Iterable[AppKey]:
        """The apps that there are."""
        ...

    def subscribe(self, changed: Callable[[AppKey], None]) -> None:
        """``changed`` is called whenever an app's resource was written by somebody else."""
        ...

    async def report(self, app: App, report: Report) -> App:
        """Writes the status (nothing when nothing changed) and answers the app as it stands then."""
        ...

    async def bind(self, app: App, duties: Collection[Duty]) -> None:
        """From now on exactly ``duties`` keep the app's resource from going: with none left it may go."""
        ...
