"""``homeostat app actions``: what can be done to an app's objects (restart, scale, …), and doing it. docs/actions.md says what there is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from homeostat.cli import output as out
from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place, app_argument, verb
from homeostat.cli.apps.errors import RefusedError
from homeostat.model.errors import HomeostatError
from homeostat.model.objects import Key, key_of

if TYPE_CHECKING:
    from homeostat.actions.engine import Action
    from homeostat.cli.apps.acting import Acting

_C = TypeVar("_C", bound=Callable[..., Any])
_CONTROL = ("-n", "-N", "--app-namespace")


@click.group("actions")
def actions() -> None:
    """List and run actions on an app's objects.

    The objects are those in Git and the Application itself; with --children also what they brought about.
    """


class Choice(msgspec.Struct, frozen=True):
    """The objects that the options name. An empty text is no condition; ``group`` is ``None`` where none is, for the core API's is empty."""

    group: str | None
    kind: str
    object_namespace: str
    resource_name: str

    def takes(self, key: Key) -> bool:
        return (
            self.group in {None, key.group}
            and self.kind in {"", key.kind}
            and self.object_namespace in {"", key.namespace}
            and self.resource_name in {"", key.name}
        )


def _choice_options(function: _C) -> _C:
    for option in (
        click.option("--children", is_flag=True, help="Also the objects below those in Git, such as the Jobs of a CronJob."),
        click.option("--resource-name", default="", metavar="NAME", help="Only the object of this name."),
        click.option("--namespace", "object_namespace", default="", help="Only objects in this namespace (not the control namespace)."),
        click.option("--group", help="Only objects of this group; empty for the core API."),
        click.option("--kind", default="", help="Only objects of this kind."),
    ):
        function = option(function)
    return function


def _complete_actions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names of actions for a shell; none when the cluster does not answer at once."""
    del param
    from homeostat.cli.apps import acting  # noqa: PLC0415
    from homeostat.cli.apps.completion import PATIENCE  # noqa: PLC0415

    given = ctx.params
    place = Place(given.get("kubeconfig"), given.get("context"), given.get("namespace") or "argocd")
    try:
        names = asyncio.run(asyncio.wait_for(acting.known(place, given.get("name") or "", given.get("kind") or ""), PATIENCE))
    except (HomeostatError, TimeoutError):
        return []
    return [name for name in names if name.startswith(incomplete)]


class _Assignment(click.ParamType[tuple[str, str]]):
    name = "NAME=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        name, equals, text = value.partition("=")
        if not name or not equals:
            self.fail(f"expected NAME=VALUE, found {value!r}", param, ctx)
        return name, text


@verb("list", control=_CONTROL)
@app_argument
@_choice_options
@click.option(
    "-o", "--output", "--out", type=click.Choice(["table", "wide", "json", "yaml"]), default="table", show_default=True,
    help="The form of what is printed.",
)  # fmt: skip
async def list_actions(place: Place, *, name: str, children: bool, output: str, **given: Any) -> int:
    """List the actions of an app's objects, and whether they can be run on them as they are."""
    from homeostat.cli.apps import acting  # noqa: PLC0415
    from homeostat.cli.apps.control import connected  # noqa: PLC0415

    found: list[tuple[Key, Action]] = []
    failed = 0
    async with connected(place) as applications:
        scene = await acting.acting(applications, name)
        chosen = await _chosen(scene, Choice(**given), children=children)
        objects = await scene.objects([(key, version) for key, version in chosen if scene.offer(key)])
        async with scene.engine() as engine:
            for _, obj in objects:
                try:
                    found += [(key_of(obj), action) for action in await engine.discover(obj)]
                except HomeostatError as error:
                    out.report(error)
                    failed = 1
    _print(found, output)
    return failed


