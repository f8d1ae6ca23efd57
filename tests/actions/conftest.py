"""What the tests of actions share: a pool of real evaluators."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from homeostat.evaluate.pool import Pool
from tests import evaluators


@pytest.fixture(scope="session", autouse=True)
def built_evaluator() -> None:
    evaluators.program()


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    async with evaluators.pool(size=1, quick_seconds=1.0) as pool:
        yield pool
