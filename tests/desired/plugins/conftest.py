"""The evaluator, which reads what plugins write, is built before the first test."""

from __future__ import annotations

import pytest

from tests import evaluators


@pytest.fixture(scope="session", autouse=True)
def built_evaluator() -> None:
    evaluators.program()
