"""What commands share to speak with: tables, JSON and YAML on standard output, progress on standard error."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click

Progress = Callable[[str], None]
_Command = TypeVar("_Command", bound=Callable[..., Any])

_PLAIN_SECONDS = 15.0
"""Between two lines about the same step where standard error is no terminal: a log wants to know that it goes on, not each step of it."""


def format_option(*formats: str) -> Callable[[_Command], _Command]:
    """The option ``-o/--output`` of a command, as its argument ``output``; the first format is the default."""
    return click.option(
        "-o", "--output", type=click.Choice(formats), default=formats[0], show_default=True, help="The form of what is printed."
    )


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints columns as kubectl does: upper-case titles, three spaces between, no lines; nothing but the titles when there are no rows."""
    from rich.cells import cell_len  # noqa: PLC0415

    lines = [[str(cell) for cell in row] for row in ([column.upper() for column in columns], *rows)]
    widths = [max(map(cell_len, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True))
        click.echo("   ".join(padded).rstrip())


def print_data(value: object, form: str) -> None:
    """Prints data as ``json`` (indented) or ``yaml``. Structs and dataclasses are printed by their fields."""
    import msgspec  # noqa: PLC0415

    plain = msgspec.to_builtins(value, str_keys=True)
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(plain), indent=2).decode())
        return
    import yaml  # noqa: PLC0415

    click.echo(yaml.dump(plain, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True), nl=False)


def age(seconds: float) -> str:
    """A length of time as kubectl shortens it: ``45s``, ``12m``, ``5h``, ``3d``."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


@contextmanager
def progress() -> Iterator[Progress]:
    """A function to tell what is being done, one line at a time, on standard error.

    Lines that are the same up to their first colon speak of the same step. On a terminal the step that goes on is the last line, and each
    line takes its place; elsewhere every step gets a line, and more of them only now and then.
    """
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _terminal() as tell:
            yield tell
        return
    last_step = ""
    last_time = 0.0

    def tell_plainly(line: str) -> None:
        nonlocal last_step, last_time
        step = line.partition(":")[0]
        now = time.monotonic()
        if step != last_step or now - last_time >= _PLAIN_SECONDS:
            last_step, last_time = step, now
            click.echo(line, err=True)

    yield tell_plainly


@contextmanager
def _terminal() -> Iterator[Progress]:
    from rich.console import Console  # noqa: PLC0415

    console = Console(stderr=True, highlight=False, markup=False)
    current = ""
    with console.status("") as status:

        def tell(line: str) -> None:
            nonlocal current
            if current and current.partition(":")[0] != line.partition(":")[0]:
                console.print(current)
            current = line
            status.update(line)

        yield tell
    if current:
        console.print(current)
