"""Which repositories cannot be asked at the moment, and whether everybody who uses them has been told.

Whichever app meets the trouble first notes it; the others are told once when it begins and once when it is over. How a repository is asked does not
belong here.
"""

from __future__ import annotations

from homeostat.model.errors import HomeostatError


class Troubles:
    """By the key of the repository. The first words for one trouble are kept: the same one in other words (after 2 ms, after 3 ms) is no news."""

    def __init__(self) -> None:
        self._now: dict[str, tuple[type[HomeostatError], str]] = {}
        self._told: set[str] = set()

    def met(self, repository: str, error: HomeostatError) -> None:
        known = self._now.get(repository)
        if known is None or known[0] is not type(error):
            self._now[repository] = (type(error), str(error))

    def over(self, repository: str) -> None:
        self._now.pop(repository, None)

    def of(self, repository: str) -> str:
        """What the trouble is; empty when there is none."""
        return self._now[repository][1] if repository in self._now else ""

    def is_news(self, repository: str) -> bool:
        """Whether trouble began or ended since this was asked last."""
        if (repository in self._now) is (repository in self._told):
            return False
        self._told ^= {repository}
        return True

    def __bool__(self) -> bool:
        return bool(self._now)
