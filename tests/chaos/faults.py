"""Faults for the proxy that strike at a moment, or by chance."""

from __future__ import annotations

import asyncio
import random

from aiohttp import web

from tests.proxy import Fault


class Tripwire(Fault):
    """Says ``tripped`` at the request number ``count``, or the write number ``count``. With ``before`` that one never reaches the server."""

    def __init__(self, count: int, *, writes: bool, before: bool) -> None:
        super().__init__(times=-1, hold=asyncio.Event(), drop=True)
        self.tripped = asyncio.Event()
        self._left = count
        self._writes = writes
        self._before = before

    def applies(self, request: web.Request) -> bool:
        if self._writes and (request.method == "GET" or "dryRun" in request.query_string):
            return False
        self._left -= 1
        if self._left == 0:
            self.tripped.set()
        return self._before and self._left == 0


class Weather(Fault):
    """Bad weather between us and the server: of ``often`` in a hundred requests something becomes.

    An answer of 409, 410, 429 or 500 instead of the server's, or a connection that is lost before or after the server did what it was asked.
    """

    def __init__(self, rng: random.Random, *, often: float) -> None:
        super().__init__(times=-1)
        self._rng = rng
        self._often = often

    def applies(self, request: web.Request) -> bool:
        if self._rng.random() * 100 >= self._often:
            return False
        self.status = self._rng.choice([409, 410, 429, 500, 0, 0])
        self.reason = {409: "Conflict", 410: "Expired", 429: "TooManyRequests", 500: "InternalError"}.get(self.status, "")
        self.drop = not self.status
        self.after = self._rng.random() < 0.5 and "watch=" not in request.query_string
        return True
