"""Asks the API server what a desired object will be, once for each content: an apply dry-run (design point 5).

The answer, the echo, is what drift is judged by from then on. Real applies bring it for nothing (``syncing``), so a new object costs no dry-run.
"""

from __future__ import annotations

import asyncio
import time

from homeostat.compare.drift import echo
from homeostat.live.cluster import Cluster
from homeostat.live.errors import ApiError, ThrottledError, UnavailableError
from homeostat.loop.memory import Expected, Memory, Wanted
from homeostat.model.manifest import Desired
from homeostat.model.objects import Key, version_of

REFUSAL_HOLDS = 60.0
"""Seconds after which the server is asked again about an object that it refused: a webhook, a quota or a namespace may have changed."""


class Expecter:
    """Asks on behalf of all apps; at most ``parallel`` dry-runs of one app are under way at a time."""

    def __init__(self, cluster: Cluster, *, parallel: int = 8) -> None:
        self._cluster = cluster
        self._parallel = parallel

    async def expect(self, wanted: Wanted, memory: Memory) -> None:
        """Brings ``memory.expected`` up to date for every object that exists. Raises :class:`ApiError` when nobody answers."""
        for key in memory.expected.keys() - wanted.objects.keys():
            del memory.expected[key]
        node = self._cluster.index.node
        due = [key for key, digest in wanted.digests.items() if not _known(memory, key, digest) and node(key) is not None]
        gate = asyncio.Semaphore(self._parallel)

        async def ask(key: Key) -> None:
            async with gate:
                memory.expected[key] = await self._ask(key, wanted.objects[key], wanted.digests[key])

        outcomes = await asyncio.gather(*(ask(key) for key in due), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _ask(self, key: Key, desired: Desired, digest: bytes) -> Expected:
        version = version_of(desired.object)
        resource = self._cluster.discovery.find(key.group_kind, version)
        if resource is None:
            return Expected(
                digest, error=f"the cluster does not serve {desired.object.get('apiVersion')} {key.kind}", refused_at=time.monotonic()
            )
        before = await self._cluster.body(key, version)
        try:
            answer = await self._cluster.client.apply(resource, desired.object, dry_run=True)
        except (UnavailableError, ThrottledError):
            raise
        except ApiError as error:
            return Expected(digest, error=str(error), refused_at=time.monotonic())
        return Expected(digest, echo=echo(answer, desired=desired.object, before=before))


def _known(memory: Memory, key: Key, digest: bytes) -> bool:
    expected = memory.expected.get(key)
    if expected is None or expected.digest != digest:
        return False
    return not expected.error or time.monotonic() - expected.refused_at < REFUSAL_HOLDS
