"""Whether a webhook comes from where it says: signatures over the bytes, tokens, user and password. All compared in constant time.

Each proof has two sides: what headers and query alone tell, so that a forged request is turned away before its body is read, and what the body
tells. The keys are those of the Secret ``argocd-secret``.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from abc import ABC, abstractmethod

from homeostat.argo.webhooks import WebhookSecrets
from homeostat.web.webhooks.delivery import Delivery


class Proof(ABC):
    """``keys`` are the keys whose values it uses; with none of them set there is nothing to prove it with."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def is_set(self, secrets: WebhookSecrets) -> bool:
        """Whether this proof can be asked for. A secret that is set and cannot be read counts: then nothing matches it."""
        return any(key in secrets for key in self.keys)

    @abstractmethod
    def is_plausible(self, delivery: Delivery, secrets: WebhookSecrets) -> bool:
        """Whether headers and query are in order; the body has not been read yet."""

    def holds(self, delivery: Delivery, secrets: WebhookSecrets) -> bool:  # noqa: ARG002 - for those who sign the body
        """Whether the body is in order too. Asked after :meth:`is_plausible`."""
        return True


class Signature(Proof):
    """A HMAC over the body. ``headers`` are (name, algorithm, prefix) in order: the first that is there counts, and must be right."""

    def __init__(self, *keys: str, headers: tuple[tuple[str, str, str], ...]) -> None:
        super().__init__(*keys)
        self._headers = headers

    def is_plausible(self, delivery: Delivery, secrets: WebhookSecrets) -> bool:  # noqa: ARG002 - only the body tells
        return any(delivery.header(name) for name, _, _ in self._headers)

    def holds(self, delivery: Delivery, secrets: WebhookSecrets) -> bool:
        for name, algorithm, prefix in self._headers:
            given = delivery.header(name)
            if given:
                matches = [
                    _same(prefix + hmac.new(secret, delivery.body, algorithm).hexdigest(), given)
                    for key in self.keys
                    if (secret := secrets.get(key)) is not None
                ]
                return any(matches)
        return False


class Token(Proof):
    """The secret itself in a header; where braces are put around it by some, ``braces`` are passed over. ``scheme`` may stand before it."""

    def __init__(self, key: str, header: str, *, scheme: str = "", braces: bool = False) -> None:
        super().__init__(key)
        self._key = key
        self._header = header
        self._scheme = scheme
        self._braces = braces

    def is_plausible(self, delivery: Delivery, secrets: WebhookSecrets) -> bool:
        secret = secrets.get(self._key)
        given = delivery.header(self._header)
        if secret is None or not given:
            return False
        if self._braces:
            return _same(secret.strip(b"{}"), given.strip("{}"))
        bare = given[len(self._scheme) :] if self._scheme and given.lower().startswith(self._scheme.lower()) else given
        # Both are compared in any case: an operator may have written the scheme into the secret.
        return _same(secret, given) | _same(secret, bare)


class Query(Proof):
    """The secret in the address, for senders that can do nothing else."""

    def __init__(self, key: str, name: str) -> None:
        super().__init__(key)
        self._key = key
        self._name = name

    def is_plausible(self, delivery: Delivery, secrets: WebhookSecrets) -> bool:
        secret = secrets.get(self._key)
        return secret is not None and _same(secret, delivery.query.get(self._name, ""))


class Basic(Proof):
    """User and password (RFC 7617)."""

    def is_plausible(self, delivery: Delivery, secrets: WebhookSecrets) -> bool:
        expected = [secrets.get(key, b"") for key in self.keys]
        scheme, _, encoded = delivery.header("Authorization").partition(" ")
        try:
            given = base64.b64decode(encoded.strip(), validate=True).partition(b":")[::2]
        except (binascii.Error, ValueError):
            return False
        same = [mine is not None and _same(mine, theirs) for mine, theirs in zip(expected, given, strict=True)]
        return scheme.lower() == "basic" and all(same)


class AllThatAreSet(Proof):
    """Each of several proofs for which a secret is set."""

    def __init__(self, *proofs: Proof) -> None:
        super().__init__(*(key for proof in proofs for key in proof.keys))
        self._proofs = proofs

    def is_plausible(self, delivery: Delivery, secrets: WebhookSecrets) -> bool:
        return all(proof.is_plausible(delivery, secrets) for proof in self._proofs if proof.is_set(secrets))

    def holds(self, delivery: Delivery, secrets: WebhookSecrets) -> bool:
        return all(proof.holds(delivery, secrets) for proof in self._proofs if proof.is_set(secrets))


def _same(one: bytes | str, other: bytes | str) -> bool:
    return hmac.compare_digest(_bytes(one), _bytes(other))


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode(errors="surrogateescape")
