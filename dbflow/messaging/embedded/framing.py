# SPDX-License-Identifier: Apache-2.0
"""Frames on the socket of the embedded broker: four bytes of length, then JSON."""

import json
import struct
from collections.abc import Iterator
from typing import Any

MAX_FRAME = 4 * 1024 * 1024
_LENGTH = struct.Struct("!I")


class BadFrame(ConnectionError):
    """The other side does not speak this protocol; the connection is of no more use."""


def encode(value: Any) -> bytes:
    """A JSON-able value as one frame; ValueError when it is longer than MAX_FRAME."""
    data = json.dumps(value, separators=(",", ":")).encode()
    if len(data) > MAX_FRAME:
        raise ValueError(f"a frame of {len(data)} bytes is too long")
    return _LENGTH.pack(len(data)) + data


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
