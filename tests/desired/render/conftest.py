"""The evaluator is built before the first test, in no coroutine and in nobody's time limit."""

from __future__ import annotations

import pytest

from tests import evaluators


@pytest.fixture(scope="session", autouse=True)
def built_evaluator() -> None:
    evaluators.program()
