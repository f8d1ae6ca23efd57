"""What can go wrong between us and an API server, split by what the caller can do about it.

    ApiError
    ├── NotFoundError        404: the object, or its kind, is not there
    ├── ConflictError        409: somebody changed the object since it was read; read again
    │   ├── AlreadyExistsError   409 on a create
    │   └── ApplyConflictError   409 on a server-side apply that was not forced: fields belong to others
    ├── GoneError            410: the resource version is too old; list again
    ├── ForbiddenError       401, 403: we may not do this
    ├── InvalidObjectError   400, 413, 415, 422: the object itself is wrong; trying again changes nothing
    ├── ThrottledError       429: the server asks us to wait ``retry_after`` seconds
    └── UnavailableError     5xx, lost connections, timeouts: the same request may work later

A message is the server's own ``message``, word for word, as users know it from ``kubectl``: cut where it is too long, and without the values of
Secrets, which the API server quotes when it cannot decode one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from homeostat.model.errors import HomeostatError

_LONGEST = 2000


class ApiError(HomeostatError):
    """An API server refused a request or could not be reached.

    ``status`` is the HTTP status, 0 when no answer came. ``reason`` is the server's machine-readable word (``Invalid``, ``AlreadyExists``, …).
    ``causes`` are ``(field, message)`` pairs from ``details.causes``. ``retry_after`` is in seconds, 0 when the server named no time.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        causes: tuple[tuple[str, str], ...] = (),
        retry_after: float = 0.0,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.reason = reason
        self.causes = causes
        self.retry_after = retry_after


class NotFoundError(ApiError):
    """The object, or its kind, is not there."""


class ConflictError(ApiError):
    """Somebody changed the object since it was read: read it again, decide again."""


class AlreadyExistsError(ConflictError):
    """A create of an object that is there already."""


class ApplyConflictError(ConflictError):
    """A server-side apply without force would have taken fields from other managers; ``causes`` name them."""


class GoneError(ApiError):
    """The resource version or continue token is too old: list again."""


class ForbiddenError(ApiError):
    """We are not known to the server, or may not do this."""


class InvalidObjectError(ApiError):
    """The object itself is wrong: sending it again changes nothing."""


class ThrottledError(ApiError):
    """The server asks for patience, and our own patience is used up; ``retry_after`` says how long it asked for."""


class UnavailableError(ApiError):
    """The server is down, restarting, overloaded or out of reach: the same request may work later."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: InvalidObjectError,
    401: ForbiddenError,
    403: ForbiddenError,
    404: NotFoundError,
    405: InvalidObjectError,
    408: UnavailableError,
    409: ConflictError,
    410: GoneError,
    413: InvalidObjectError,
    415: InvalidObjectError,
    422: InvalidObjectError,
    429: ThrottledError,
}

_MISFITS = ("failed to create typed patch object", "failed to convert new object")
"""How server-side apply begins when the object does not fit its schema: with status 500, of all things."""

# … .data.password: expected string, got &value.valueUnstructured{Value:1234}
_EXPECTED = re.compile(r"(\.\S+: expected [A-Za-z0-9 ()]+), got ")

# "" is invalid: patch: Invalid value: "{\"data\":{…}}": error decoding from json: illegal base64 data at input byte 7
_QUOTED = re.compile(r'(Invalid value: )(?:"(?:[^"\\]|\\.)*"|[^"].*)', re.DOTALL)


def from_event(payload: Any) -> ApiError:
    """The error that an ERROR event of a watch stands for."""
    code = payload.get("code") if isinstance(payload, Mapping) else None
    return from_answer(code if isinstance(code, int) else 500, payload, text="the watch ended with an error")


def from_answer(status: int, payload: Any, *, text: str = "", retry_after: float = 0.0, secret: bool = False) -> ApiError:
    """The error that an answer of the API server stands for.

    ``payload`` is a ``Status`` object when the server sent one; else ``text`` is what it said. ``secret`` is true when the request was about
    a Secret: of a message that quotes what it found, only the fields and what was expected there are kept.
    """
    body: Mapping[str, Any] = payload if isinstance(payload, Mapping) else {}
    details = body.get("details") or {}
    reason = str(body.get("reason") or "")
    message = str(body.get("message") or text.strip() or f"the server answered {status} and nothing else")
    causes = tuple((str(cause.get("field") or ""), str(cause.get("message") or "")) for cause in details.get("causes") or ())
    if secret:
        message = _QUOTED.sub(r"\1(not shown)", message)
        causes = tuple((field, _QUOTED.sub(r"\1(not shown)", said)) for field, said in causes)
    misfit = status == 500 and message.startswith(_MISFITS)
    if secret and _EXPECTED.search(message):
        message = f"{message.partition(')')[0]}): {'; '.join(_EXPECTED.findall(message))}"
    if len(message) > _LONGEST:
        message = message[:_LONGEST] + "…"
    kind = _BY_STATUS.get(status) or (UnavailableError if status >= 500 else ApiError)
    if status == 409 and reason == "AlreadyExists":
        kind = AlreadyExistsError
    elif status == 409 and any(str(cause.get("reason")) == "FieldManagerConflict" for cause in details.get("causes") or ()):
        kind = ApplyConflictError
    elif misfit:
        kind = InvalidObjectError
    elif reason in {"Expired", "Gone"}:
        kind = GoneError
    seconds = retry_after or float(details.get("retryAfterSeconds") or 0)
    return kind(message, status=status, reason=reason, causes=causes, retry_after=seconds, hint=_hint(kind, reason))


def unreachable(server: str, error: BaseException) -> UnavailableError:
    """The error for a request that got no answer. ``server`` is the address that was tried, without credentials."""
    said = str(error) or type(error).__name__
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        said = "the connection was lost"
    return UnavailableError(
        f"cannot reach the Kubernetes API server at {server}: {said}",
        reason="Unreachable",
        hint="check that the cluster runs and that the kubeconfig names the right server",
    )


def _hint(kind: type[ApiError], reason: str) -> str:
    if reason == "Unauthorized":
        return "the credentials in the kubeconfig are not accepted; sign in again"
    if kind is ForbiddenError:
        return "grant the rights to the account Homeostat runs as"
    if kind is ApplyConflictError:
        return "another manager owns these fields; force the apply to take them over"
    return ""
