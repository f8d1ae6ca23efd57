"""What every verb shares: the options that name a cluster, the argument that names apps, and how a verb is run.

A verb is a coroutine function that takes ``place`` and what its own options are called. Nothing heavy is imported here: shells ask for completions
at every press of a key.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from homeostat.model import durations

_C = TypeVar("_C", bound=Callable[..., Any])
Verb = Callable[..., Coroutine[Any, Any, int | None]]


@dataclass(frozen=True)
class Place:
    """Which cluster, and which namespace of it holds the Applications."""

    kubeconfig: str | None
    context: str | None
    namespace: str


class Command(click.Command):
    """Takes switches as Go's flag packages do, too: ``--cascade=false`` is ``--no-cascade``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        switches = {name: one for one in self.params if isinstance(one, click.Option) and one.is_flag for name in one.opts}
        plain: list[str] = []
        for place, argument in enumerate(args):
            if argument == "--":
                plain += args[place:]
                break
            name, equals, value = argument.partition("=")
            switch = switches.get(name) if equals else None
            if switch is None or value not in {"true", "false"}:
                plain.append(argument)
            elif value == "true":
                plain.append(name)
            elif switch.secondary_opts:
                plain.append(switch.secondary_opts[0])
        return super().parse_args(ctx, plain)


class Seconds(click.ParamType[float]):
    """A length of time: a number of seconds, or ``90s``, ``5m``, ``1h30m``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, (int, float)):
            return float(value)
        try:
            seconds = durations.parse(value, bare_seconds=True)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if seconds < 0:
            self.fail(f"expected a duration that is not negative, found {value!r}", param, ctx)
        return seconds


def verb(
    name: str, *, kind: type[click.Command] = Command, short_help: str | None = None, control: Sequence[str] = ("-n", "--namespace")
) -> Callable[[Verb], click.Command]:
    """Makes a command of a coroutine function, with the options of :class:`Place`; what it answers is the exit code.

    ``control`` is how the option for the control namespace is called, where argocd uses ``--namespace`` for something else.
    """

    def made(function: Verb) -> click.Command:
        @functools.wraps(function)
        def run(*, kubeconfig: str | None, context: str | None, namespace: str, **given: Any) -> int | None:
            return asyncio.run(function(Place(kubeconfig, context, namespace), **given))

        for option in (
            click.option(
                *control,
                "namespace",
                default="argocd",
                show_default=True,
                help="The control namespace, which holds the Applications.",
            ),
            click.option("--context", metavar="NAME", help="The context of the kubeconfig to use."),
            click.option("--kubeconfig", metavar="FILE", help="The cluster. [default: $KUBECONFIG, ~/.kube/config, or the pod's own]"),
        ):
            run = option(run)
        return click.command(name, cls=kind, short_help=short_help)(run)

    return made


def app_argument(function: _C) -> _C:
    """The argument NAME, as ``name``."""
    return click.argument("name", metavar="NAME", shell_complete=complete_names)(function)


def apps_argument(function: _C) -> _C:
    """The arguments NAME…, as ``names``, and ``--selector``, as ``selector``."""
    selector = click.option("-l", "--selector", default="", metavar="LABELS", help="All apps with these labels, such as team=shop.")
    return click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=complete_names)(selector(function))


def output_option(*more: str, default: str = "table") -> Callable[[_C], _C]:
    """``-o`` of a verb that reads, as ``output``; ``more`` are forms that only it has."""
    forms = ["table", "wide", "json", "yaml", "name", *more]
    return click.option("-o", "--output", type=click.Choice(forms), default=default, show_default=True, help="The form of what is printed.")


def timeout_option(default: float = 0.0) -> Callable[[_C], _C]:
    """``--timeout`` as ``timeout``, in seconds; 0 waits without end."""
    return click.option(
        "--timeout",
        type=Seconds(),
        default=default,
        show_default=bool(default),
        help="Give up after this time (seconds, or such as 5m). [default: wait without end]" if not default else "Give up after this time.",
    )


_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def file_roots_option(function: _C) -> _C:
    """``--file-root`` of a verb that reads repositories itself, as ``file_roots``."""
    said = "A folder whose repositories `file:` addresses may name; can be given again."
    return click.option("--file-root", "file_roots", multiple=True, type=_FOLDER, metavar="DIR", help=said)(function)


def local_options(function: _C) -> _C:
    """``--local`` as ``local`` and ``--local-repo-root`` as ``local_root``: a folder that takes the place of the app's source."""
    said = "With --local: nothing outside of it is read. By default the Git working copy that DIR is in, else DIR."
    root = click.option("--local-repo-root", "local_root", type=_FOLDER, metavar="DIR", help=said)
    local = click.option("--local", type=_FOLDER, metavar="DIR", help="Render this folder of this machine instead of the app's source.")
    return local(root(function))


@asynccontextmanager
async def limited(seconds: float, what: Callable[[], str], *, hint: str = "") -> AsyncIterator[None]:
    """Raises :class:`TimedOutError` with ``what()`` after ``seconds``; 0 is no limit."""
    from homeostat.cli.apps.errors import TimedOutError  # noqa: PLC0415

    try:
        async with asyncio.timeout(seconds or None):
            yield
    except TimeoutError:
        raise TimedOutError(seconds, what(), hint=hint) from None


def complete_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names of the cluster's apps, for a shell; none when the cluster does not answer at once."""
    from homeostat.cli.apps import completion  # noqa: PLC0415

    taken = ctx.params.get(param.name or "") or ()
    given = ctx.params
    place = Place(given.get("kubeconfig"), given.get("context"), given.get("namespace") or "argocd")
    return [name for name in completion.names(place) if name.startswith(incomplete) and name not in taken]


def complete_objects(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The objects of the app that was named before, as ``KIND/NAME``, for a shell."""
    from homeostat.cli.apps import completion  # noqa: PLC0415

    del param
    given = ctx.params
    place = Place(given.get("kubeconfig"), given.get("context"), given.get("namespace") or "argocd")
    return [one for one in completion.objects(place, given.get("name") or "") if one.lower().startswith(incomplete.lower())]
