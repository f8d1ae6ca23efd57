"""What an API server serves: its version, and for every kind its path, scope and verbs.

Aggregated discovery (two requests for everything) where the server has it, one request per group and version where not. A broken aggregated
API costs only its own groups: what was known of them stays, and ``broken`` says why. When to look again is decided by ``cluster.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from homeostat.live.client import Client
from homeostat.live.errors import ApiError, NotFoundError
from homeostat.model import tasks
from homeostat.model.objects import GroupKind, split_api_version
from homeostat.model.resources import Resource

_AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,"
    "application/json"
)
_SETTLE = 1.0
"""Seconds between two looks for kinds that are not there: hundreds of apps may miss the same one at once."""


class Discovery:
    """The kinds of one server. Empty until the first :meth:`refresh`.

    ``server_version`` is ``1.36.3``; ``api_versions`` is what Argo CD and Helm call the API versions (``v1``, ``apps/v1``,
    ``apps/v1/Deployment``), sorted; ``broken`` maps an API version to why its server does not answer; ``generation`` grows whenever something
    that is served changed.
    """

    def __init__(self, client: Client) -> None:
        self.server_version = ""
        self.api_versions: tuple[str, ...] = ()
        self.broken: Mapping[str, str] = {}
        self.generation = 0
        self._client = client
        self._preferred: dict[GroupKind, Resource] = {}
        self._exact: dict[tuple[GroupKind, str], Resource] = {}
        self._lock = asyncio.Lock()
        self._looked_at = float("-inf")

    async def refresh(self) -> bool:
        """Asks the server again; True when something changed. Raises :class:`ApiError` when the server cannot be asked at all."""
        async with self._lock:
            return await self._refresh()

    async def resolve(self, group_kind: GroupKind, version: str = "") -> Resource | None:
        """Like :meth:`find`, but asks the server once more (at most once a second) before it answers ``None``."""
        found = self.find(group_kind, version)
        if found is not None:
            return found
        async with self._lock:
            if asyncio.get_running_loop().time() - self._looked_at > _SETTLE:
                await self._refresh()
        return self.find(group_kind, version)

    def find(self, group_kind: GroupKind, version: str = "") -> Resource | None:
        """How to reach the kind at ``version``, or at the version that the server prefers when it is empty."""
        if version:
            return self._exact.get((group_kind, version))
        return self._preferred.get(group_kind)

    def why_broken(self, group: str) -> str:
        """Why nobody can tell which kinds ``group`` has; empty when its API server answers, or there is no such group."""
        return next((why for api_version, why in self.broken.items() if split_api_version(api_version)[0] == group), "")

    def scope(self, group_kind: GroupKind) -> bool | None:
        """True for a namespaced kind, False for a cluster-scoped one, ``None`` for one that is not served."""
        found = self._preferred.get(group_kind)
        return None if found is None else found.namespaced

    def resources(self) -> tuple[Resource, ...]:
        """Every kind once, at its preferred version."""
        return tuple(self._preferred.values())

    async def _refresh(self) -> bool:
        version, core, groups = await tasks.together(
            self._client.raw("/version"),
            self._client.raw("/api", accept=_AGGREGATED),
            self._client.raw("/apis", accept=_AGGREGATED),
        )
        found = _Found(self._exact)
        for answer, base in ((core, "/api"), (groups, "/apis")):
            document = orjson.loads(answer)
            if document.get("kind") == "APIGroupDiscoveryList":
                found.aggregated(document)
            else:
                await self._one_by_one(document, base, found)
        told = orjson.loads(version)
        self._looked_at = asyncio.get_running_loop().time()
        changed = (found.exact, found.broken) != (self._exact, self.broken) or found.preferred != self._preferred
        self._exact, self._preferred, self.broken = found.exact, found.preferred, found.broken
        self.api_versions = tuple(sorted(found.names))
        self.server_version = str(told.get("gitVersion") or "").removeprefix("v").split("+")[0].split("-")[0]
        self.generation += changed
        return changed

    async def _one_by_one(self, document: Mapping[str, Any], base: str, found: _Found) -> None:
        """Servers before Kubernetes 1.26, and proxies that drop the Accept header."""
        if document.get("kind") == "APIVersions":
            wanted = [str(version) for version in document.get("versions") or ()]
        else:
            wanted = []
            for group in document.get("groups") or ():
                preferred = (group.get("preferredVersion") or {}).get("groupVersion")
                versions = [str(version["groupVersion"]) for version in group.get("versions") or ()]
                wanted += sorted(versions, key=lambda version, preferred=preferred: version != preferred)  # type: ignore[misc]
        answers = await tasks.together(*(self._resources(f"{base}/{api_version}") for api_version in wanted))
        for api_version, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, str):
                found.keep(api_version, answer)
                continue
            for resource in answer:
                found.add_legacy(api_version, resource)

    async def _resources(self, path: str) -> Sequence[Mapping[str, Any]] | str:
        try:
            listed: Sequence[Mapping[str, Any]] = orjson.loads(await self._client.raw(path)).get("resources") or ()
        except NotFoundError:
            return ()
        except ApiError as error:
            return error.message
        return listed


class _Found:
    """What one look at the server brings together. ``known`` is what the last one did, for groups that do not answer now."""

    def __init__(self, known: Mapping[tuple[GroupKind, str], Resource]) -> None:
        self.exact: dict[tuple[GroupKind, str], Resource] = {}
        self.preferred: dict[GroupKind, Resource] = {}
        self.names: set[str] = set()
        self.broken: dict[str, str] = {}
        self._known = known

    def aggregated(self, document: Mapping[str, Any]) -> None:
        for group in document.get("items") or ():
            name = (group.get("metadata") or {}).get("name") or ""
            for version in group.get("versions") or ():  # the preferred one comes first
                api_version = f"{name}/{version['version']}" if name else str(version["version"])
                resources = version.get("resources") or ()
                if version.get("freshness") == "Stale":
                    self.keep(api_version, "its API server does not answer" + ("" if resources else ", and never did"))
                for resource in resources:
                    self._add_aggregated(api_version, resource)

    def _add_aggregated(self, api_version: str, told: Mapping[str, Any]) -> None:
        kind = (told.get("responseKind") or {}).get("kind") or ""
        self.names.add(api_version)
        self.names.update(f"{api_version}/{(sub.get('responseKind') or {}).get('kind')}" for sub in told.get("subresources") or ())
        if kind:  # without a kind there are only subresources
            scope = told.get("scope") == "Namespaced"
            self._add(api_version, kind, str(told["resource"]), scope, told.get("verbs") or (), told.get("shortNames") or ())

    def add_legacy(self, api_version: str, told: Mapping[str, Any]) -> None:
        self.names.update((api_version, f"{api_version}/{told['kind']}"))
        if "/" not in told["name"]:
            scope = bool(told.get("namespaced"))
            self._add(api_version, told["kind"], told["name"], scope, told.get("verbs") or (), told.get("shortNames") or ())

    def keep(self, api_version: str, why: str) -> None:
        self.broken[api_version] = why
        for (group_kind, version), resource in self._known.items():
            if (group_kind.group, version) == split_api_version(api_version):
                self._put(api_version, resource)

    def _add(self, api_version: str, kind: str, plural: str, namespaced: bool, verbs: Sequence[str], short_names: Sequence[str]) -> None:
        group, version = split_api_version(api_version)
        resource = Resource(
            group=group,
            version=version,
            kind=kind,
            plural=plural,
            namespaced=namespaced,
            verbs=frozenset(verbs),
            short_names=tuple(short_names),
        )
        self._put(api_version, resource)

    def _put(self, api_version: str, resource: Resource) -> None:
        group_kind = resource.group_kind
        self.names.update((api_version, f"{api_version}/{resource.kind}"))
        known = self.exact.get((group_kind, resource.version))
        if known is None or (not known.watchable and resource.watchable):  # two plurals of one kind: the one with a collection
            self.exact[group_kind, resource.version] = resource
        first = self.preferred.get(group_kind)
        if first is None or first.version == resource.version:
            self.preferred[group_kind] = self.exact[group_kind, resource.version]
