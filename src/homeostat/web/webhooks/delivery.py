"""One request as the parsers see it: headers, query and bytes. JSON is read into types that name the few fields that are needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeVar
from urllib.parse import parse_qs

import msgspec

from homeostat.web.webhooks.errors import MalformedError

_T = TypeVar("_T")

_FORM = "application/x-www-form-urlencoded"
_MOST_ADDRESSES = 16


class Delivery(NamedTuple):
    """``headers`` ignore case. ``body`` is what was sent, byte by byte: signatures are over it."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = b""

    def header(self, name: str) -> str:
        return self.headers.get(name, "")

    @property
    def content_type(self) -> str:
        return self.header("Content-Type").partition(";")[0].strip().lower()


class Part(msgspec.Struct, frozen=True):
    """A part of a payload. Fields that are not named are passed over, named ones may be missing or null."""


def decode(delivery: Delivery, sender: str, kind: type[_T]) -> _T:
    """The payload as ``kind``; GitHub and its kin also send it as the field ``payload`` of a form. Raises :class:`MalformedError`."""
    body: bytes | str = delivery.body
    try:
        if delivery.content_type == _FORM:
            body = parse_qs(delivery.body.decode(), max_num_fields=10).get("payload", [""])[0]
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeError, ValueError, RecursionError) as error:
        # Its words quote the path of a field at most, never a value; others may quote more.
        said = str(error) if isinstance(error, msgspec.ValidationError) else "it is no JSON"
        raise MalformedError(sender, f"The payload is not one of {sender}: {said[:200]}") from error


def addresses(*given: str | None) -> tuple[str, ...]:
    """Those that there are, once each, some at most."""
    return tuple(dict.fromkeys(one for one in given if one))[:_MOST_ADDRESSES]
