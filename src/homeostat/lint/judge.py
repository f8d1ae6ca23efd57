"""The last third of a look: every object is held against what is known of its kind, and those of one app against each other.

By then all definitions of the repository are known. What is checked in one object is in ``checks.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from homeostat.compare.ignore import Ignorer
from homeostat.lint import applications, checks
from homeostat.lint.checks import Remark
from homeostat.lint.items import Item, Notes
from homeostat.lint.schemas import Catalogue
from homeostat.model.objects import GroupKind, Key, key_of, split_api_version
from homeostat.sync.order import defined_by


class Judge:
    """Notes what is wrong with objects."""

    def __init__(self, catalogue: Catalogue, ignorer: Ignorer, notes: Notes, tell: Callable[[str], None]) -> None:
        self._catalogue = catalogue
        self._ignorer = ignorer
        self._notes = notes
        self._tell = tell

    async def judge(self, items: Sequence[Item]) -> None:
        met: dict[tuple[str, Key, str], list[Item]] = {}
        for number, item in enumerate(items):
            if number % 200 == 199:
                self._tell(f"checking: {number} of {len(items)} objects")
                await asyncio.sleep(0)  # whoever shows how far it is gets a turn
            found = list(checks.remarks(self._catalogue, item.object))
            if not any(one.rule == "invalid-object" and not one.steps for one in found):
                if applications.is_kind(item.object, "Application"):
                    found += await applications.remarks(applications.app_of(item.object), self._ignorer)
                elif applications.is_kind(item.object, "ApplicationSet"):
                    found += applications.set_remarks(self._catalogue, item.object)
                key = self._key(item)
                if key.name:
                    met.setdefault((item.owner, key, str(item.object.get("apiVersion"))), []).append(item)
            for remark in found:
                self._notes.say(item, remark)
        for kind, problem in self._catalogue.check():
            for item in items:
                if item.object.get("kind") == "CustomResourceDefinition" and defined_by(item.object) == GroupKind(
                    split_api_version(kind.api_version)[0], kind.kind
                ):
                    self._notes.say(item, Remark("bad-definition", ("spec", "versions"), problem))
        for (owner, key, _), same in met.items():
            if len(same) > 1:
                self._doubles(owner, key, same)

    def _key(self, item: Item) -> Key:
        key = key_of(item.object)
        namespaced = self._catalogue.is_namespaced(key.group_kind)
        return key._replace(namespace="" if namespaced is False else key.namespace or item.namespace)

    def _doubles(self, owner: str, key: Key, items: list[Item]) -> None:
        places = [self._notes.places.of(item.object, item.origin, (), item.read) for item in items]
        for item, place in zip(items[1:], places[1:], strict=True):
            if place != places[0] or item.owner.startswith(("Application", "overlay", "chart")):
                first = f"{places[0][0]}:{places[0][1]}"
                self._notes.say(item, Remark("duplicate-object", (), f"{key} is declared in {first} already, both by {owner}"))
