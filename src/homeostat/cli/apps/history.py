"""``homeostat app history``: what was deployed, and what ``rollback`` can go back to."""

from __future__ import annotations

import click

from homeostat.cli import output as out
from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place, app_argument, output_option, verb


@verb("history")
@app_argument
@output_option("id")
async def history(place: Place, *, name: str, output: str) -> None:
    """Show what was deployed, the oldest first. The ids (`-o name`, `-o id`) are what `rollback` takes."""
    from homeostat.cli.apps.control import connected  # noqa: PLC0415

    async with connected(place) as applications:
        app = await applications.get(name)
    entries = words.items(app, "status", "history")
    if output in {"json", "yaml"}:
        from homeostat.cli.apps.printing import print_json_or_yaml  # noqa: PLC0415

        print_json_or_yaml(entries, output)
        return
    if output in {"name", "id"}:
        for entry in entries:
            click.echo(entry.get("id"))
        return
    wide = output == "wide"
    rows = []
    for entry in entries:
        by = words.part(entry, "initiatedBy")
        sources = words.items(entry, "sources") or [words.part(entry, "source")]
        row = [
            str(entry.get("id")),
            str(entry.get("deployedAt") or words.NOTHING),
            words.revision_in(entry, wide=wide),
            ", ".join(str(source.get("targetRevision") or "HEAD") for source in sources),
            "automated" if by.get("automated") else str(by.get("username") or words.NOTHING),
        ]
        if wide:
            row += [", ".join(map(words.repository_in, sources)), ", ".join(map(words.folder_in, sources))]
        rows.append(row)
    columns = ["id", "deployed", "revision", "target", "by"]
    out.print_table([*columns, *(["repo", "path"] if wide else [])], rows)
    if not rows:
        click.echo(f"app `{words.name_of(app)}` was never synced as a whole", err=True)
