"""Why a webhook is turned away. Each error is an answer: a status of HTTP, and ``result`` for the metric. None quotes the payload or a secret.

WebhookError
├── UnknownSenderError   nothing tells who sent it
├── UnprovenError        the signature or token is missing or wrong, or none is set for a sender that needs one
├── OversizedError       more bytes than `webhook.maxPayloadSizeMB`
├── MalformedError       not what this sender sends
└── LaterError           too much at a time: the sender should try again
"""

from __future__ import annotations

from typing import ClassVar

from homeostat.model.errors import HomeostatError


class WebhookError(HomeostatError):
    """A webhook is turned away. ``sender`` is one of ours, or ``unknown``."""

    status: ClassVar[int] = 400
    result: ClassVar[str] = "malformed"

    def __init__(self, sender: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.sender = sender


class UnknownSenderError(WebhookError):
    """Nothing tells who sent it."""

    result = "unknown"

    def __init__(self) -> None:
        super().__init__("unknown", "Unknown webhook event", hint="docs/webhooks.md lists senders; registries need ?type=… in the address")


class UnprovenError(WebhookError):
    """It cannot be told from a forged one."""

    status = 401
    result = "forged"


class OversizedError(WebhookError):
    """The payload has more bytes than it may have."""

    status = 413
    result = "oversized"

    def __init__(self, sender: str, limit: int) -> None:
        super().__init__(
            sender, f"The payload has more than {limit // 1024 // 1024} MB", hint="the limit is `webhook.maxPayloadSizeMB` in argocd-cm"
        )


class MalformedError(WebhookError):
    """It is not what this sender sends."""


class LaterError(WebhookError):
    """Too much at a time."""

    status = 503
    result = "busy"
