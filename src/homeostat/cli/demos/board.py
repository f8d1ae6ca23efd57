"""Shows a person what happens: on a terminal lines above a table that is kept up to date, elsewhere lines alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from homeostat.argo.read import REFRESH
from homeostat.cli.apps import words
from homeostat.cli.demos.examples import WRITTEN_AS
from homeostat.cli.demos.news import news
from homeostat.cli.output import colourful
from homeostat.model.objects import Object

_COLUMNS = ("app", "written as", "sync", "health", "revision", "objects", "synced after")


@dataclass
class _Row:
    app: Object
    synced_after: float | None = None
    """Seconds from the start of the demo until the app was first seen Synced."""


@dataclass
class Board:
    """``began`` is the start of the demo on the monotonic clock; ``write`` prints a line, ``show`` puts a table in the place of the last one."""

    began: float
    write: Callable[[str], None] = click.echo
    show: Callable[[Table], None] | None = None
    since: float = field(default_factory=time.time)
    """Of when the board is, as epoch: what was over by then is no news."""
    rows: dict[str, _Row] = field(default_factory=dict)

    def tell(self, line: str) -> None:
        """A line with the time since the start before it."""
        text = "".join(letter if letter.isprintable() else " " for letter in line)
        self.write(f"{time.monotonic() - self.began:7.1f}s  {text}")

    def see(self, name: str, app: Object | None) -> None:
        """An app as it is now; ``None`` when it is gone."""
        row = self.rows.get(name)
        if app is None:
            if self.rows.pop(name, None):
                self.tell(f"{name}: gone")
        elif not (row and row.app) and not _looked_at(app):
            # What stands there, if anything, is of an earlier start.
            self.rows[name] = _Row({})
        else:
            self._follow(name, row or _Row({}), app)
        if self.show is not None:
            self.show(self.table())

    def _follow(self, name: str, row: _Row, app: Object) -> None:
        self.rows[name] = row
        width = max(map(len, WRITTEN_AS))
        for line in news(row.app, app, since=self.since):
            self.tell(f"{name:{width}}  {line}")
        row.app = app
        if row.synced_after is None and words.sync_of(app) == "Synced":
            row.synced_after = time.monotonic() - self.began

    @property
    def settled(self) -> bool:
        """All example apps that there are have been seen Synced and Healthy at the same time."""
        return bool(self.rows) and all(
            words.sync_of(row.app) == "Synced" and words.health_of(row.app) == "Healthy" for row in self.rows.values()
        )

    @property
    def first(self) -> float | None:
        """When the first app was synced."""
        return min((row.synced_after for row in self.rows.values() if row.synced_after is not None), default=None)

    def table(self) -> Table:
        table = Table(*(column.upper() for column in _COLUMNS), box=None, padding=(0, 3, 0, 0), pad_edge=False)
        order = [*WRITTEN_AS, *sorted(self.rows.keys() - WRITTEN_AS.keys())]
        for name in order:
            if row := self.rows.get(name):
                table.add_row(*(_painted(cell) for cell in _cells(name, row)))
        return table


@contextmanager
def board(began: float) -> Iterator[Board]:
    """A board on standard output."""
    made = Board(began)
    if not sys.stdout.isatty():
        yield made
        return
    console = Console(highlight=False, markup=False, no_color=not colourful(sys.stdout))
    with Live(made.table(), console=console, auto_refresh=False, vertical_overflow="visible") as live:
        made.show = lambda table: live.update(table, refresh=True)
        made.write = lambda line: console.print(line, soft_wrap=True)
        yield made


def _looked_at(app: Object) -> bool:
    return bool(app.get("status")) and REFRESH not in words.part(app, "metadata", "annotations")


def _cells(name: str, row: _Row) -> list[str]:
    how = WRITTEN_AS.get(name, words.NOTHING)
    if not row.app:
        return [name, how, "…", "…", words.NOTHING, words.NOTHING, words.NOTHING]
    return [
        name,
        how,
        words.sync_of(row.app),
        words.health_of(row.app),
        words.short(words.part(row.app, "status", "sync").get("revision")),
        str(len(words.resources_of(row.app))),
        f"{row.synced_after:.1f}s" if row.synced_after is not None else words.NOTHING,
    ]


def _painted(cell: str) -> Text:
    return Text(cell, style=words.COLOURS.get(cell, ""))
