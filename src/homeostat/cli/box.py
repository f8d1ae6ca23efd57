"""``homeostat box``: a real control plane on this machine, by name."""

from __future__ import annotations

import click

from homeostat.cli import output as out

_NAME = click.option("--name", default="default", show_default=True, help="Which box; several run side by side.")

_CRASHED, _DOWN = 1, 3


@click.group("box")
def box() -> None:
    """Start and stop a real Kubernetes control plane on this machine, without containers, for trying and testing.

    Its API server, controllers, scheduler and etcd are the real ones; nodes and pods are simulated. It listens on the loopback address only.
    """


@box.command("up", short_help="Start a box, or what has crashed of it.")
@_NAME
def up(name: str) -> None:
    """Start a box, or what has crashed of it; return when it is ready for pods.

    The first time the control plane is compiled, which takes about 5 minutes; after that a start takes a few seconds. Data of earlier runs
    is still there.
    """
    from homeostat.box.plane import Plane  # noqa: PLC0415

    plane = Plane(name)
    with out.progress() as tell:
        plane.up(progress=tell)
    click.echo(f"box `{name}` is up at {plane.server}", err=True)
    click.echo(f"hint: export KUBECONFIG={plane.kubeconfig}", err=True)


@box.command("down")
@_NAME
def down(name: str) -> None:
    """Stop a box; its data stay for the next start."""
    from homeostat.box.plane import Plane  # noqa: PLC0415

    with out.progress() as tell:
        Plane(name).down(progress=tell)
    click.echo(f"box `{name}` is down", err=True)


@box.command("reset", short_help="Stop a box and delete all that it holds.")
@_NAME
def reset(name: str) -> None:
    """Stop a box and delete all that it holds: data, certificates, tokens. The next start makes a new, empty one."""
    from homeostat.box.plane import Plane  # noqa: PLC0415

    with out.progress() as tell:
        Plane(name).reset(progress=tell)
    click.echo(f"box `{name}` is gone", err=True)


@box.command("kubeconfig")
@_NAME
def kubeconfig(name: str) -> None:
    """Print the path of a box's kubeconfig, and nothing else."""
    from homeostat.box.plane import Plane  # noqa: PLC0415

    click.echo(str(Plane(name).kubeconfig))


@box.command("status")
@click.option("--name", help="Which box. [default: all]")
@out.format_option("table", "json", "yaml")
@click.pass_context
def status(ctx: click.Context, name: str | None, output: str) -> None:
    """Show what runs.

    Exits with 0 when all of it is up, with 1 when a component has crashed or the API server is not ready, with 3 when a box is down.
    """
    from homeostat.box.plane import Plane, State, planes  # noqa: PLC0415

    found = [plane.status() for plane in ([Plane(name)] if name else planes())]
    if output == "table":
        out.print_table(
            ("box", "component", "state", "pid", "uptime", "memory"),
            [
                (
                    plane.name,
                    part.name,
                    part.state.value,
                    part.pid or "-",
                    out.age(part.uptime) if part.pid else "-",
                    f"{part.memory >> 20} MiB" if part.pid else "-",
                )
                for plane in found
                for part in plane.components
            ],
        )
    else:
        out.print_data(found, output)
    for plane in found:
        for part in plane.components:
            if part.message:
                click.echo(f"box `{plane.name}`: {part.name} has crashed: {part.message}", err=True)
        if plane.state is State.UP and not plane.ready:
            click.echo(f"box `{plane.name}`: the API server at {plane.server} is not ready", err=True)
        if plane.state is State.CRASHED:
            click.echo(f"hint: `homeostat box up --name {plane.name}` starts again what has crashed", err=True)
    if any(plane.state is State.CRASHED or (plane.state is State.UP and not plane.ready) for plane in found):
        ctx.exit(_CRASHED)
    if not found or any(plane.state is State.DOWN for plane in found):
        ctx.exit(_DOWN)
