"""The secrets that senders of webhooks prove themselves with: keys ``webhook.…`` of the Secret ``argocd-secret`` (reference 1.15).

A value ``$key`` refers to another key of that Secret, ``$name:key`` to one of another Secret with the label ``app.kubernetes.io/part-of: argocd``. Pure;
``control.py`` watches the Secrets, ``web.webhooks`` says which sender uses which key.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from homeostat.model.objects import Object

SECRET = "argocd-secret"  # noqa: S105 (its name)
_PREFIX = "webhook."
_ELSEWHERE = re.compile(r"\$([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?):([-._a-zA-Z0-9]+)")


class WebhookSecrets:
    """What stands under the keys. Shows nothing of it when it is printed."""

    def __init__(self, values: Mapping[str, bytes | None]) -> None:
        self._values = values

    def __contains__(self, key: str) -> bool:
        """Whether something is set, be it unreadable."""
        return key in self._values

    def get(self, key: str, default: bytes | None = None) -> bytes | None:
        """The secret under ``key``, or ``default``; ``None`` for one that is set and not to be had: nothing matches it."""
        return self._values.get(key, default)

    def __repr__(self) -> str:
        return f"WebhookSecrets({sorted(self._values)})"

    @property
    def unreadable(self) -> list[str]:
        """Keys whose value refers to a Secret, or a key of one, that is not there."""
        return sorted(key for key, value in self._values.items() if value is None)


def read_webhook_secrets(secrets: Mapping[str, Object]) -> WebhookSecrets:
    """``secrets`` are the labelled Secrets of the control namespace, by name."""
    own = _data(secrets.get(SECRET))
    return WebhookSecrets({key: _resolved(value, own, secrets) for key, value in own.items() if key.startswith(_PREFIX) and value})


def _resolved(value: bytes, own: Mapping[str, bytes], secrets: Mapping[str, Object]) -> bytes | None:
    text = value.decode(errors="replace").strip()
    if not text.startswith("$"):
        return value.strip() or None
    elsewhere = _ELSEWHERE.fullmatch(text)
    if elsewhere is not None:
        found = _data(secrets.get(elsewhere[1])).get(elsewhere[2])
        # The reference itself would be a secret that can be guessed.
        return found.strip() or None if found else None
    return own.get(text[1:], value).strip() or None


def _data(secret: Object | None) -> dict[str, bytes]:
    data = (secret or {}).get("data")
    found: dict[str, bytes] = {}
    for key, value in data.items() if isinstance(data, dict) else ():
        try:
            found[str(key)] = base64.b64decode(value)
        except (binascii.Error, TypeError, ValueError):
            continue
    return found
