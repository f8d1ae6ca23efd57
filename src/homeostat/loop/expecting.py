"""Asks the API server what a desired object will be, once for each content: a dry run of how a sync would write it (design point 5).

The answer, the echo, is what drift is judged by from then on. Real applies bring it for nothing (``syncing``), so a new object costs no dry-run.
What is refused is asked about once more with the ignored fields as live has them: a field that cannot be changed and does not count is no trouble.
"""

from __future__ import annotations

import asyncio
import time

import msgspec

from homeostat.compare.errors import CompareError
from homeostat.compare.ignore import Ignored, Ignorer
from homeostat.live.cluster import Cluster
from homeostat.live.errors import ApiError, ThrottledError, UnavailableError
from homeostat.loop.memory import Expected, Memory, Wanted
from homeostat.model.app import App, Ignore
from homeostat.model.manifest import Desired
from homeostat.model.objects import Key, Object, version_of
from homeostat.model.resources import Resource
from homeostat.model.sync import Method, Operation, Writing
from homeostat.sync import options as opt
from homeostat.sync.writing import Writer

REFUSAL_HOLDS = 60.0
"""Seconds after which the server is asked again about an object that it refused: a webhook, a quota or a namespace may have changed."""


class Expecter:
    """Asks on behalf of all apps; at most ``parallel`` dry-runs of one app are under way at a time."""

    def __init__(self, cluster: Cluster, ignorer: Ignorer, *, parallel: int = 8) -> None:
        self._cluster = cluster
        self._writer = Writer(cluster.client)
        self._ignorer = ignorer
        self._parallel = parallel

    async def expect(self, app: App, wanted: Wanted, memory: Memory) -> None:
        """Brings ``memory.expected`` up to date for every object of the app that exists. Raises :class:`ApiError` when nobody answers."""
        own = app.ignore
        for key in memory.expected.keys() - wanted.objects.keys():
            del memory.expected[key]
        node = self._cluster.index.node
        due = [key for key, digest in wanted.digests.items() if not self._known(memory, key, digest, own) and node(key) is not None]
        gate = asyncio.Semaphore(self._parallel)

        async def ask(key: Key) -> None:
            async with gate:
                memory.expected[key] = await self._ask(app, wanted.objects[key], wanted.digests[key])

        outcomes = await asyncio.gather(*(ask(key) for key in due), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _ask(self, app: App, desired: Desired, digest: bytes) -> Expected:
        key, own = desired.key, app.ignore
        version = version_of(desired.object)
        resource = self._cluster.discovery.find(key.group_kind, version)
        if resource is None:
            return Expected(
                digest, error=f"the cluster does not serve {desired.object.get('apiVersion')} {key.kind}", refused_at=time.monotonic()
            )
        before = await self._cluster.body(key, version)
        writing = opt.writing(desired.object, before, app.policy.options, Operation())
        try:
            return Expected(digest, echo=await self._writer.expect(resource, desired.object, before, writing))
        except (UnavailableError, ThrottledError):
            raise
        except ApiError as error:
            refusal = Expected(digest, error=str(error), refused_at=time.monotonic(), refused=True, ignored=self._rules(key, own))
            return await self._ask_again(refusal, resource, desired.object, before, writing)

    async def _ask_again(self, refusal: Expected, resource: Resource, desired: Object, before: Object | None, writing: Writing) -> Expected:
        if refusal.ignored is None or before is None:
            return refusal
        try:
            asked = await self._ignorer.respect(desired, before, refusal.ignored, whole=writing.method is not Method.APPLY)
            if asked == desired:
                return refusal
            return msgspec.structs.replace(refusal, echo=await self._writer.expect(resource, asked, before, writing), error="")
        except (UnavailableError, ThrottledError):
            raise
        except (ApiError, CompareError):
            return refusal  # it says what the user wrote; the second one would not

    def _known(self, memory: Memory, key: Key, digest: bytes, own: tuple[Ignore, ...]) -> bool:
        expected = memory.expected.get(key)
        if expected is None or expected.digest != digest:
            return False
        if expected.refused and expected.ignored != self._rules(key, own):
            return False
        return not expected.error or time.monotonic() - expected.refused_at < REFUSAL_HOLDS

    def _rules(self, key: Key, own: tuple[Ignore, ...]) -> Ignored | None:
        try:
            return self._ignorer.rules_for(key, own)
        except CompareError:
            return None  # the comparison tells
