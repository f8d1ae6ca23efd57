"""No two processes keep their clones in one folder."""

from __future__ import annotations

from pathlib import Path

from homeostat.desired.sources.folder import own_folder


def test_a_folder_is_one_process_s_and_the_next_one_gets_another(tmp_path: Path) -> None:
    with own_folder(tmp_path / "clones") as first, own_folder(tmp_path / "clones") as second, own_folder(tmp_path / "clones") as third:
        assert first == tmp_path / "clones"
        assert len({first, second, third}) == 3
        assert second.is_relative_to(first)


def test_a_folder_that_was_given_back_is_found_again(tmp_path: Path) -> None:
    with own_folder(tmp_path) as first:
        with own_folder(tmp_path) as second:
            pass
        with own_folder(tmp_path) as again:
            assert again == second
    with own_folder(tmp_path) as again:
        assert again == first
