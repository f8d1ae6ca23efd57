"""The controller as a process: the loop, its HTTP server, and an end that leaves nothing behind.

A signal ends it cleanly: no new app is begun, requests under way are let go (every write can be repeated), evaluators and watches are ended. What
is written to the log is set up in ``logs``; the parts come from ``wiring``.
"""

from __future__ import annotations

import asyncio
import gc
import math
import signal
import time

import structlog
import uvloop

from homeostat.model.tasks import cancel, spawn
from homeostat.web import probes
from homeostat.web.webhooks.endpoint import Webhooks
from homeostat.wiring import Controller, Options, assemble

log = structlog.get_logger()

PROGRESS_EVERY = 15.0

YOUNG_OBJECTS = 20_000
"""How many new objects set off a look for garbage in cycles. Python's default of 700 is for small programs: here one app makes thousands, nearly none
of them in a cycle, and a tenth of the processor's time would go into looking."""


def run(options: Options, *, host: str, port: int) -> None:
    """Runs the controller until SIGTERM or SIGINT. Raises what keeps it from running at all."""
    gc.freeze()  # modules stay for ever
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options, host=host, port=port))


async def _serve(options: Options, *, host: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_unhandled)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with assemble(options, progress=_Preparing()) as parts:
        controller = Controller(parts, workers=options.workers)
        webhooks = Webhooks(
            secrets=lambda: parts.control.webhook_secrets,
            settings=parts.settings,
            pushed=controller.engine.pushed,
            published=controller.engine.published,
        )
        async with probes.serve(host=host, port=port, ready=lambda: controller.ready, webhook=webhooks.handle) as bound:
            log.info("listening", address=f"{host}:{bound}")
            running = spawn(controller.run(), name="controller")
            stopping = spawn(stop.wait(), name="wait for a signal")
            try:
                await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    running.result()
                log.info("stopping")
            finally:
                await cancel([running, stopping])
    log.info("stopped")


class _Preparing:
    """Tells what a build is doing, now and then: a log wants to know that it goes on, not each step of it."""

    def __init__(self) -> None:
        self._told = -math.inf

    def __call__(self, line: str) -> None:
        now = time.monotonic()
        if now - self._told > PROGRESS_EVERY:
            self._told = now
            log.info("preparing", step=line)


def _unhandled(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    error = context.get("exception")
    log.error("unhandled error", reason=context.get("message"), exc_info=error if isinstance(error, BaseException) else None)
