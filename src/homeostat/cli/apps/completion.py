"""The names of apps for a shell's completion: asked of the cluster, with little patience and not a word about errors."""

from __future__ import annotations

import asyncio

import msgspec

from homeostat.argo.resources import APPLICATIONS
from homeostat.cli.apps.common import Place
from homeostat.live.client import Client, path_to
from homeostat.model.errors import HomeostatError

PATIENCE = 1.5
"""Seconds. A person who presses a key does not wait longer."""

_ONLY_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


class _Meta(msgspec.Struct):
    name: str


class _Item(msgspec.Struct):
    metadata: _Meta


class _Items(msgspec.Struct):
    items: list[_Item] = []


class _Object(msgspec.Struct):
    kind: str
    name: str


class _Status(msgspec.Struct):
    resources: list[_Object] = []


class _App(msgspec.Struct):
    status: _Status = msgspec.field(default_factory=_Status)


def names(place: Place) -> list[str]:
    """Sorted; none when there is no cluster, no right to ask it, or no answer in time."""
    try:
        return asyncio.run(_ask(place))
    except (HomeostatError, TimeoutError, msgspec.DecodeError):
        return []


async def _ask(place: Place) -> list[str]:
    async with asyncio.timeout(PATIENCE), await Client.connect(place.kubeconfig, place.context) as client:
        answer = await client.raw(path_to(APPLICATIONS, place.namespace), accept=_ONLY_METADATA)
    return sorted(item.metadata.name for item in msgspec.json.decode(answer, type=_Items).items)


def objects(place: Place, name: str) -> list[str]:
    """The objects that the status of an app names, as ``KIND/NAME``; none likewise."""
    namespace, _, plain = name.rpartition("/")
    try:
        return asyncio.run(_ask_objects(place, namespace or place.namespace, plain))
    except (HomeostatError, TimeoutError, msgspec.DecodeError):
        return []


async def _ask_objects(place: Place, namespace: str, name: str) -> list[str]:
    async with asyncio.timeout(PATIENCE), await Client.connect(place.kubeconfig, place.context) as client:
        answer = await client.raw(path_to(APPLICATIONS, namespace, name))
    return sorted({f"{one.kind}/{one.name}" for one in msgspec.json.decode(answer, type=_App).status.resources})
