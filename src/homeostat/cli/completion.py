"""``homeostat completion``: the script that makes a shell complete the command line."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    For bash, put `source <(homeostat completion bash)` into ~/.bashrc; for zsh, the same with zsh into ~/.zshrc; for fish,
    `homeostat completion fish | source` into ~/.config/fish/config.fish.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    root = ctx.find_root()
    script = kind(root.command, {}, "homeostat", "_HOMEOSTAT_COMPLETE")
    # Not `source()`: that of bash looks for a bash on this machine, which the one who reads the script need not be on.
    click.echo(script.source_template % script.source_vars())
