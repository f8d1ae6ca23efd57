"""``homeostat app logs``: the logs of the pods that an app's objects brought about."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import click

from homeostat.cli import output as out
from homeostat.cli.apps import tree, words
from homeostat.cli.apps.common import Place, app_argument, verb
from homeostat.cli.apps.control import connected
from homeostat.cli.apps.errors import NoLogsError
from homeostat.live.client import Client
from homeostat.live.errors import ApiError, NotFoundError
from homeostat.model import tasks
from homeostat.model.objects import GroupKind, Key
from homeostat.model.resources import Resource

_POD = GroupKind("", "Pod")
_PODS = Resource("", "v1", "Pod", "pods", namespaced=True)
_MOST = 50
"""Logs that are read at the same time: each is a connection to the API server, and to a kubelet behind it."""


@verb("logs")
@app_argument
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@click.option("--tail", type=click.IntRange(0), help="Only so many lines from the end of each log.")
@click.option("-c", "--container", default="", help="Only this container; by default all of a pod.")
@click.option("-p", "--previous", is_flag=True, help="The logs of containers that ended before the ones that run now.")
@click.option("--since-seconds", type=click.IntRange(1), help="Only what was written in so many seconds.")
@click.option("--timestamps", is_flag=True, help="Put the time before each line.")
@click.option("--filter", "text", default="", help="Only lines that hold this text.")
@click.option("--group", default="", help="Only pods below an object of this group.")
@click.option("--kind", default="", help="Only pods below an object of this kind.")
@click.option("--name", "object_name", default="", help="Only pods below an object of this name.")
async def logs(place: Place, *, name: str, container: str, text: str, group: str, kind: str, object_name: str, **given: Any) -> None:
    """Print the logs of an app's pods. Where there is more than one, each line says which it is from."""
    async with connected(place) as applications:
        app = await applications.get(name)
        grown = await tree.grow(applications.client, app)
        chosen = [
            branch
            for branch in tree.walk(grown)
            if all(not want or want == have for want, have in zip((group, kind, object_name), _named(branch.key), strict=True))
        ]
        pods = sorted({branch.key for branch in tree.walk(chosen) if branch.key.group_kind == _POD})
        if not pods:
            raise NoLogsError(
                f"app `{words.name_of(app)}` has no pods" + (" below the objects that were named" if group or kind or object_name else ""),
                hint=f"`homeostat app resources {words.name_of(app)} --tree` shows what there is",
            )
        await _print(applications.client, pods, container, text, given)


def _named(key: Key) -> tuple[str, str, str]:
    return key.group, key.kind, key.name


async def _print(client: Client, pods: list[Key], container: str, text: str, given: dict[str, Any]) -> None:
    found = await tasks.together(*(_containers(client, pod, container) for pod in pods))
    logs = [one for several in found for one in several]
    if not logs:
        told = f"no pod of the app has a container `{container}`" if container else "the app's pods are gone"
        raise NoLogsError(told, hint="" if not container else "`homeostat app resources NAME --tree -o wide` shows the pods")
    if len(logs) > _MOST:
        raise NoLogsError(
            f"these are {len(logs)} logs, more than the {_MOST} that are read at once", hint="choose with --name or --container"
        )
    several = len(logs) > 1
    outcomes = await tasks.together(
        *(_stream(client, pod, one, f"[{pod.name}/{one}] " if several else "", text, given) for pod, one in logs)
    )
    refused = [outcome for outcome in outcomes if outcome]
    if refused and len(refused) == len(outcomes):
        raise NoLogsError(f"no log could be read: {refused[0]}", hint="simulated pods (`homeostat box`, `homeostat demo`) write no logs")
    for message in refused:
        out.say("warning", message)


async def _containers(client: Client, pod: Key, container: str) -> list[tuple[Key, str]]:
    try:
        obj = await client.get(_PODS, pod.namespace, pod.name)
    except NotFoundError:
        return []
    if container:
        known = [*words.items(obj, "spec", "initContainers"), *words.items(obj, "spec", "containers")]
        return [(pod, container)] if any(one.get("name") == container for one in known) else []
    return [(pod, str(one.get("name"))) for one in words.items(obj, "spec", "containers")]


async def _stream(client: Client, pod: Key, container: str, prefix: str, text: str, given: dict[str, Any]) -> str:
    """Prints one log; answers why it could not be read, nothing when it could."""
    try:
        async with aclosing(client.logs(pod.namespace, pod.name, container=container, **given)) as lines:
            async for line in lines:
                if text in line:
                    click.echo(prefix + line)
    except ApiError as error:
        return f"pod {pod.namespace}/{pod.name}, container {container}: {error}"
    return ""
