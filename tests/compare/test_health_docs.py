"""docs/health.md lists every built-in rule. `python -m tests.compare.test_health_docs` prints the tables that belong there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat.compare.health import builtin, custom
from homeostat.compare.health.shapes import Conditions, Phases, RuleFunction
from homeostat.model.health import HealthStatus

PAGE = Path(__file__).parents[2] / "docs" / "health.md"


def told(rule: RuleFunction) -> str:
    """What a rule goes by: of a shape its data, of a function the first line of its docstring."""
    if isinstance(rule, Conditions):
        parts = ["Healthy by " + ", ".join(rule.good)]
        if rule.when_false is not HealthStatus.DEGRADED:
            parts.append(f"{rule.when_false} while False")
        parts += [f"{status} for {_listed(reasons)}" for status, reasons in _by_status(rule.reasons)]
        for status, kinds in (("Degraded", rule.bad), ("Progressing", rule.busy), ("Suspended", rule.paused)):
            parts += [f"{status} by {', '.join(kinds)}"] if kinds else []
        return "Conditions: " + "; ".join(parts + _suspend(rule.suspend))
    if isinstance(rule, Phases):
        words = [f"{status} {_listed(words)}" for status, words in _by_status(rule.words)]
        return f"`{'.'.join(rule.path)}`: " + "; ".join([*words, f"{rule.other} otherwise", *_suspend(rule.suspend)])
    assert rule.__doc__, rule
    return rule.__doc__.splitlines()[0]


def _suspend(path: tuple[str, ...]) -> list[str]:
    return [f"Suspended by `{'.'.join(path)}`"] if path else []


def _listed(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _by_status(table: object) -> Iterator[tuple[HealthStatus, list[str]]]:
    assert isinstance(table, dict)
    for status in HealthStatus:
        words = [word for word, found in table.items() if found is status]
        if words:
            yield status, words


def kinds_table() -> list[str]:
    rows: dict[tuple[str, str], list[str]] = {}
    for kind, rule in custom.KINDS.items():
        rows.setdefault((kind.group, told(rule)), []).append(kind.kind)
    return [f"| `{group}` | {', '.join(sorted(kinds))} | {how} |" for (group, how), kinds in sorted(rows.items())]


def groups_table() -> list[str]:
    return [f"| `{'*' if ending[0] == '.' else ''}{ending}` | {told(rule)} |" for ending, rule in custom.GROUPS]


def tables() -> str:
    return "\n".join(
        [
            f"## Custom resources ({len(custom.KINDS)} kinds)",
            "",
            "| group | kinds | judged by |",
            "|---|---|---|",
            *kinds_table(),
            "",
            "## Whole groups",
            "",
            "All other kinds of these groups:",
            "",
            "| group | judged by |",
            "|---|---|",
            *groups_table(),
            "",
        ]
    )


def test_the_page_lists_every_rule_as_it_is() -> None:
    assert PAGE.read_text().endswith(tables()), "put the output of `python -m tests.compare.test_health_docs` at the end of docs/health.md"


@pytest.mark.parametrize("kind", sorted({kind.kind for kind in builtin.RULES.keys() - custom.KINDS.keys()}))
def test_the_page_names_the_kinds_of_kubernetes(kind: str) -> None:
    assert kind in PAGE.read_text()


if __name__ == "__main__":
    print(tables(), end="")  # noqa: T201
