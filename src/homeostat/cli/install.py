"""``homeostat install``: puts what Homeostat needs on a cluster, or prints it."""

from __future__ import annotations

import asyncio

import click

from homeostat.argo import install as installer
from homeostat.argo.control import DEFAULT_NAMESPACE
from homeostat.live.client import Client


@click.command("install", short_help="Put the resource definitions and settings on a cluster.")
@click.option("--kubeconfig", metavar="FILE", help="The cluster to install on. [default: $KUBECONFIG, ~/.kube/config, or the pod's own]")
@click.option("--context", metavar="NAME", help="The context of the kubeconfig to use.")
@click.option("--namespace", "-n", default=DEFAULT_NAMESPACE, show_default=True, help="The namespace of the control plane.")
@click.option("--export", is_flag=True, help="Print the manifests as YAML and touch no cluster.")
def install(kubeconfig: str | None, context: str | None, namespace: str, *, export: bool) -> None:
    """Put the definitions of Application, ApplicationSet and AppProject on a cluster, and the namespace, settings and default project.

    It can be run again at any time, also over an Argo CD: definitions are brought up to date, settings that are there stay as they are.
    """
    if export:
        click.echo(installer.export(namespace), nl=False)
        return
    asyncio.run(_install(kubeconfig, context, namespace))
    click.echo("ready: start the controller with `homeostat run`", err=True)


async def _install(kubeconfig: str | None, context: str | None, namespace: str) -> None:
    client = await Client.connect(kubeconfig, context)
    async with client:
        await installer.install(client, namespace=namespace, told=_tell)


def _tell(installed: installer.Installed) -> None:
    key = installed.key
    kind = f"{key.kind}.{key.group}" if key.group else key.kind
    click.echo(f"{kind.lower()}/{key.name} {installed.outcome}")
