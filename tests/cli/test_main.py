"""The command line as a whole: what it lists, how it fails, what it imports."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

import homeostat as package
from homeostat.cli import main
from homeostat.model.errors import HomeostatError, InvalidError
from tests.commands import homeostat


class Refusal(click.Command):
    """A command that fails as it is told to."""

    def __init__(self, error: BaseException) -> None:
        super().__init__("refuse", callback=self._refuse)
        self._error = error

    def _refuse(self) -> None:
        raise self._error


def run(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(main.cli, "get_command", lambda _context, _name: Refusal(error))
    return main.run(["refuse"])


def test_every_command_is_there_and_has_a_summary() -> None:
    done = homeostat("--help")
    assert done.code == 0
    for name in main.cli.list_commands(click.Context(main.cli)):
        assert f"\n  {name} " in done.stdout
        assert homeostat(name, "--help").code == 0


def test_help_and_completion_import_nothing_heavy() -> None:
    script = (
        "import sys; from homeostat.cli.main import run\n"
        "run(['--help']); run(['completion', 'bash'])\n"
        "heavy = {'aiohttp', 'rich', 'pygit2', 'yaml', 'kubernetes_asyncio', 'cryptography', 'psutil', 'msgspec'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_version() -> None:
    assert homeostat("--version").stdout == f"homeostat {package.__version__}\n"


def test_an_error_of_ours_is_said_with_its_hint(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(InvalidError("the field is wrong", hint="write it right"), monkeypatch) == 1
    assert capsys.readouterr().err == "error: the field is wrong\nhint: write it right\n"


def test_errors_of_tasks_side_by_side_are_all_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    group = ExceptionGroup("tasks", [HomeostatError("one"), ExceptionGroup("more", [HomeostatError("two")])])
    assert run(group, monkeypatch) == 1
    assert capsys.readouterr().err == "error: one\nerror: two\n"


def test_an_error_that_nobody_expected_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ExceptionGroup):
        run(ExceptionGroup("tasks", [HomeostatError("one"), KeyError("two")]), monkeypatch)
    with pytest.raises(KeyError):
        run(KeyError("two"), monkeypatch)


def test_an_interrupt_has_its_own_exit_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(KeyboardInterrupt(), monkeypatch) == 130
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("nothing-like-this",), id="unknown command"),
        pytest.param(("box", "up", "--nmae", "x"), id="unknown option"),
        pytest.param(("box", "status", "-o", "xml"), id="unknown format"),
    ],
)
def test_wrong_usage_is_said_with_where_to_look(arguments: tuple[str, ...]) -> None:
    done = homeostat(*arguments)
    assert done.code == 2
    assert done.stderr.startswith("error: ")
    assert "--help` shows how it is used" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_the_shell(shell: str) -> None:
    done = homeostat("completion", shell)
    assert done.code == 0
    assert f"_HOMEOSTAT_COMPLETE={shell}_complete" in done.stdout


def test_the_shell_is_told_the_commands() -> None:
    done = homeostat(env={"_HOMEOSTAT_COMPLETE": "bash_complete", "COMP_WORDS": "homeostat box ", "COMP_CWORD": "2"})
    assert "plain,status" in done.stdout.splitlines()
