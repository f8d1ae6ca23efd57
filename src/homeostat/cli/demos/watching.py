"""Objects as they change, for whoever shows them or waits for something: a list, then the watch, and again when the watch breaks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import NamedTuple

from homeostat.cli.demos.errors import StepError
from homeostat.live.client import Client
from homeostat.live.errors import GoneError, UnavailableError
from homeostat.model.objects import Object
from homeostat.model.resources import Resource
from homeostat.model.tasks import cancel

_PATIENCE = 60.0
"""Seconds for what takes less than one on an idle machine."""

_LONGEST = 800

_AGAIN = 0.5
"""Seconds before an API server that did not answer is asked again; ``Client`` has tried for a while by then."""


class Change(NamedTuple):
    """``object`` is ``None`` when the object ``name`` is gone. An empty ``name``: all that was there has been told."""

    name: str
    object: Object | None


async def changes(
    client: Client, resource: Resource, namespace: str, *, name: str = "", lost: Callable[[UnavailableError], None] = lambda _: None
) -> AsyncGenerator[Change, None]:
    """Everything of a kind in a namespace (or one object by its name): as it is, then whenever it changed. Close the iterator.

    ``lost`` is called each time that the API server did not answer.
    """
    selection = f"metadata.name={name}" if name else ""
    versions: dict[str, str] = {}
    while True:
        try:
            listing = await client.list(resource, namespace=namespace, field_selector=selection)
            found = {str(obj["metadata"]["name"]): obj for obj in listing.items}
            for gone in versions.keys() - found.keys():
                del versions[gone]
                yield Change(gone, None)
            for one, obj in found.items():
                if versions.get(one) != obj["metadata"]["resourceVersion"]:
                    versions[one] = obj["metadata"]["resourceVersion"]
                    yield Change(one, obj)
            yield Change("", None)
            watch = client.watch(resource, resource_version=listing.resource_version, namespace=namespace, field_selector=selection)
            async with aclosing(watch) as events:
                async for event in events:
                    if event.type == "BOOKMARK":
                        continue
                    one = str(event.object["metadata"]["name"])
                    if event.type == "DELETED":
                        versions.pop(one, None)
                        yield Change(one, None)
                    else:
                        versions[one] = event.object["metadata"]["resourceVersion"]
                        yield Change(one, event.object)
        except GoneError:
            continue
        except UnavailableError as error:
            lost(error)
            await asyncio.sleep(_AGAIN)


class Witness:
    """Sees every state of one object in turn.

    ``last`` is the latest that was looked at (``None``: there is no such object), ``when`` its time of arrival on the monotonic clock.
    """

    def __init__(self, what: str) -> None:
        self.last: Object | None = None
        self.when = time.monotonic()
        self._what = what
        self._states: asyncio.Queue[tuple[float, Object | None]] = asyncio.Queue()

    async def until(self, sight: str, wanted: Callable[[Object | None], bool], *, seconds: float = _PATIENCE) -> Object | None:
        """The first state, from the last one on, of which ``wanted`` is true.

        Raises :class:`StepError` when there is none in time: it was not seen that ``sight``.
        """
        try:
            async with asyncio.timeout(seconds):
                while not wanted(self.last):
                    self.when, self.last = await self._states.get()
        except TimeoutError:
            raise StepError(f"{sight} ({self._what})", _told(self.last), seconds) from None
        return self.last

    async def look(self, states: AsyncGenerator[Change, None], begun: asyncio.Event) -> None:
        """Takes in what comes, whether somebody waits for it or not. ``begun``: what was there before has been seen."""
        async for change in states:
            if begun.is_set():
                if change.name:
                    self._states.put_nowait((time.monotonic(), change.object))
            elif change.name:
                self.last = change.object
            else:
                begun.set()


@asynccontextmanager
async def witness(client: Client, resource: Resource, namespace: str, name: str) -> AsyncIterator[Witness]:
    """One who looks from now on: what happens to the object within the context is not missed."""
    made = Witness(f"{resource.kind} {namespace}/{name}")
    begun = asyncio.Event()
    async with aclosing(changes(client, resource, namespace, name=name)) as states, asyncio.TaskGroup() as group:
        looking = group.create_task(made.look(states, begun), name=f"look at {namespace}/{name}")
        await begun.wait()
        yield made
        await cancel([looking])


def _told(obj: Object | None) -> str:
    """Of an app what matters; of anything else the beginning of what it says."""
    if obj is None:
        return "there is no such object"
    status = obj.get("status") or {}
    state = status.get("operationState") or {}
    facts = {
        "sync": status.get("sync"),
        "health": status.get("health"),
        "conditions": status.get("conditions"),
        "operation": {name: state.get(name) for name in ("phase", "message") if name in state},
    }
    told = (
        {name: fact for name, fact in facts.items() if fact}
        if obj["kind"] == "Application"
        else {**obj, "metadata": obj["metadata"]["uid"]}
    )
    return json.dumps(told)[:_LONGEST]
