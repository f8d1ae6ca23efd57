"""Waits until applied CustomResourceDefinitions can be used, so that their objects can follow in the same sync.

As in Argo CD (reference 2.5) the wait is bounded, and running out of it is no failure: what needs the kind will say so itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

import structlog

from homeostat.live.client import Client
from homeostat.live.discovery import Discovery
from homeostat.live.errors import ApiError
from homeostat.model.objects import GroupKind, Object
from homeostat.model.resources import Resource
from homeostat.sync.order import CRD, defined_by

LONGEST = 3.0
"""Seconds for all of a group's definitions together, as in Argo CD."""

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.3

log = structlog.get_logger(__name__)


async def wait(client: Client, discovery: Discovery, crds: Iterable[Object], *, seconds: float = LONGEST) -> None:
    """Returns when every one of ``crds`` (as an apply answered) is Established and ``discovery`` knows its kind, or after ``seconds``."""
    crds = list(crds)
    try:
        async with asyncio.timeout(seconds):
            await _wait(client, discovery, crds)
    except TimeoutError:
        names = [(crd.get("metadata") or {}).get("name") for crd in crds]
        log.warning("custom resource definitions are not established in time", names=names, seconds=seconds)
    except ApiError as error:
        log.warning("cannot tell whether custom resource definitions are established", error=error.message)


async def _wait(client: Client, discovery: Discovery, crds: list[Object]) -> None:
    for crd in crds:
        resource = await discovery.resolve(CRD)
        if resource is not None:
            await _established(client, resource, crd)
    kinds = [(kind, version) for crd in crds if (kind := defined_by(crd)) is not None for version in _served(crd)]
    pause = _FIRST_PAUSE
    # Established is said a moment before discovery lists the kind, and nothing can be watched for that moment.
    while not _known(discovery, kinds):
        await discovery.refresh()
        if _known(discovery, kinds):
            return
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


async def _established(client: Client, resource: Resource, crd: Object) -> None:
    if is_established(crd):
        return
    metadata = crd["metadata"]
    events = client.watch(resource, resource_version=metadata["resourceVersion"], field_selector=f"metadata.name={metadata['name']}")
    async with contextlib.aclosing(events) as changes:
        async for event in changes:
            if event.type == "DELETED" or is_established(event.object):
                return


def _served(crd: Object) -> list[str]:
    versions = (crd.get("spec") or {}).get("versions") or ()
    return [version["name"] for version in versions if version.get("served")]


def _known(discovery: Discovery, kinds: list[tuple[GroupKind, str]]) -> bool:
    return all(discovery.find(kind, version) is not None for kind, version in kinds)


def is_established(crd: Object) -> bool:
    """Whether the API server serves the kind that ``crd`` defines."""
    conditions = (crd.get("status") or {}).get("conditions") or ()
    return any(condition.get("type") == "Established" and condition.get("status") == "True" for condition in conditions)
