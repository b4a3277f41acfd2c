# SPDX-License-Identifier: Apache-2.0
"""Segments: what a stream is cut into. Each is a nonce of 12 bytes, AES-256-GCM of a piece of the compressed stream,
and the tag of 16 bytes; bound to the backup, the stream and its number, so that none can take another's place."""

import json
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE, TAG = 12, 16
_SLACK = 32
"""What the cipher wants of room behind what it writes."""


class BadSegment(Exception):
    """Not encrypted with this key, for this place in this stream."""


class Buffer:
    """Room for one segment, used again and again."""

    def __init__(self, size: int) -> None:
        self._room = bytearray(size + _SLACK)
        self.size, self.length, self.number = size, 0, 0

    @property
    def view(self) -> memoryview:
        """What is in it."""
        return memoryview(self._room)[: self.length]

    def tail(self) -> memoryview:
        """Where the next bytes go."""
        return memoryview(self._room)[self.length :]

    def put(self, data: bytes) -> None:
        """Append."""
        self._room[self.length : self.length + len(data)] = data
        self.length += len(data)

    @property
    def room(self) -> int:
        """Bytes of the stream that still fit."""
        return self.size - self.length - TAG


class Filling:
    """A segment that is being encrypted into a buffer."""

    def __init__(self, buffer: Buffer, key: bytes, bound: bytes) -> None:
        nonce = os.urandom(NONCE)
        self.buffer = buffer
        buffer.length = 0
        buffer.put(nonce)
        self._cipher = Cipher(algorithms.AES(key), modes.GCM(nonce)).encryptor()
        self._cipher.authenticate_additional_data(bound)

    def feed(self, data: memoryview) -> memoryview:
        """Encrypt as much as fits; returns what did not."""
        fits = data[: max(0, self.buffer.room)]
        if fits:
            self.buffer.length += self._cipher.update_into(fits, self.buffer.tail())
        return data[len(fits) :]

    def end(self) -> Buffer:
        """The segment is complete: its buffer."""
        self.buffer.put(self._cipher.finalize())
        self.buffer.put(self._cipher.tag)
        return self.buffer


class Sealer:
    """Cuts and encrypts one stream."""

    def __init__(self, key: bytes, label: str, stream: str) -> None:
        self._key, self._label, self._stream = key, label, stream
        self._number = 0

    def begin(self, buffer: Buffer) -> Filling:
        """The next segment, in this buffer."""
        buffer.number = self._number
        self._number += 1
        return Filling(buffer, self._key, _bound(self._label, self._stream, buffer.number))


def unseal(key: bytes, label: str, stream: str, number: int, segment: bytes) -> bytes:
    """The piece of the stream in a segment; BadSegment."""
    try:
        return AESGCM(key).decrypt(segment[:NONCE], segment[NONCE:], _bound(label, stream, number))
    except (InvalidTag, ValueError):
        raise BadSegment(f"segment {number}") from None


def _bound(label: str, stream: str, number: int) -> bytes:
    return json.dumps([label, stream, number]).encode()
