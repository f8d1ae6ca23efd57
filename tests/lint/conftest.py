"""What blocks for a moment is done before the tests: the evaluator is built, the schemas that ship are read."""

from __future__ import annotations

import pytest

from homeostat.lint.schemas import Catalogue
from tests import evaluators


@pytest.fixture(scope="session", autouse=True)
def ready() -> None:
    evaluators.program()
    Catalogue()
