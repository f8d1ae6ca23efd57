"""The entry point: finds the module of a command when it is called, and turns errors into `error: …`, `hint: …` and an exit code.

Exit codes: 0 done, 1 it did not work, 2 wrong usage, 130 interrupted; a command that has others says so in its help.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys

import click

import homeostat
from homeostat.cli import output as out
from homeostat.model.errors import HomeostatError

_COMMANDS = {
    "app": "Look at apps and act on them.",
    "box": "Start and stop a real control plane on this machine.",
    "completion": "Print the completion script of a shell.",
    "demo": "See it all at work on this machine.",
    "diff": "Show what a change of a repository changes in its apps.",
    "health": "Judge the health of manifests with a status.",
    "install": "Put the resource definitions and settings on a cluster.",
    "lint": "Look for faults in the apps and manifests of a repository.",
    "render": "Print what a folder or an app renders to.",
    "run": "Run the controller.",
}
"""With their summaries: to list them must not import them all."""


class _Nouns(click.Group):
    """Commands that are modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return [name for name in _COMMANDS if importlib.util.find_spec(f"homeostat.cli.{name}")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = getattr(importlib.import_module(f"homeostat.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name]) for name in self.list_commands(ctx)])


@click.group(cls=_Nouns, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(homeostat.__version__, prog_name="homeostat", message="%(prog)s %(version)s")
def cli() -> None:
    """Keep Kubernetes clusters in the state that Git declares."""


def main() -> None:
    """What the installed program `homeostat` runs."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs one command line and answers its exit code."""
    try:
        outcome = cli.main(arguments, prog_name="homeostat", standalone_mode=False)
    except click.ClickException as error:
        out.say("error", error.format_message())
        if isinstance(error, click.UsageError) and error.ctx is not None:
            out.say("hint", f"`{error.ctx.command_path} --help` shows how it is used")
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        out.say("error", "interrupted")
        return 130
    except BrokenPipeError:
        # Whoever read our output has had enough. Nothing may be flushed into the pipe on the way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (HomeostatError, BaseExceptionGroup) as error:
        if not out.report(error):
            raise
        return 1
    return outcome if isinstance(outcome, int) else 0
