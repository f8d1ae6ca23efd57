"""The frames between us and an evaluator: four bytes of length (big-endian), then JSON. Pure: bytes in, values out.

What the frames hold is told in ``docs/evaluator.md``. Files on their way to an evaluator are ``files.py``'s business.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import orjson

from homeostat.evaluate.requests import Request

_LENGTH = struct.Struct(">I")
_encode = msgspec.json.Encoder().encode


class FrameTooLongError(Exception):
    """A frame is longer than an answer may be; nothing of it is kept."""


def request(number: int, asked: Request, tree: dict[str, Any] | None) -> bytes:
    """The frame that asks for an evaluation. ``tree`` is what the evaluator is told ahead (``files.Files.told``)."""
    ahead = b',"tree":' + orjson.dumps(tree) if tree else b""
    return _framed(b'{"id":%d,"request":%b%b}' % (number, _encode(asked), ahead))


def answer(number: int, tree: dict[str, Any]) -> bytes:
    """The frame that answers an ask."""
    return _framed(b'{"id":%d,"tree":%b}' % (number, orjson.dumps(tree)))


def _framed(body: bytes) -> bytes:
    return _LENGTH.pack(len(body)) + body


class Reader:
    """Cuts a stream of bytes into frames. ``limit`` is the length in bytes that a frame may have."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The frames that are complete with ``data``. Raises :class:`FrameTooLongError`, and ValueError for what is not JSON."""
        buffer = self._buffer
        buffer += data
        frames: list[dict[str, Any]] = []
        start = 0
        while len(buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if length > self._limit:
                raise FrameTooLongError
            end = start + _LENGTH.size + length
            if len(buffer) < end:
                break
            with memoryview(buffer) as view:
                frames.append(orjson.loads(view[start + _LENGTH.size : end]))
            start = end
        if start:
            del buffer[:start]
        return frames
