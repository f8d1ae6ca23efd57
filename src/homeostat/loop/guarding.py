"""Which prunes of an app are held, at this look: asks the API server what a namespace or a CRD would take along, where that matters.

What holds a prune is ``sync/guards.py``'s rule. Only an app that prunes by itself is guarded, and only when something would be pruned: all others
cost nothing. What cannot be found out holds the prune: when in doubt, nothing is deleted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import aclosing

import msgspec

from homeostat.live.cluster import Cluster
from homeostat.live.errors import ApiError, NotFoundError
from homeostat.model.app import App
from homeostat.model.errors import HomeostatError
from homeostat.model.objects import GroupKind, Key, Object, key_of
from homeostat.model.report import ResourceReport
from homeostat.model.resources import Resource
from homeostat.model.settings import Settings
from homeostat.model.sync import Action, Operation
from homeostat.sync import guards
from homeostat.sync import options as opt
from homeostat.sync.order import CRD
from homeostat.sync.plan import PlanInput, plan

FRESH = 60.0
"""Seconds for which an answer that holds a prune is not asked for again. One that lets it go always is."""

_PAGE = 250
_PAGES = 20
"""Who has more objects of one kind than that, all of them owned by others, is not searched to the end."""


class _UntoldError(HomeostatError):
    """What a prune would take along cannot be told."""


class _Known(msgspec.Struct, frozen=True):
    going: guards.Going
    at: float
    held: Mapping[Key, str]


class Guarding:
    """The deletion guards on one cluster."""

    def __init__(self, cluster: Cluster, *, settings: Callable[[], Settings]) -> None:
        self._cluster = cluster
        self._settings = settings
        self._known: dict[str, _Known] = {}

    async def held(self, app: App, resources: Sequence[ResourceReport], wanted: Collection[Key]) -> dict[Key, str]:
        """The prunes that an automated sync must not carry out now, with the reason; empty for an app that does not prune by itself.

        ``resources`` are those of the look, ``wanted`` the keys that the app desires. It does not matter here whether somebody confirmed
        (:func:`homeostat.sync.guards.approved`), or whether a human asks for a sync: what those ask for is not held.
        """
        on = self._settings().guards - app.guards_off
        policy = app.policy
        leaving = [one.key for one in resources if one.requires_pruning and not one.hook and not one.deleting]
        if not leaving or not on or not (policy.automated and policy.prune):
            self._known.pop(app.id, None)
            return {}
        prunes = self._prunes(app, leaving, wanted)
        kept = sum(1 for one in resources if not one.requires_pruning and not one.hook and one.key in self._cluster.index)
        held = guards.evident(prunes, kept=kept, on=on, held_before=guards.mass_is_held(app))
        asked = guards.questions(prunes, on=on, held=held)
        if not asked:
            self._known.pop(app.id, None)
            return held
        uids = frozenset(obj["metadata"]["uid"] for obj in prunes if key_of(obj) not in held)
        going = guards.Going(app.id, uids, frozenset(wanted), self._settings().tracking)
        return {**held, **await self._found_out(asked, going)}

    def _prunes(self, app: App, leaving: Collection[Key], wanted: Collection[Key]) -> list[Object]:
        """The objects that a full sync would prune, by the planner's own rules."""
        index = self._cluster.index
        uids = {node.uid for key in wanted if (node := index.node(key)) is not None}
        managed = [obj for obj in map(index.get, leaving) if obj is not None and obj["metadata"].get("uid") not in uids]
        operation = Operation(prune=True, automated=True)
        options = opt.effective(app.policy, operation)
        made = plan(
            PlanInput(app_id=app.id, targets=(), managed=managed, operation=operation, options=options, tracking=self._settings().tracking)
        )
        return [task.live for task in made.tasks if task.action is Action.PRUNE and task.live is not None]

    async def _found_out(self, asked: Sequence[Object], going: guards.Going) -> Mapping[Key, str]:
        known = self._known.get(going.app_id)
        if known is not None and known.going == going and time.monotonic() - known.at < FRESH:
            return known.held
        held = {}
        for obj in asked:
            key = key_of(obj)
            reason = await self._taken_along(obj, key, going)
            if reason:
                held[key] = reason
        self._known.pop(going.app_id, None)
        if held:
            self._known[going.app_id] = _Known(going, time.monotonic(), held)
        return held

    async def _taken_along(self, obj: Object, key: Key, going: guards.Going) -> str:
        try:
            if key.group_kind == CRD:
                told = await self._instance(obj, going)
            else:
                told = await self._inhabitant(key.name, going)
        except (ApiError, _UntoldError) as error:
            return guards.in_doubt(key, str(error))
        return guards.with_survivor(key, told) if told else ""

    async def _inhabitant(self, namespace: str, going: guards.Going) -> str:
        """An object of the namespace that would still be wanted; empty when there is none."""
        discovery = self._cluster.discovery
        await discovery.refresh()  # a kind that came a moment ago counts, too
        broken = [version for version in discovery.broken if version.partition("/")[0] not in guards.DERIVED_GROUPS]
        if broken:
            raise _UntoldError(f"the API {broken[0]} does not answer: {discovery.broken[broken[0]]}")
        for resource in discovery.resources():
            if not resource.namespaced or "list" not in resource.verbs or _is_derived(resource):
                continue
            told = await self._survivor(resource, namespace, going)
            if told:
                return told
        return ""

    async def _instance(self, crd: Object, going: guards.Going) -> str:
        """An object of the CRD's kind that would still be wanted."""
        spec = crd.get("spec") or {}
        kind = GroupKind(str(spec.get("group") or ""), str((spec.get("names") or {}).get("kind") or ""))
        resource = await self._cluster.discovery.resolve(kind)
        if resource is None:
            raise _UntoldError(f"kind {kind} is not served")
        return await self._survivor(resource, "", going)

    async def _survivor(self, resource: Resource, namespace: str, going: guards.Going) -> str:
        pages = 0
        try:
            async with aclosing(self._cluster.client.metadata(resource, namespace=namespace, limit=_PAGE)) as listed:
                async for page in listed:
                    pages += 1
                    for metadata in page:
                        key = Key(resource.group, resource.kind, metadata.get("namespace") or "", metadata.get("name") or "")
                        told = guards.survivor(key, metadata, going, namespaced=self._cluster.discovery.scope)
                        if told:
                            return told
                    if pages == _PAGES:
                        raise _UntoldError(f"there are too many {resource} to look at all of them")
        except NotFoundError:  # the kind has gone in the meantime
            return ""
        return ""


def _is_derived(resource: Resource) -> bool:
    return resource.group in guards.DERIVED_GROUPS or resource.group_kind in guards.DERIVED_KINDS
