"""Tables, data and progress as commands print them."""

from __future__ import annotations

import json
from dataclasses import dataclass

import msgspec
import pytest

from homeostat.cli import output


@dataclass
class Plane:
    name: str


class Part(msgspec.Struct):
    name: str
    plane: Plane


def test_a_table_has_columns_as_wide_as_their_widest_cell(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(("name", "state"), [("kube-apiserver", "up"), ("日本", 1)])
    assert capsys.readouterr().out == "NAME             STATE\nkube-apiserver   up\n日本             1\n"


def test_a_table_without_rows_has_titles(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(("name", "state"), [])
    assert capsys.readouterr().out == "NAME   STATE\n"


def test_data_is_printed_by_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_data([Part("etcd", Plane("é"))], "json")
    assert json.loads(capsys.readouterr().out) == [{"name": "etcd", "plane": {"name": "é"}}]
    output.print_data([Part("etcd", Plane("é"))], "yaml")
    assert capsys.readouterr().out == "- name: etcd\n  plane:\n    name: é\n"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0s"), (119.9, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (172799, "47h"), (172800, "2d")],
)
def test_ages_are_as_kubectl_says_them(seconds: float, said: str) -> None:
    assert output.age(seconds) == said


def test_in_a_log_every_step_gets_a_line_and_its_repetitions_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress() as tell:
        for line in ("compiling: 1 package", "compiling: 2 packages", "starting etcd", "starting kwok"):
            tell(line)
    printed = capsys.readouterr()
    assert printed.err == "compiling: 1 package\nstarting etcd\nstarting kwok\n"
    assert printed.out == ""
