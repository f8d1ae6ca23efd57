"""``/healthz``, ``/readyz`` and ``/metrics``: for kubelets and Prometheus. They say nothing that needs a sign-in, and change nothing.

The same server takes webhooks; what becomes of them is ``webhooks``' business.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from homeostat.model.errors import HomeostatError
from homeostat.web.webhooks import endpoint


class ListenError(HomeostatError):
    """The address of the HTTP server cannot be had."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        super().__init__(
            f"cannot listen on {host}:{port}: {error.strerror or error}", hint="choose another address with --listen HOST:PORT"
        )


@asynccontextmanager
async def serve(
    *, host: str, port: int, ready: Callable[[], bool], webhook: Callable[[web.Request], Awaitable[web.Response]] | None = None
) -> AsyncIterator[int]:
    """Answers while the context is open; the value is the port (``port`` 0 takes a free one). Raises :class:`ListenError` when it is taken."""
    app = web.Application()
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/metrics", _metrics)

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if ready() else web.Response(status=503, text="not ready\n")

    app.router.add_get("/readyz", readyz)
    if webhook is not None:
        app.router.add_post(endpoint.PATH, webhook)
    # Nothing is unpacked: a few kilobytes may become gigabytes, and signatures are over the bytes that were sent. What a handler has left unread stays so.
    runner = web.AppRunner(app, access_log=None, handle_signals=False, auto_decompress=False, lingering_time=0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise ListenError(host, port, error) from error
        address: tuple[str, int] = runner.addresses[0][:2]
        yield address[1]
    finally:
        await runner.cleanup()


async def _healthz(_: web.Request) -> web.Response:
    """The event loop turns: that is all that a restart could mend."""
    return web.Response(text="ok\n")


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
