"""What the tests of the evaluator share: the program, one running process of it, and a folder to write files into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homeostat import toolchain
from tests.evaluator import frames

Files = dict[str, str]
MakeFolder = Callable[[Files], frames.Folder]


@pytest.fixture(scope="session")
def binary() -> Path:
    return toolchain.program("evaluator")


@pytest.fixture(scope="session")
def shared(binary: Path) -> Iterator[frames.Evaluator]:
    """One process for all tests that leave it as it was: what one request does must not show in the next."""
    with frames.evaluator(binary) as process:
        yield process


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Writes files (path → text) and answers the folder that they are in."""

    def make(files: Files) -> frames.Folder:
        root = tmp_path / "repository"
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        return frames.Folder(root)

    return make
