"""``POST /api/webhook``, as Argo CD has it: from a request to an answer.

Anyone may send anything here, so everything is bounded: the size of one payload and of all that are being read, the time that a sender may take, the
deliveries that are remembered, the lines in the log. What can be told by headers is told before the body is read, and a payload is parsed only after
its sender has proved itself. Nothing that is sent makes this an error of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

import structlog
from aiohttp import web
from prometheus_client import Counter, Gauge

from homeostat.argo.webhooks import WebhookSecrets
from homeostat.loop.pushes import Published, Push
from homeostat.model.settings import Settings
from homeostat.web.webhooks.delivery import Delivery
from homeostat.web.webhooks.errors import LaterError, MalformedError, OversizedError, UnknownSenderError, UnprovenError, WebhookError
from homeostat.web.webhooks.senders import Sender, Told, recognise

log = structlog.get_logger()

PATH = "/api/webhook"

READ_WITHIN = 20.0
"""Seconds that a sender has for its payload; hosts themselves give up after 10."""

REMEMBERED_FOR = 600.0
MOST_REMEMBERED = 10_000
"""Deliveries that are known again: hosts repeat one within minutes."""

DRAINED = 1024 * 1024
DRAINED_WITHIN = 0.5
"""Bytes and seconds that a refused sender may go on for: while it talks it would not hear the answer."""

INLINE = 256 * 1024
"""Bytes up to which a payload is checked and parsed at once; more would hold up the event loop, and goes to a thread."""

TOLD_EVERY = 60.0
"""Seconds between two lines in the log about one sender and reason."""

RESULTS = Counter("homeostat_webhooks", "Webhooks, by sender and what became of them.", ("sender", "result"))
IN_FLIGHT = Gauge("argocd_webhook_handlers_in_flight", "Webhooks that are being read.")


class Webhooks:
    """The handler. ``pushed`` and ``published`` are the loop's ears; they answer False when the sender should try again."""

    def __init__(
        self,
        *,
        secrets: Callable[[], WebhookSecrets],
        settings: Callable[[], Settings],
        pushed: Callable[[Push], bool],
        published: Callable[[Published], bool],
    ) -> None:
        self._secrets = secrets
        self._settings = settings
        self._pushed = pushed
        self._published = published
        self._remembered: OrderedDict[bytes, float] = OrderedDict()
        self._reading = 0
        self._told: dict[tuple[str, str], tuple[float, int]] = {}

    async def handle(self, request: web.Request) -> web.Response:
        """Answers one request."""
        try:
            with IN_FLIGHT.track_inprogress():
                sender, result = await self._take(request)
        except WebhookError as error:
            RESULTS.labels(error.sender, error.result).inc()
            self._tell(error)
            await _drain(request)
            said = f"{error} (hint: {error.hint})" if error.hint else str(error)
            return web.Response(status=error.status, text=said + "\n")
        RESULTS.labels(sender, result).inc()
        return web.Response(text=result + "\n")

    async def _take(self, request: web.Request) -> tuple[str, str]:
        """Who sent it, and what became of it. Raises :class:`WebhookError`."""
        secrets, settings = self._secrets(), self._settings()
        delivery = Delivery(request.headers, request.query)
        sender = recognise(delivery, secrets)
        if sender is None:
            raise UnknownSenderError
        proves = sender.proof.is_set(secrets)
        if not proves and (settings.webhook_secrets_required or not sender.open):
            raise UnprovenError(
                sender.name,
                f"No secret is set for webhooks of {sender.name}",
                hint=f"set {' or '.join(sender.proof.keys)} in argocd-secret",
            )
        if proves and not sender.proof.is_plausible(delivery, secrets):
            raise _unproven(sender)
        delivery = delivery._replace(body=await self._read(request, sender, settings.webhook_limit))

        def judged() -> Told:
            if proves and not sender.proof.holds(delivery, secrets):
                raise _unproven(sender)
            return None if self._is_remembered(mark) else sender.read(delivery)

        small = len(delivery.body) <= INLINE
        mark = _mark(sender, delivery) if small else await asyncio.to_thread(_mark, sender, delivery)
        told = judged() if small else await asyncio.to_thread(judged)
        if told is None:
            return sender.name, "seen before" if self._is_remembered(mark) else "ignored"
        if not (self._pushed(told) if isinstance(told, Push) else self._published(told)):
            raise LaterError(sender.name, "Too many webhooks are waiting", hint="send it again")
        self._remember(mark)
        return sender.name, "accepted"

    async def _read(self, request: web.Request, sender: Sender, limit: int) -> bytes:
        """The body. No more of it is kept than may be, and no more of all bodies together than two of the largest."""
        if (request.content_length or 0) > limit:
            raise OversizedError(sender.name, limit)
        body = bytearray()
        try:
            async with asyncio.timeout(READ_WITHIN):
                async for chunk in request.content.iter_any():
                    body += chunk
                    self._reading += len(chunk)
                    if len(body) > limit:
                        raise OversizedError(sender.name, limit)
                    if self._reading > 2 * limit:
                        raise LaterError(sender.name, "Too much is being sent at a time", hint="send it again")
        except TimeoutError as error:
            raise MalformedError(sender.name, "The payload took too long to arrive") from error
        except (web.RequestPayloadError, ConnectionError) as error:
            raise MalformedError(sender.name, "The payload did not arrive whole") from error
        finally:
            self._reading -= len(body)
        return bytes(body)

    def _is_remembered(self, mark: bytes) -> bool:
        since = self._remembered.get(mark)
        return since is not None and time.monotonic() - since < REMEMBERED_FOR

    def _remember(self, mark: bytes) -> None:
        if not mark:
            return
        self._remembered[mark] = time.monotonic()
        self._remembered.move_to_end(mark)
        while len(self._remembered) > MOST_REMEMBERED:
            self._remembered.popitem(last=False)

    def _tell(self, error: WebhookError) -> None:
        """A line in the log, not more often than operators can read it."""
        key, now = (error.sender, error.result), time.monotonic()
        until, more = self._told.get(key, (0.0, 0))
        if now < until:
            self._told[key] = (until, more + 1)
            return
        self._told[key] = (now + TOLD_EVERY, 0)
        log.warning("a webhook is refused", sender=error.sender, reason=error.message, hint=error.hint, alike_since=more)


async def _drain(request: web.Request) -> None:
    left = DRAINED
    with contextlib.suppress(TimeoutError, ConnectionError, web.RequestPayloadError):
        async with asyncio.timeout(DRAINED_WITHIN):
            async for chunk in request.content.iter_any():
                left -= len(chunk)
                if left < 0:
                    return


def _unproven(sender: Sender) -> UnprovenError:
    keys = " or ".join(sender.proof.keys)
    return UnprovenError(
        sender.name,
        f"The webhook does not prove that it comes from {sender.name}",
        hint=f"its secret must be the one under {keys} in argocd-secret",
    )


def _mark(sender: Sender, delivery: Delivery) -> bytes:
    """What makes a delivery known again: the number that its sender gives it, or all that it says, where that holds a number or a time. Empty: nothing.

    A hook that somebody has written for a bare Git server may say the same each time, and mean it.
    """
    number = next((given for name in sender.delivery if (given := delivery.header(name))), "")
    if sender.delivery and not number:
        return b""
    about = number.encode(errors="surrogateescape") if number else delivery.body
    return hashlib.blake2b(about, digest_size=16, person=sender.name.encode()[:16]).digest()
