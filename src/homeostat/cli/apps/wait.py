"""``homeostat app wait``: waits for apps, says what for, and has an end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import click

from homeostat.argo.read import REFRESH
from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place, apps_argument, limited, timeout_option, verb
from homeostat.cli.apps.control import Applications, connected
from homeostat.cli.apps.errors import RefusedError
from homeostat.cli.apps.operations import ResourceFilter, is_chosen
from homeostat.compare.health.custom import application
from homeostat.model import tasks
from homeostat.model.objects import Object


@dataclass(frozen=True)
class Goals:
    """What is to be true of an app. ``healths`` are the words of which one is wanted; none: its health does not matter."""

    sync: bool = False
    healths: frozenset[str] = frozenset()
    operation: bool = False
    delete: bool = False
    resources: Sequence[dict[str, Any]] = ()

    @classmethod
    def of(cls, *, sync: bool, health: bool, suspended: bool, degraded: bool, operation: bool, delete: bool, resources: Any = ()) -> Goals:
        """Nothing asked for means synced, healthy, and no operation under way."""
        if not (sync or health or suspended or degraded or operation or delete):
            sync = health = operation = True
        wanted = {"Healthy": health, "Suspended": suspended, "Degraded": degraded}
        return cls(sync, frozenset(word for word, on in wanted.items() if on), operation, delete, resources)


@verb("wait")
@apps_argument
@click.option("--sync", is_flag=True, help="Until it is Synced.")
@click.option("--health", is_flag=True, help="Until it is Healthy.")
@click.option("--suspended", is_flag=True, help="Until it is Suspended (or what else is asked for of its health).")
@click.option("--degraded", is_flag=True, help="Until it is Degraded (or what else is asked for of its health).")
@click.option("--operation", is_flag=True, help="Until no operation is under way.")
@click.option("--delete", is_flag=True, help="Until it is gone.")
@click.option(
    "--resource",
    "resources",
    multiple=True,
    type=ResourceFilter(),
    help="Look at this object instead of the whole app; can be given again.",
)
@timeout_option()
async def wait(
    place: Place,
    *,
    names: tuple[str, ...],
    selector: str,
    timeout: float,  # noqa: ASYNC109 - an option of the command line
    **given: Any,
) -> None:
    """Wait until apps are synced and healthy and no operation is under way, or for what is asked for.

    What is waited for is said on standard error whenever it changes. Exits with 1 when the time is up.
    """
    goals = Goals.of(**given)
    async with connected(place) as applications:
        wanted = (
            list(names) if goals.delete and names else [applications.name_of(app) for app in await applications.chosen(names, selector)]
        )
        await tasks.together(*(reach(applications, name, goals, seconds=timeout) for name in wanted))


async def reach(applications: Applications, name: str, goals: Goals, *, seconds: float) -> None:
    """Returns when the app has come to its goals. Raises :class:`TimedOutError`, and :class:`RefusedError` when it is gone instead."""
    left: list[str] = []
    async with (
        limited(seconds, lambda: f"waiting for app `{name}`: {', '.join(left) or 'nothing is known of it yet'}"),
        aclosing(applications.follow(name)) as states,
    ):
        async for app in states:
            if app is None:
                break
            now = unmet(app, goals)
            if not now:
                click.echo(f"app `{name}` is {_said(app, goals)}")
                return
            if now != left:
                click.echo(f"waiting for app `{name}`: {', '.join(now)}", err=True)
                left = now
    if goals.delete:
        click.echo(f"app `{name}` is gone")
        return
    raise RefusedError(f"app `{name}` is gone")


def unmet(app: Object, goals: Goals) -> list[str]:
    """What is still to come, in words; nothing when the goals are reached. While a look is due, sync and health are not believed."""
    left: list[str] = []
    if goals.delete:
        going = app["metadata"].get("deletionTimestamp")
        left.append("its objects are being deleted" if going else "nobody has deleted it")
    if goals.operation and words.is_busy(app):
        message = words.part(app, "status", "operationState").get("message")
        left.append(f"a sync is under way ({message})" if message and words.phase_of(app) == "Running" else "a sync is under way")
    if not goals.sync and not goals.healths:
        return left
    if REFRESH in words.part(app, "metadata", "annotations"):
        left.append("it is being refreshed")
    elif not words.part(app, "status", "sync"):
        left.append("nobody has looked at it yet")
    elif not _is_current(app):
        left.append("its spec has changed since it was looked at")
    if goals.resources:
        return left + _unmet_resources(app, goals)
    if goals.sync and words.sync_of(app) != "Synced":
        said = [str(one.get("message")) for one in words.items(app, "status", "conditions") if str(one.get("type")).endswith("Error")]
        left.append(f"it is {words.sync_of(app)}" + (f" ({'; '.join(said)})" if said else ""))
    if goals.healths and words.health_of(app) not in goals.healths:
        message = words.part(app, "status", "health").get("message")
        left.append(f"it is {words.health_of(app)}" + (f" ({message})" if message else ""))
    return left


def _unmet_resources(app: Object, goals: Goals) -> list[str]:
    chosen = [one for one in words.resources_of(app) if is_chosen(one, goals.resources)]
    left = [] if chosen else ["none of its objects is among those that are waited for"]
    for one in chosen:
        health = words.part(one, "health").get("status")
        if goals.sync and one.get("status") != "Synced":
            left.append(f"{words.object_of(one)} is {one.get('status')}")
        if goals.healths and health and health not in goals.healths:
            left.append(f"{words.object_of(one)} is {health}")
    return left


def _said(app: Object, goals: Goals) -> str:
    said = [words.sync_of(app)] if goals.sync else []
    if goals.healths:
        said.append(words.health_of(app))
    if goals.operation and not said:
        said.append(f"idle (the last sync: {words.phase_of(app) or 'none'})")
    return " and ".join(said)


def _is_current(app: Object) -> bool:
    """Whether the status is about the spec as it stands."""
    compared = words.part(app, "status", "sync", "comparedTo")
    return not compared or application.describes(compared, words.part(app, "spec"))
