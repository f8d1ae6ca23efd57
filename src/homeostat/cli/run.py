"""`homeostat run`: the controller as one process with its evaluators. What it consists of is listed in ``wiring``."""

from __future__ import annotations

from pathlib import Path

import click

from homeostat.cli.plugins import plugin_options


@click.command()
@click.option(
    "--kubeconfig", envvar="KUBECONFIG", show_envvar=True, help="The cluster; by default the one this pod runs in, or ~/.kube/config."
)
@click.option("--context", help="The context of the kubeconfig.")
@click.option("-n", "--namespace", default="argocd", show_default=True, help="The namespace of Applications and settings.")
@click.option(
    "--listen",
    default="127.0.0.1:8082",
    show_default=True,
    help="HOST:PORT of /api/webhook, /healthz, /readyz and /metrics; port 0 takes a free one.",
)
@click.option("--cache", type=click.Path(path_type=Path, file_okay=False), help="Where clones of repositories are kept.")
@click.option(
    "--file-root",
    "file_roots",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder whose repositories `file:` addresses may name; can be given again. None are allowed otherwise.",
)
@click.option("--workers", default=16, show_default=True, type=click.IntRange(1, 256), help="How many apps are looked at side by side.")
@click.option(
    "--evaluators", default=0, type=click.IntRange(0, 64), help="How many evaluator processes at most; 0: one for each processor."
)
@plugin_options
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True)
def run(
    kubeconfig: str | None,
    context: str | None,
    namespace: str,
    listen: str,
    cache: Path | None,
    file_roots: tuple[Path, ...],
    workers: int,
    evaluators: int,
    plugins: Path | None,
    plugin_sockets: Path | None,
    log_format: str,
    log_level: str,
) -> None:
    """Run the controller until it is told to stop (SIGTERM or Ctrl-C).

    Killed at any point, it goes on where it was when it is started again.
    """
    from homeostat.web import controller, logs  # noqa: PLC0415 - other commands start quicker without them
    from homeostat.wiring import Options  # noqa: PLC0415

    host, separator, port = listen.rpartition(":")
    if not separator or not port.isdecimal():
        raise click.BadParameter("expected HOST:PORT, such as 127.0.0.1:8082", param_hint="--listen")
    logs.configure(form=log_format, level=log_level)
    options = Options(
        kubeconfig=kubeconfig,
        context=context,
        namespace=namespace,
        cache=cache,
        file_roots=file_roots,
        workers=workers,
        evaluators=evaluators,
        plugins=plugins,
        plugin_sockets=plugin_sockets,
    )
    controller.run(options, host=host.strip("[]"), port=int(port))