@verb("run", control=_CONTROL)
@app_argument
@click.argument("action", shell_complete=_complete_actions)
@_choice_options
@click.option("--all", "several", is_flag=True, help="Run it on all objects that are named, where they are more than one.")
@click.option("--param", "params", type=_Assignment(), multiple=True, help="A parameter of the action; can be given again.")
async def run_action(
    place: Place, *, name: str, action: str, children: bool, several: bool, params: tuple[tuple[str, str], ...], **given: Any
) -> int:
    """Run an action on objects of an app, with your own rights.

    Without --kind it is run on the one object that has such an action. Exits with 1 when it could not be run on one of them.
    """
    from homeostat.cli.apps import acting  # noqa: PLC0415
    from homeostat.cli.apps.control import connected  # noqa: PLC0415

    failed = 0
    async with connected(place) as applications:
        scene = await acting.acting(applications, name)
        chosen = await _chosen(scene, Choice(**given), children=children)
        objects = await scene.objects(_narrowed(scene, chosen, action, several=several, grouped=given["group"] is not None))
        if not objects:
            raise RefusedError("none of the objects that were named is in the cluster")
        async with scene.engine() as engine:
            for resource, obj in objects:
                try:
                    done = await scene.act(engine, resource, obj, action, dict(params))
                except HomeostatError as error:
                    out.report(error)
                    failed = 1
                else:
                    for line in done:
                        click.echo(f"{key_of(obj)}: {line}")
    return failed


actions.add_command(list_actions)
actions.add_command(run_action)


async def _chosen(scene: Acting, choice: Choice, *, children: bool) -> list[tuple[Key, str]]:
    """Raises :class:`RefusedError` when nothing is left: what was named is not of the app."""
    chosen = [(key, version) for key, version in await scene.keys(children=children) if choice.takes(key)]
    if not chosen:
        name = words.name_of(scene.app)
        below = "" if children else ", with `--tree` what --children adds"
        raise RefusedError(f"no object of app `{name}` is as the options say", hint=f"`homeostat app resources {name}` shows them{below}")
    return chosen


def _narrowed(scene: Acting, chosen: list[tuple[Key, str]], action: str, *, several: bool, grouped: bool) -> list[tuple[Key, str]]:
    """Those that may have the action. Raises :class:`RefusedError` when there are none, or more than were asked for."""
    offers = {key: scene.offer(key) for key, _ in chosen}
    can = [(key, version) for key, version in chosen if (offer := offers[key]) is not None and action in offer.definitions]
    if not can:
        known = sorted({name for offer in offers.values() if offer for name in offer.definitions})
        hint = f"there is {', '.join(f'`{name}`' for name in known)}" if known else "their kinds have no actions"
        raise RefusedError(f"none of the objects has an action `{action}`", hint=hint)
    if len({key.group for key, _ in can}) > 1 and not grouped:
        raise RefusedError(f"objects of several groups have an action `{action}`: {_listed(can)}", hint="name one with --group and --kind")
    if len(can) > 1 and not several:
        raise RefusedError(
            f"several objects have an action `{action}`: {_listed(can)}",
            hint="name one with --kind, --namespace and --resource-name, or run it on all of them with --all",
        )
    return can


def _listed(keys: list[tuple[Key, str]]) -> str:
    shown = ", ".join(str(key) for key, _ in keys[:5])
    return f"{shown}, and {len(keys) - 5} more" if len(keys) > 5 else shown


def _print(found: list[tuple[Key, Action]], form: str) -> None:
    if form in {"json", "yaml"}:
        from homeostat.cli.apps.printing import print_json_or_yaml  # noqa: PLC0415

        print_json_or_yaml([_plain(key, action) for key, action in found], form)
        return
    wide = form == "wide"
    rows = []
    for key, action in found:
        row = [key.group, key.kind, key.name, action.name, str(action.disabled).lower()]
        if wide:
            params = [f"{param.name}={param.default}" if param.default is not None else param.name for param in action.params]
            row += [key.namespace, action.reason, ", ".join(params), action.display_name]
        rows.append(row)
    columns = ["group", "kind", "name", "action", "disabled", *(["namespace", "reason", "parameters", "title"] if wide else [])]
    out.print_table(columns, rows)


def _plain(key: Key, action: Action) -> dict[str, Any]:
    """The first five as argocd writes them."""
    return {
        "Group": key.group,
        "Kind": key.kind,
        "Name": key.name,
        "Action": action.name,
        "Disabled": action.disabled,
        "Namespace": key.namespace,
        "Reason": action.reason,
        "DisplayName": action.display_name,
        "IconClass": action.icon_class,
        "Params": msgspec.to_builtins(action.params),
    }
