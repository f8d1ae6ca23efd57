"""Apps with several sources on the command line: which of them an option means, and a revision for each.

Pure but for the options: works on the resource's own words. Positions count from 1, as argocd's do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from homeostat.cli.apps import words
from homeostat.model.errors import InvalidError
from homeostat.model.objects import Object
from homeostat.model.sync import joined

Data = dict[str, Any]
_C = TypeVar("_C", bound=Callable[..., Any])


def source_options(function: _C) -> _C:
    """``--source-position`` as ``source_position`` and ``--source-name`` as ``source_name``: one of several sources."""
    name = click.option("--source-name", help="Which of several sources is meant, by its name.")
    position = click.option("--source-position", type=click.IntRange(1), help="Which of several sources is meant, counted from 1.")
    return position(name(function))


def revisions_options(function: _C) -> _C:
    """``--revisions``, ``--source-positions`` and ``--source-names``, under these names: a revision for some of several sources."""
    for option, kind, said in (
        ("--source-names", str, "The name of the source that the revision of the same place is for."),
        ("--source-positions", click.IntRange(1), "The source, counted from 1, that the revision of the same place is for."),
        ("--revisions", str, "Of an app with several sources: this branch, tag or commit; can be given again."),
    ):
        function = click.option(option, multiple=True, type=kind, help=said)(function)
    return function


def place_of(sources: Sequence[Data], position: int | None, name: str | None) -> int:
    """Which of ``sources`` is meant, counted from 0. Raises :class:`InvalidError`."""
    known = ", ".join(f"{place} ({_called(source)})" for place, source in enumerate(sources, 1))
    if position is not None and name is not None:
        raise InvalidError("--source-position and --source-name: expected one of them")
    if name is not None:
        found = [place for place, source in enumerate(sources) if source.get("name") == name]
        if len(found) != 1:
            raise InvalidError(
                f"--source-name {name}: {'no' if not found else 'more than one'} source has this name", hint=f"there are {known}"
            )
        return found[0]
    if position is None:
        raise InvalidError("the app has several sources: say which of them is meant", hint=f"`--source-position` is one of {known}")
    if not 1 <= position <= len(sources):
        raise InvalidError(f"--source-position {position}: there is no such source", hint=f"there are {known}")
    return position - 1


def in_one(spec: Data, given: Mapping[str, Any], edit: Callable[[Data], Data]) -> Data:
    """``spec`` with the source that is meant edited as if it were the only one."""
    sources = list(spec["sources"])
    place = place_of(sources, given.get("source_position"), given.get("source_name"))
    rest = {name: value for name, value in spec.items() if name not in {"source", "sources"}}
    new = edit({**rest, "source": sources[place]})
    sources[place] = new.pop("source", {})
    beside = {"source": spec["source"]} if "source" in spec else {}
    return {**new, **beside, "sources": sources}


def added(spec: Data, source: Data) -> Data:
    """``spec`` with one more source; the only one that it had is the first of them then."""
    before = spec.get("sources") or ([spec["source"]] if spec.get("source") else [])
    rest = {name: value for name, value in spec.items() if name != "source"}
    return {**rest, "sources": [*before, source]}


def removed(spec: Data, given: Mapping[str, Any]) -> Data:
    """``spec`` without the source that is meant. Raises :class:`InvalidError` for the last one."""
    sources = list(spec.get("sources") or ())
    if len(sources) < 2:
        raise InvalidError("an app without sources delivers nothing: its last source cannot be removed")
    del sources[place_of(sources, given.get("source_position"), given.get("source_name"))]
    return {**spec, "sources": sources}


def revisions_of(app: Object, given: Mapping[str, Any]) -> tuple[str, ...]:
    """The revision of each source that the options ask for, empty for those that they say nothing of; none when they say nothing at all."""
    revisions = tuple(given.get("revisions") or ())
    positions, names = tuple(given.get("source_positions") or ()), tuple(given.get("source_names") or ())
    sources = words.items(app, "spec", "sources")
    if sources and given.get("revision"):
        raise InvalidError("--revision: the app has several sources", hint="give `--revisions` with `--source-positions`")
    if not revisions and not positions and not names:
        return ()
    if not sources:
        raise InvalidError("--revisions: the app has one source", hint="give `--revision`")
    if positions and names:
        raise InvalidError("--source-positions and --source-names: expected one of them")
    meant = [place_of(sources, place, None) for place in positions] or [place_of(sources, None, name) for name in names]
    if len(meant) != len(revisions) or len(set(meant)) != len(meant):
        raise InvalidError(f"--revisions: expected one for each source that is named, found {len(revisions)} for {len(set(meant))} sources")
    asked = dict(zip(meant, revisions, strict=True))
    return tuple(asked.get(place, "") for place in range(len(sources)))


def revision_of(app: Object, given: Mapping[str, Any]) -> str:
    """The same as one text (:func:`~homeostat.model.sync.joined`), or ``--revision``."""
    return joined(revisions_of(app, given)) or str(given.get("revision") or "")


def _called(source: Data) -> str:
    return str(source.get("name") or source.get("ref") or source.get("chart") or source.get("path") or source.get("repoURL"))
