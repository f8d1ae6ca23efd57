"""How the changes of ``homeostat diff`` are shown: as text for a terminal, as Markdown for a comment on a pull request, as data.

A comment has a limit: GitHub takes 65,536 characters. What does not fit is counted, and said to be cut; the table at the top is always whole as far as it fits.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click

from homeostat.cli import output as out
from homeostat.lint.changes import AppChange, Changes, ObjectChange, What

LIMIT = 65_536
_ROOM_FOR_NOTE = 400
_MARK = "<!-- homeostat diff -->"
"""By which a bot finds its comment again, to write it anew instead of adding another."""

_SIGNS = {What.ADDED: "+", What.CHANGED: "~", What.REMOVED: "-"}


def print_changes(changes: Changes, output: str, title: str) -> None:
    """Prints ``changes``; ``title`` says between what they are."""
    if output in {"json", "yaml"}:
        out.print_data(
            {"range": title, "lookedAt": changes.looked_at, "rendered": changes.rendered, "apps": [_plain(one) for one in changes.apps]},
            output,
        )
    elif output == "markdown":
        click.echo(markdown(changes, title), nl=False)
    else:
        _print_text(changes)


def _plain(app: AppChange) -> dict[str, Any]:
    objects = [{**one.key._asdict(), "change": one.what, "diff": one.diff} for one in app.objects]
    told = {"problems": list(app.problems), "notes": list(app.notes), "elsewhere": list(app.elsewhere)}
    return {"namespace": app.app.namespace, "name": app.app.name, "change": app.what, "objects": objects, **told}


def _print_text(changes: Changes) -> None:
    painted = out.colourful(sys.stdout)
    for app in changes.apps:
        _echo(f"===== {_name(app)} ({app.what}): {_counts(app)} =====", painted, bold=True)
        for problem in app.problems:
            _echo(f"does not render: {problem}", painted, fg="red")
        for note in _notes(app):
            _echo(note, painted, fg="yellow")
        for one in app.objects:
            _echo(f"--- {one.key} ({one.what})", painted, bold=True)
            for line in one.diff.splitlines():
                _echo(line, painted, fg={"+": "green", "-": "red", "@": "cyan"}.get(line[:1]))
        click.echo()
    click.echo(summary(changes), err=True)


def _echo(line: str, painted: bool, **style: Any) -> None:
    click.echo(click.style(line, **style) if painted else line)


def summary(changes: Changes) -> str:
    """One sentence for all."""
    if not changes.apps:
        return f"nothing changes in the objects of {_number(changes.looked_at, 'app')}"
    counts = [f"{sum(app.count(what) for app in changes.apps)} {what}" for what in What]
    return f"{len(changes.apps)} of {_number(changes.looked_at, 'app')} changed: {', '.join(counts)}"


def markdown(changes: Changes, title: str, limit: int = LIMIT) -> str:
    """A comment of at most ``limit`` characters."""
    head = f"{_MARK}\n### Changes to apps, {_code(title)}\n\n{summary(changes)[:1].upper()}{summary(changes)[1:]}.\n"
    rows = [
        f"| {_cell(_name(app))} | {app.count(What.ADDED)} | {app.count(What.CHANGED)} | {app.count(What.REMOVED)} | {_cell(_remark(app))} |\n"
        for app in changes.apps
    ]
    if not rows:
        return head
    table, left = _fitting(rows, limit // 2)
    head += f"\n| app | added | changed | removed | |\n|---|---:|---:|---:|---|\n{table}"
    if left:
        head += f"\n{_number(left, 'more app')} did not fit in the table.\n"
    sections = [section for app in changes.apps for section in _sections(app)]
    body, left = _fitting(sections, limit - len(head) - _ROOM_FOR_NOTE)
    note = (
        f"\n> **{left} of {len(sections)} differences were cut:** a comment may have {limit:,} characters. `homeostat diff` shows them all.\n"
        if left
        else ""
    )
    return head + body + note


def _fitting(texts: list[str], room: int) -> tuple[str, int]:
    """As many of ``texts`` as fit in ``room``, in their order, and how many are left out."""
    kept: list[str] = []
    for text in texts:
        if len(text) <= room:
            kept.append(text)
            room -= len(text)
    return "".join(kept), len(texts) - len(kept)


def _sections(app: AppChange) -> Iterator[str]:
    told = [f"does not render: {problem}" for problem in app.problems] + _notes(app)
    if told:
        lines = "".join(f"> {_cell(line)}\n" for line in told)
        yield f"\n**{_cell(_name(app))}**\n\n{lines}"
    for one in app.objects:
        yield _section(app, one)


def _section(app: AppChange, one: ObjectChange) -> str:
    fence = "`" * max(3, _longest_run(one.diff) + 1)
    what = f"{_SIGNS[one.what]} {_html(str(one.key))}"
    return f"\n<details><summary>{_html(_name(app))}: <code>{what}</code> {one.what}</summary>\n\n{fence}diff\n{one.diff}\n{fence}\n\n</details>\n"


def _longest_run(text: str) -> int:
    longest = run = 0
    for letter in text:
        run = run + 1 if letter == "`" else 0
        longest = max(longest, run)
    return longest


def _notes(app: AppChange) -> list[str]:
    return [*app.notes, *(f"not looked at, for it lies elsewhere: {place}" for place in app.elsewhere)]


def _remark(app: AppChange) -> str:
    if app.problems:
        return "does not render"
    if app.elsewhere:
        return "a source lies elsewhere"
    return f"app {app.what}" if app.what is not What.CHANGED else ""


def _counts(app: AppChange) -> str:
    return ", ".join(f"{app.count(what)} {what}" for what in What)


def _name(app: AppChange) -> str:
    return f"{app.app.namespace}/{app.app.name}" if app.app.namespace else app.app.name


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _code(text: str) -> str:
    return f"`{text.replace('`', '')}`"


def _cell(text: str) -> str:
    """Harmless in a table, and with no mention of anybody."""
    return _html(" ".join(text.split())).replace("|", "\\|").replace("@", "@\N{ZERO WIDTH SPACE}")


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
