"""What can be wrong with a sync before anything is done.

    HomeostatError
    └── InvalidError
        └── WaveError   a sync wave that is no whole number

What the API server refuses is no error here: it is the result of a task.
"""

from __future__ import annotations

from homeostat.model.errors import InvalidError
from homeostat.model.manifest import Origin
from homeostat.model.objects import Key


def at(origin: Origin) -> str:
    """`` (apps/web/all.yaml:12)``, or nothing when the place is not known; ready to stand behind a name."""
    place = str(origin)
    return f" ({place})" if place else ""


class WaveError(InvalidError):
    """An annotation that sets the wave of an object and does not hold a whole number."""

    def __init__(self, key: Key, annotation: str, value: object, origin: Origin) -> None:
        super().__init__(
            f"{key}{at(origin)}: annotation {annotation}: expected a whole number such as -1, 0 or 5, found {value!r}",
            hint="correct the annotation, or take it away for wave 0",
        )
