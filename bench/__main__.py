"""`python -m bench [NAME…]`: measures, and prints what it found beside the budgets.

Without names everything is measured, on stages that benches share where they can: 1,000 apps take their time to be synced.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TextIO, cast

import msgspec
import uvloop

from bench.common import Stage, stage
from bench.report import Result, Row, machine, show

Measure = Callable[[Stage, int], Awaitable[list[Row]]]


class Run(NamedTuple):
    """One bench with one number of apps."""

    bench: str
    apps: int


ALL: tuple[tuple[Run, ...], ...] = (
    (Run("first_sync", 200),),
    (
        Run("first_sync", 1000),
        Run("idle", 1000),
        Run("drift", 1000),
        Run("refresh", 1000),
        Run("one_commit", 1000),
        Run("restart", 1000),
    ),
    (Run("shared_base", 1000),),
    (Run("render", 1), Run("overlays", 1000), Run("big_chart", 1), Run("monorepo", 1)),
    (Run("planner", 1), Run("waves", 1)),
)
"""What is played on one stage stands in one row."""

NAMES = sorted({run.bench for row in ALL for run in row})


def main() -> None:
    given = _arguments()
    json = given.output == "json"
    results = [result for row in _rows(given) for result in uvloop.run(_play(row, to=sys.stderr if json else sys.stdout))]
    if json:
        print(msgspec.json.format(msgspec.json.encode(results), indent=1).decode())
    sys.exit(0 if all(row.met for result in results for row in result.rows) else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure, with the budgets beside it.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which benches; all by default: {', '.join(NAMES)}")
    parser.add_argument("--apps", type=int, default=0, metavar="N", help="how many apps, in place of each bench's own number")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="json: for `python -m bench.table`")
    given = parser.parse_args()
    for name in given.names:
        if name not in NAMES:
            parser.error(f"there is no bench {name!r}; there are {', '.join(NAMES)}")
    return given


def _rows(given: argparse.Namespace) -> list[tuple[Run, ...]]:
    """What is to be played, stage by stage."""
    rows: list[tuple[Run, ...]] = []
    for row in ALL:
        chosen = [run for run in row if not given.names or run.bench in given.names]
        if given.apps:
            chosen = [run._replace(apps=given.apps) for run in chosen]
        if chosen and not (given.apps and rows and rows[-1] == tuple(chosen)):
            rows.append(tuple(chosen))
    return rows


async def _play(row: tuple[Run, ...], *, to: TextIO) -> list[Result]:
    results = []
    async with stage() as made:
        for run in row:
            module = importlib.import_module(f"bench.{run.bench}")
            print(f"{run.bench} ({run.apps} apps)", file=sys.stderr)
            rows = await cast(Measure, module.measure)(made, run.apps)
            results.append(
                Result(run.bench, f"{module.TITLE} ({run.apps:,} apps)" if run.apps > 1 else module.TITLE, machine(), tuple(rows))
            )
            show(results[-1], to=to)
    return results


if __name__ == "__main__":
    main()
