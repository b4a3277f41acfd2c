# SPDX-License-Identifier: Apache-2.0
"""Frames on the socket of the embedded broker: four bytes of length, then JSON."""

import json
import struct
from collections.abc import Iterator
from typing import Any

MAX_FRAME = 4 * 1024 * 1024
MAX_MESSAGE = MAX_FRAME - 4096
"""Bytes of a message, with room for what is said about it."""
MAX_DEPTH = 32
"""Of lists and dicts in each other in a message; ours have four."""
_LENGTH = struct.Struct("!I")


class BadFrame(ConnectionError):
    """The other side does not speak this protocol; the connection is of no more use."""


def encode(value: Any, **packed: bytes) -> bytes:
    """A JSON-able value as one frame; ValueError when it is longer than MAX_FRAME. ``packed``: further fields of a dict
    that is not empty, from :func:`pack`."""
    data = _dump(value)
    for name, raw in packed.items():
        data = b'%s,"%s":%s}' % (data[:-1], name.encode(), raw)
    if len(data) > MAX_FRAME:
        raise ValueError(f"a frame of {len(data)} bytes is too long")
    return _LENGTH.pack(len(data)) + data


def pack(message: dict[str, Any]) -> bytes:
    """A message that fits into a frame and can be read by whoever gets it, written once; ValueError for another."""
    _check_depth(message)
    raw = _dump(message)
    if len(raw) > MAX_MESSAGE:
        raise ValueError(f"a message of {len(raw)} bytes is too long")
    return raw


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _check_depth(message: dict[str, Any]) -> None:
    level: list[Any] = [message]
    for _ in range(MAX_DEPTH):
        inner = [one.values() if isinstance(one, dict) else one for one in level]
        level = [value for values in inner for value in values if isinstance(value, dict | list)]
    if level:
        raise ValueError("a message too deep")


class Decoder:
    """Turns the bytes of a stream into values, however they are cut."""

    def __init__(self, limit: int = MAX_FRAME) -> None:
        """``limit``: bytes of a frame."""
        self.limit = limit
        self.size = 0
        """Bytes of the value that was given last."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The values that are complete now; those not taken are given by the next call, which may be without new
        bytes. BadFrame when the stream can't be understood."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > self.limit:
                raise BadFrame(f"a frame of {length} bytes is too long")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            raw = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            self.size = length
            yield _parse(raw)


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadFrame("a frame that is not JSON") from None
    if not isinstance(value, dict):
        raise BadFrame("a frame that is not an object")
    return value
