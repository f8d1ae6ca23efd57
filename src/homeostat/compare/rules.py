"""Rules under ``ignoreDifferences`` (and ``ignoreResourceUpdates``): which are meant for an object, and what is wrong with one.

A rule is chosen by the group and kind of an object (globs), and by its name and namespace. Where rules come from is ``argo``'s business, carrying
them out that of ``ignore``. Pure: whether a jq expression compiles is asked there, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

import msgspec

from homeostat.compare.errors import IgnoreError
from homeostat.model import glob
from homeostat.model.app import Ignore
from homeostat.model.objects import Key

_BAD_ESCAPE: Final = re.compile(r"~(?![01])")


class Chosen(msgspec.Struct, frozen=True):
    """What rules say of one object together. ``pointers`` are split into their parts; ``programs`` are whole jq programs."""

    pointers: tuple[tuple[str, ...], ...] = ()
    programs: tuple[str, ...] = ()
    managers: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.pointers or self.programs or self.managers)


def choose(rules: Iterable[Ignore], key: Key) -> Chosen:
    """What the rules that are meant for ``key`` say. Raises :class:`IgnoreError` for a bad pointer."""
    pointers: list[tuple[str, ...]] = []
    programs: list[str] = []
    managers: set[str] = set()
    for rule in rules:
        if (rule.name and rule.name != key.name) or (rule.namespace and rule.namespace != key.namespace):
            continue
        if not glob.matches(rule.group, key.group) or not glob.matches(rule.kind, key.kind):
            continue
        for number, pointer in enumerate(rule.json_pointers):
            wrong = _wrong_pointer(pointer)
            if wrong:
                raise IgnoreError(f"{rule.origin or 'ignoreDifferences'}: jsonPointers[{number}]: {wrong}", hint=_POINTER_HINT)
            pointers.append(_parts(pointer))
        programs += (program(expression) for expression in rule.jq_path_expressions)
        managers.update(rule.managed_fields_managers)
    return Chosen(tuple(pointers), tuple(programs), frozenset(managers))


@lru_cache(maxsize=4096)
def malformed(rule: Ignore) -> tuple[tuple[str, str], ...]:
    """What can be seen to be wrong with ``rule``: (field, problem)."""
    return tuple(_malformed(rule))


def _malformed(rule: Ignore) -> Iterator[tuple[str, str]]:
    for field, pattern in (("group", rule.group), ("kind", rule.kind)):
        try:
            glob.parse(pattern)
        except glob.GlobError as error:
            yield field, str(error)
    for number, pointer in enumerate(rule.json_pointers):
        wrong = _wrong_pointer(pointer)
        if wrong:
            yield f"jsonPointers[{number}]", f"{wrong} ({_POINTER_HINT})"


def place(rule: Ignore, number: int) -> str:
    """Where the rule stands, as the ``number``-th of its list: what the name of a field follows."""
    return f"{rule.origin}: " if rule.origin else f"spec.ignoreDifferences[{number}]."


def program(expression: str) -> str:
    """The jq program that takes out what ``expression`` names. A path that does not fit the object is fine («Cannot iterate over null»)."""
    return f". as $whole | try del({expression}\n) catch $whole"  # the line break ends a comment


_POINTER_HINT: Final = "write it like /spec/replicas, with ~1 for a / in a name"


def _wrong_pointer(pointer: str) -> str:
    if not pointer.startswith("/"):
        return f"{pointer!r} is not a JSON pointer: it does not start with /"
    if _BAD_ESCAPE.search(pointer):
        return f"{pointer!r} is not a JSON pointer: a ~ is followed by neither 0 nor 1"
    return ""


def _parts(pointer: str) -> tuple[str, ...]:
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/"))
