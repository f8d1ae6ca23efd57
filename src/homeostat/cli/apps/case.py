"""The facts about one object of an app, gathered for ``why``: what Git wants, what is live, what differs, what is ignored by which rule.

What differs is judged by the parts of the controller, as in ``app diff``. What follows from the facts is said in ``reasons``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from homeostat.cli.apps import paths, reasons
from homeostat.cli.apps.origins import Finder, Place
from homeostat.cli.apps.reasons import Facts, Reason
from homeostat.compare import drift, fields, predecessors, rules
from homeostat.compare.claims import is_secret
from homeostat.compare.drift import Difference, DifferenceKind, Echo
from homeostat.compare.errors import CompareError
from homeostat.compare.fields import MISSING, FieldSet, Path
from homeostat.compare.ignore import Ignored
from homeostat.compare.mask import Masks
from homeostat.live.errors import NotFoundError
from homeostat.loop.look import Look
from homeostat.loop.memory import Memory, Wanted
from homeostat.model.app import App, Ignore
from homeostat.model.manifest import Desired
from homeostat.model.objects import Key, Object
from homeostat.model.report import ResourceReport
from homeostat.wiring import Parts

_KNOWN_TYPE = "the known type of the field"


class Found(msgspec.Struct, frozen=True):
    """A field that differs, or that a rule takes out of the comparison."""

    path: Path
    kind: DifferenceKind | None = None
    ignored_by: str = ""


class Case:
    """One object. Made by :func:`gathered`; ``found`` are its fields that differ or are ignored, those that differ and count first."""

    def __init__(self, parts: Parts, app: App, key: Key, *, desired: Desired | None, live: Object | None, echo: Echo | None) -> None:
        self.app, self.key = app, key
        self.desired, self.live, self.echo = desired, live, echo
        self.report: ResourceReport | None = None
        self.refused = ""
        self.found: list[Found] = []
        self._parts = parts
        self._finder: Finder | None = None
        self._masks = Masks() if is_secret(live or (desired.object if desired else {})) else None

    def path(self, steps: tuple[paths.Step, ...]) -> Path:
        """The path that somebody wrote, as this object has it."""
        wished = self.desired.object if self.desired is not None else MISSING
        return paths.settle(steps, (wished, self.live if self.live is not None else MISSING), self._sets())

    def below(self, path: Path) -> list[Found]:
        """What was found at or below ``path``."""
        return [one for one in self.found if one.path[: len(path)] == path]

    async def origin(self, path: Path) -> Place:
        """Where Git says it."""
        if self.desired is None or self._finder is None:
            return Place()
        return await self._finder.find(self.desired, path)

    async def reason(self, path: Path) -> Reason:
        """Everything about one field."""
        wished = paths.value_at(self.desired.object, path) if self.desired is not None else MISSING
        live = paths.value_at(self.live, path) if self.live is not None else MISSING
        expected = paths.value_at(self.echo.values, path) if self.echo is not None else MISSING
        known = next((one for one in self.found if one.path == path[: len(one.path)]), None)
        raw = next((kind for at, kind in self._differing() if at == path[: len(at)] or at[: len(path)] == path), None)
        facts = Facts(
            path=path,
            wished=wished is not MISSING,
            there=live is not MISSING,
            same=raw is None if self.echo is not None else wished == live,
            spelled=wished != live and not isinstance(live, dict | list),
            compared=self.echo is not None and fields.lookup(self.echo.fields, path) is not None,
            difference=known.kind if known is not None and not known.ignored_by else None,
            ignored_by=known.ignored_by if known is not None else "",
            writers=tuple(reasons.writers(self.live, path)) if self.live is not None else (),
        )
        return Reason(
            path=fields.readable(path),
            verdict=reasons.verdict(facts, self.app),
            rule=reasons.rule(facts),
            git=self._shown(path, wished),
            live=self._shown(path, live),
            expected=self._shown(path, expected),
            difference=str(facts.difference or ""),
            origin=await self.origin(path),
            writers=list(facts.writers),
        )

    def _shown(self, path: Path, value: Any) -> Any:
        if value is MISSING:
            return None
        return self._masks.at(path, value) if self._masks is not None else value

    def _sets(self) -> list[FieldSet]:
        owned = [predecessors.fields_of(entry) for entry in predecessors.entries_of(self.live)] if self.live is not None else []
        return [self.echo.fields, *owned] if self.echo is not None else owned

    def _differing(self) -> Iterator[tuple[Path, DifferenceKind]]:
        """Whatever differs, whether it counts or not."""
        if self.echo is None or self.live is None:
            return
        try:
            found = drift.differences(self.echo, self.live)
        except CompareError:
            return
        for one in found:
            yield self.path(paths.parse(one.path)), one.kind

    async def gather(self, counted: tuple[Difference, ...], settings: tuple[Ignore, ...]) -> None:
        """Fills ``found``. ``counted`` are the differences that the controller acts upon, ``settings`` the rules for every app."""
        self.found = [Found(self.path(paths.parse(one.path)), one.kind) for one in counted]
        if self.desired is None or self.live is None:
            return
        ignored: dict[Path, str] = {}
        for place, rule in _parts((*settings, *self.app.ignore), len(settings)):
            for path in await self._taken_out(rule):
                ignored.setdefault(path, place)
        for path, kind in self._differing():
            if any(one.path == path for one in self.found):
                continue
            by = next((place for at, place in ignored.items() if at == path[: len(at)] or at[: len(path)] == path), _KNOWN_TYPE)
            self.found.append(Found(path, kind, by))
            ignored.pop(path, None)
        self.found += [Found(path, None, place) for path, place in ignored.items()]

    async def _taken_out(self, rule: Ignore) -> list[Path]:
        chosen = rules.choose([rule], self.key)
        if not chosen or self.desired is None or self.live is None:
            return []
        cut = Ignored(chosen.pointers, chosen.programs, chosen.managers)
        shown = await self._parts.looker.ignorer.shown(cut, self.desired.object, self.live)
        steps = [*_removed(self.desired.object, shown[0]), *_removed(self.live, shown[1])]
        return list(dict.fromkeys(self.path(one) for one in steps))


async def gathered(parts: Parts, app: App, key: Key, *, wanted: Wanted, look: Look, memory: Memory) -> Case:
    """The facts about the object ``key`` of a look at ``app``. Raises :class:`~homeostat.live.errors.ApiError`."""
    hook = next((one for one in wanted.hooks if one.key == key), None)
    desired = wanted.objects.get(key) or hook
    report = next((one for one in look.resources if one.key == key), None)
    version = report.version if report is not None else ""
    resource = parts.cluster.discovery.find(key.group_kind, version)
    live: Object | None = None
    if resource is not None:
        try:
            live = await parts.client.get(resource, key.namespace, key.name)
        except NotFoundError:
            live = None
    expected = memory.expected.get(key)
    case = Case(parts, app, key, desired=desired, live=live, echo=expected.echo if expected is not None else None)
    case.report = report
    case.refused = (report.message if report is not None else "") or (expected.error if expected is not None else "")
    case._finder = Finder(parts, app, wanted)  # noqa: SLF001 - made here
    await case.gather(look.differences.get(key, ()), parts.settings().ignore)
    return case


def _parts(all_rules: tuple[Ignore, ...], system: int) -> Iterator[tuple[str, Ignore]]:
    """Each path of each rule as a rule of its own, with the place where it stands. The first ``system`` are the settings'."""
    for number, rule in enumerate(all_rules):
        where = rules.place(rule, number - system)
        for name, field in (("jsonPointers", "json_pointers"), ("jqPathExpressions", "jq_path_expressions"),
                            ("managedFieldsManagers", "managed_fields_managers")):  # fmt: skip
            for place, text in enumerate(getattr(rule, field)):
                alone = {"json_pointers": (), "jq_path_expressions": (), "managed_fields_managers": (), field: (text,)}
                yield f"{where}{name}[{place}]", msgspec.structs.replace(rule, **alone)


def _removed(before: Any, after: Any, above: tuple[paths.Step, ...] = ()) -> Iterator[tuple[paths.Step, ...]]:
    """Where ``after`` lacks something that ``before`` has."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            if name == "managedFields" and above == ("metadata",):
                continue
            if name not in after:
                yield (*above, name)
            else:
                yield from _removed(value, after[name], (*above, name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _removed(one, other, (*above, place))
    elif before != after:
        yield above
