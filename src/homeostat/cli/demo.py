"""``homeostat demo``: see it all at work on this machine. What it consists of is in :mod:`homeostat.cli.demos`."""

from __future__ import annotations

import time

import click

from homeostat.cli import output as out


@click.command("demo", short_help="See it all at work on this machine.")
@click.option("--name", default="demo", show_default=True, help="The name of the demo and of its box; several run side by side.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port of the Git server. [default: that of the last time, else a free one]")
@click.option(
    "--keep/--reset", default=True, help="Keep the data for the next start, or begin with nothing and leave nothing. [default: keep]"
)
@click.option("--script", is_flag=True, help="Play the whole story without you, on a box of its own that is removed afterwards.")
def demo(name: str, port: int | None, *, keep: bool, script: bool) -> None:
    """Start a real control plane and a Git server on this machine, and keep four example apps on it in the state that Git declares.

    They are written as plain YAML, Kustomize, Helm and Jsonnet. The demo shows what becomes of them, says what to try, and stays up until Ctrl-C.

    With --script it does by itself what one would try, says what it saw, and exits with 0 only if all of it was seen to happen.
    """
    from homeostat import toolchain  # noqa: PLC0415
    from homeostat.cli.demos import stage as stages  # noqa: PLC0415
    from homeostat.cli.demos.stopping import Stopping  # noqa: PLC0415

    began = time.monotonic()
    with Stopping() as stopping:
        with out.progress() as tell:
            for program in ("evaluator", "box"):
                toolchain.program(program, progress=tell)
        if script:
            from homeostat.cli.demos import story  # noqa: PLC0415

            story.play(stopping, port=port)
            return
        click.echo("Four apps, from Git to a real Kubernetes API server on this machine.")
        with stages.stage(name, keep=keep, stopping=stopping) as stage:
            from homeostat.cli.demos import show  # noqa: PLC0415 - while the control plane is up already, if not yet warm

            stopping.run(lambda: show.show(stage, began=began, port=port))
    click.echo(f"Nothing runs any more; the data are {'kept for the next start' if keep else 'deleted'}.")
