"""`python -m bench.table FILE.json… PAGE.md`: puts what was measured into a page, between its marks.

Of several files the best run of each bench counts: a machine that others use too is never quicker than it can be.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from bench.report import Machine, Result, Row, number

BEGIN = "<!-- measured: made by `python -m bench.table` -->"
END = "<!-- end of what was measured -->"


def main(arguments: list[str]) -> None:
    *files, page = (Path(argument) for argument in arguments)
    results = [result for file in files for result in msgspec.json.decode(file.read_bytes(), type=list[Result])]
    text = page.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n\n{_page(_best(results))}\n{END}{after}")


def _best(results: Iterable[Result]) -> list[Result]:
    """One result for each bench and number of apps, in the order in which they first came."""
    best: dict[str, Result] = {}
    for result in results:
        known = best.get(result.title)
        if known is None or _quicker(result.rows[0], known.rows[0]):
            best[result.title] = result
    return list(best.values())


def _quicker(one: Row, other: Row) -> bool:
    return one.measured > other.measured if one.more else one.measured < other.measured


def _page(results: list[Result]) -> str:
    return "\n".join([_where(results[0].machine), "", *(line for result in results for line in _table(result))])


def _where(machine: Machine) -> str:
    return (
        f"Measured on {machine.system}, {machine.cores} cores ({machine.processor}), {machine.memory_gib} GiB, Python {machine.python}. "
        "The load beside each title is the system's, averaged over a minute: what was measured and what else ran at the time."
    )


def _table(result: Result) -> list[str]:
    lines = [
        f"### {result.title}",
        "",
        f"Load {result.machine.load}.",
        "",
        "| | measured | budget | limit here | |",
        "|---|---:|---:|---:|---|",
    ]
    for row in result.rows:
        budget = f"{'≥' if row.more else '≤'} {number(row.budget)}" if row.budget else ""
        mark = "" if row.met else " **missed**"
        limit = number(row.limit) if row.limit else ""
        lines.append(f"| {row.what} | {number(row.measured)} {row.unit}{mark} | {budget} | {limit} | {row.note} |".replace("  |", " |"))
    return [*lines, ""]


if __name__ == "__main__":
    main(sys.argv[1:])
