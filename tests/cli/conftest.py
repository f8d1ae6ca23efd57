"""One controller for all tests of `homeostat app`: starting one takes longer than most of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.cli.stage import Stage
from tests.cluster import Cluster


@pytest.fixture(scope="session")
def stage(plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(plane, uuid.uuid4().hex[:8], tmp_path_factory.mktemp("stage"))
    made.set_up()
    try:
        yield made
    finally:
        made.tear_down()
