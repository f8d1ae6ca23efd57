"""What a bench has to say: rows of figures, each beside its budget and beside what the machine could do at that moment.

A machine is rarely as quiet as one would like. So each bench measures the physical limit in the same run (a bare client doing the same work with no
controller between), and a figure is read beside it. Budgets are those of the design; the latest table is in ``docs/performance.md``.
"""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from typing import TextIO

import msgspec
import psutil
from rich.console import Console
from rich.table import Table


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One figure. ``budget`` is its bound (0: none, it is there to explain the others), ``limit`` what a bare client reached in the same run.

    ``more`` says that more is better (a rate). ``note`` tells what the limit is, or what else was seen.
    """

    what: str
    measured: float
    unit: str
    budget: float = 0.0
    limit: float = 0.0
    more: bool = False
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the budget is met; without one it is."""
        if not self.budget:
            return True
        return self.measured >= self.budget if self.more else self.measured <= self.budget


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured. ``load`` is the number of processes that wanted to run, averaged over the last minute, ours included."""

    system: str
    processor: str
    cores: int
    memory_gib: int
    python: str
    load: float


class Result(msgspec.Struct, frozen=True):
    """What one bench found."""

    bench: str
    title: str
    machine: Machine
    rows: tuple[Row, ...]


def machine() -> Machine:
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / 2**30),
        python=platform.python_version(),
        load=round(os.getloadavg()[0], 1),
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - a file of the kernel
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def show(result: Result, *, to: TextIO) -> None:
    """Prints a table."""
    table = Table(title=f"{result.title}  (load {result.machine.load})", title_justify="left", title_style="bold", min_width=100)
    for name in ("", "measured", "budget", "limit here", ""):
        table.add_column(name, justify="left" if not name else "right", overflow="fold")
    for row in result.rows:
        sign = "≥" if row.more else "≤"
        budget = f"{sign} {number(row.budget)}" if row.budget else ""
        style = "" if not row.budget else "green" if row.met else "red"
        text = f"{number(row.measured)} {row.unit}"
        table.add_row(row.what, f"[{style}]{text}[/]" if style else text, budget, number(row.limit) if row.limit else "", row.note)
    Console(file=to, width=None if to.isatty() else 160).print(table)


def number(value: float) -> str:
    """Three figures are more than the machine deserves."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of ``values`` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
