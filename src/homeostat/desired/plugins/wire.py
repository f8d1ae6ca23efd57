"""The messages of Argo CD's plugin service in protobuf's encoding (``cmpserver/plugin/plugin.proto``, ``reposerver/repository/repository.proto``).

A handful of flat messages: written by hand, they need no generated code and no library. Unknown fields are passed over, as protobuf wants it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Fields = Iterator[tuple[int, int | bytes]]


class WireError(ValueError):
    """Bytes that are no message."""


def metadata(*, app_name: str, folder: str, checksum: str, size: int, environment: Mapping[str, str]) -> bytes:
    """An ``AppStreamRequest`` that says what comes: an archive of that SHA-256 (hex) and size, of an app in ``folder``."""
    entries = (_text(1, name) + _text(2, value) for name, value in environment.items())
    about = _text(1, app_name) + _text(2, folder) + _text(3, checksum) + _number(4, size) + b"".join(_bytes(5, entry) for entry in entries)
    return _bytes(1, about)


def chunk(data: bytes) -> bytes:
    """An ``AppStreamRequest`` with a piece of the archive."""
    return _bytes(2, _bytes(1, data))


def manifests(message: bytes) -> list[str]:
    """Of a ``ManifestResponse``."""
    return [_str(value) for number, value in _fields(message) if number == 1]


def flags(message: bytes) -> tuple[bool, bool]:
    """The two flags of a ``CheckPluginConfigurationResponse`` (can discover, wants credentials) or a ``RepositoryResponse`` (matches, can discover)."""
    found = {number: bool(value) for number, value in _fields(message)}
    return found.get(1, False), found.get(2, False)


_ANNOUNCED = {1: "name", 2: "title", 3: "tooltip", 4: "required", 5: "itemType", 6: "collectionType", 7: "string"}


def announcements(message: bytes) -> list[dict[str, Any]]:
    """Of a ``ParametersAnnouncementResponse``; fields that are not set are left out."""
    return [_announcement(_raw(value)) for number, value in _fields(message) if number == 1]


def _announcement(message: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, value in _fields(message):
        if number == 4:
            found["required"] = bool(value)
        elif number in _ANNOUNCED:
            found[_ANNOUNCED[number]] = _str(value)
        elif number == 8:
            found.setdefault("array", []).append(_str(value))
        elif number == 9:
            entry = dict(_fields(_raw(value)))
            found.setdefault("map", {})[_str(entry.get(1, b""))] = _str(entry.get(2, b""))
    return found


def _text(number: int, text: str) -> bytes:
    return _bytes(number, text.encode()) if text else b""


def _bytes(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value) if value else b""


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def _fields(message: bytes) -> Fields:
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _read_varint(message, at)
            yield number, value
            continue
        if kind == 2:
            size, at = _read_varint(message, at)
        elif kind in {1, 5}:
            size = 8 if kind == 1 else 4
        else:
            raise WireError(f"a field of kind {kind}")
        if at + size > len(message):
            raise WireError("a field that is cut off")
        if kind == 2:
            yield number, message[at : at + size]
        at += size


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise WireError("a number without end")


def _raw(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise WireError("a number where a message was expected")
    return value


def _str(value: int | bytes) -> str:
    try:
        return _raw(value).decode()
    except UnicodeDecodeError as error:
        raise WireError("a text that is no UTF-8") from error
