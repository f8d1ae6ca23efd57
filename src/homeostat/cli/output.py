"""What commands share to speak with: tables, JSON and YAML on standard output, progress on standard error."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO, TypeVar

import click

from homeostat.model.errors import HomeostatError

Progress = Callable[[str], None]
_Command = TypeVar("_Command", bound=Callable[..., Any])

_PLAIN_SECONDS = 15.0
"""Between two lines about the same step where standard error is no terminal: a log wants to know that it goes on, not each step of it."""


_BETWEEN = "   "
_NARROWEST = 8


def format_option(*formats: str) -> Callable[[_Command], _Command]:
    """The option ``-o/--output`` of a command, as its argument ``output``; the first format is the default."""
    return click.option(
        "-o", "--output", type=click.Choice(formats), default=formats[0], show_default=True, help="The form of what is printed."
    )


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, colours: Mapping[str, str] | None = None) -> None:
    """Prints columns as kubectl does: upper-case titles, three spaces between, no lines; nothing but the titles when there are no rows.

    On a terminal the widest columns give way until a row fits in a line; a pipe gets every letter. ``colours`` maps whole cells to the colour they
    have on a terminal. Control characters, which would move the cursor, are replaced.
    """
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415

    lines = [[_clean(str(cell)) for cell in row] for row in ([column.upper() for column in columns], *rows)]
    widths = [max(map(cell_len, cells)) for cells in zip(*lines, strict=True)]
    if sys.stdout.isatty():
        _shrink(widths, shutil.get_terminal_size().columns - len(_BETWEEN) * (len(widths) - 1))
    painted = colours if colours and colourful(sys.stdout) else {}
    for line in lines:
        cells = []
        for cell, width in zip(line, widths, strict=True):
            fits = cell_len(cell) <= width
            text = set_cell_size(cell, width) if fits else set_cell_size(cell, width - 1) + "…"
            cells.append(click.style(text, fg=painted[cell]) if cell in painted else text)
        click.echo(_BETWEEN.join(cells).rstrip())


def print_fields(fields: Sequence[tuple[str, object]], *, colours: Mapping[str, str] | None = None) -> None:
    """Prints ``Label:   value`` lines with the values below each other. The first word of a value has its colour in ``colours``."""
    width = max((len(label) for label, _ in fields), default=0)
    painted = colours if colours and colourful(sys.stdout) else {}
    for label, value in fields:
        text = _clean(str(value))
        first, space, rest = text.partition(" ")
        if first in painted:
            text = click.style(first, fg=painted[first]) + space + rest
        click.echo(f"{label}:{' ' * (width - len(label))}   {text}")


def _shrink(widths: list[int], room: int) -> None:
    """Makes the widest of ``widths`` smaller until they fit in ``room``; none becomes narrower than a word."""
    while sum(widths) > room and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1


def _clean(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " if letter.isspace() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def colourful(stream: TextIO) -> bool:
    """Whether ``stream`` shows colours to a person who wants them."""
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def say(label: str, message: str) -> None:
    """Writes ``error: …``, ``hint: …`` or ``warning: …`` to standard error."""
    colour = {"error": "red", "hint": "cyan", "warning": "yellow"}[label]
    plain = not colourful(sys.stderr)
    click.echo(f"{label if plain else click.style(label, fg=colour, bold=True)}: {message}", err=True, color=not plain)


def report(error: BaseException) -> bool:
    """Says what went wrong, and what to do about it. False, and nothing is said, when ``error`` is or holds one that is not ours."""
    leaves = list(_leaves(error))
    if not all(isinstance(leaf, HomeostatError) for leaf in leaves):
        return False
    for leaf in leaves:
        assert isinstance(leaf, HomeostatError)
        say("error", leaf.message)
        if leaf.hint:
            say("hint", leaf.hint)
    return True


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for below in error.exceptions:
        yield from _leaves(below)


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
