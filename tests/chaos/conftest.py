"""Things are broken on purpose here, while the whole program is at work. Every test ends in the right state or in a clear message.

The parts are those of the end-to-end tests. What is random comes from a seed that is printed, so that a run can be had again
(`CHAOS_SEED=… pytest tests/chaos`).
"""

from __future__ import annotations

import os
import random

import pytest

from tests.e2e.conftest import apps, control, controller, git, mark, repository

__all__ = ["apps", "control", "controller", "git", "mark", "repository", "rng"]


@pytest.fixture
def rng() -> random.Random:
    """Pytest shows the seed with a test that failed."""
    seed = os.environ.get("CHAOS_SEED") or str(random.SystemRandom().getrandbits(32))
    print(f"CHAOS_SEED={seed}")  # noqa: T201
    return random.Random(seed)
