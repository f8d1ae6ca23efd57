"""What can go wrong in a comparison, by what the caller can do.

CompareError
├── VersionsDifferError   ask for the live object at the version that desired has, and compare again
└── IgnoreError           an ignoreDifferences rule cannot be carried out: tell the user, compare without it or not at all
"""

from __future__ import annotations

from homeostat.model.errors import HomeostatError
from homeostat.model.objects import Key


class CompareError(HomeostatError):
    """A comparison that could not be made."""


class VersionsDifferError(CompareError):
    """Two objects of different API versions: their fields have different names and cannot be compared."""

    def __init__(self, key: Key, *, desired: str, live: str) -> None:
        super().__init__(f"{key}: desired is {desired} and live was read as {live}", hint=f"read the live object as {desired}")
        self.desired = desired
        self.live = live


class IgnoreError(CompareError):
    """A rule under ``ignoreDifferences`` that cannot be carried out."""
