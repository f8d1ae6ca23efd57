"""What the API server tells about lists and mappings that are merged and not replaced: the patch rules in its OpenAPI documents.

The same rules that ``kubectl apply`` merges by: ``x-kubernetes-patch-strategy`` and ``x-kubernetes-patch-merge-key``, with the full key of an item
where ``x-kubernetes-list-map-keys`` has it (two ports of one number and two protocols are two). Custom resources have no such rules, so their lists
are whole values. What is merged is decided in ``sync``; nothing of a schema but these rules is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from homeostat.live.client import Client
from homeostat.live.errors import NotFoundError, UnavailableError
from homeostat.model.resources import Resource

GOOD_FOR = 3600.0
"""Seconds after which a document is asked for anew: an API server that was updated may know more."""


class Node(msgspec.Struct, frozen=True):
    """One schema in an OpenAPI v3 document, cut down to what is of use here."""

    ref: str = msgspec.field(default="", name="$ref")
    all_of: tuple[Node, ...] = msgspec.field(default=(), name="allOf")
    properties: dict[str, Node] = msgspec.field(default_factory=dict)
    items: Node | None = None
    default: Any = None
    strategy: str = msgspec.field(default="", name="x-kubernetes-patch-strategy")
    merge_key: str = msgspec.field(default="", name="x-kubernetes-patch-merge-key")
    map_keys: tuple[str, ...] = msgspec.field(default=(), name="x-kubernetes-list-map-keys")
    kinds: tuple[dict[str, str], ...] = msgspec.field(default=(), name="x-kubernetes-group-version-kind")


class _Components(msgspec.Struct):
    schemas: dict[str, Node] = {}


class _Document(msgspec.Struct):
    components: _Components = msgspec.field(default_factory=_Components)


_decoder = msgspec.json.Decoder(_Document)


class Shape:
    """The patch rules at one place of a kind."""

    __slots__ = ("_node", "_schemas")

    def __init__(self, node: Node, schemas: Mapping[str, Node]) -> None:
        self._node = node
        self._schemas = schemas

    @property
    def merges(self) -> bool:
        """Whether this list is merged item by item."""
        return "merge" in self._node.strategy.split(",")

    @property
    def retains(self) -> bool:
        """Whether this mapping keeps no field that the desired one does not have (one of several that exclude each other)."""
        return "retainKeys" in self._node.strategy.split(",")

    @property
    def keys(self) -> Mapping[str, Any]:
        """The fields that tell the items of this list apart, with their defaults; empty for a list of plain values."""
        named = self._node.map_keys or ((self._node.merge_key,) if self._node.merge_key else ())
        if not named:
            return {}
        fields = self.item().properties()
        return {name: fields[name].default if name in fields else None for name in named}

    def child(self, name: str) -> Shape:
        """The rules of a field of this mapping."""
        node = self.properties().get(name)
        return UNKNOWN if node is None else Shape(node, self._schemas)

    def item(self) -> Shape:
        """The rules of the items of this list."""
        return UNKNOWN if self._node.items is None else Shape(self._node.items, self._schemas)

    def properties(self) -> Mapping[str, Node]:
        """The schemas of the fields of this mapping."""
        node: Node | None = self._node
        for _ in range(_DEEPEST):
            if node is None:
                break
            if node.properties:
                return node.properties
            ref = node.ref or next((part.ref for part in node.all_of if part.ref), "")
            node = self._schemas.get(ref.rpartition("/")[2])
        return _NO_PROPERTIES


_DEEPEST = 8
"""References that lead to references: an API server writes one, more than these are a circle."""

_NO_PROPERTIES: Mapping[str, Node] = {}

UNKNOWN = Shape(Node(), {})
"""Nothing is known: lists are whole values."""


class Schemas:
    """The documents of one API server, each asked for when it is first needed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[str, tuple[float, dict[tuple[str, str, str], Shape]]] = {}

    async def shape(self, resource: Resource) -> Shape:
        """The rules of a kind; :data:`UNKNOWN` when the server has none for it. Raises :class:`homeostat.live.errors.ApiError`."""
        now = asyncio.get_running_loop().time()
        known = self._known.get(resource.api_version)
        if known is None or now - known[0] > GOOD_FOR:
            known = self._known[resource.api_version] = (now, await self._fetch(resource))
        return known[1].get((resource.group, resource.version, resource.kind), UNKNOWN)

    async def _fetch(self, resource: Resource) -> dict[tuple[str, str, str], Shape]:
        root = f"apis/{resource.group}/{resource.version}" if resource.group else f"api/{resource.version}"
        try:
            answer = await self._client.raw(f"/openapi/v3/{root}")
        except NotFoundError:
            return {}
        try:
            schemas = _decoder.decode(answer).components.schemas
        except msgspec.DecodeError as error:
            raise UnavailableError(f"/openapi/v3/{root}: the answer is no OpenAPI document: {error}", reason="BadAnswer") from error
        return {
            (kind.get("group", ""), kind.get("version", ""), kind.get("kind", "")): Shape(node, schemas)
            for node in schemas.values()
            for kind in node.kinds
        }
