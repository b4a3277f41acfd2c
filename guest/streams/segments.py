# SPDX-License-Identifier: Apache-2.0
"""Segments: what a stream is cut into. Each is a nonce of 12 bytes, AES-256-GCM of a piece of the compressed stream,
and the tag of 16 bytes; bound to the backup, the stream and its number, so that none can take another's place. The last
one says how much there is, so that none can be left out at the end either."""

import json
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

NONCE, TAG = 12, 16
_END = "end"
_STEP = 1 << 18
"""Bytes that are decrypted at a time."""
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

    def end(self, buffer: Buffer, size: int) -> Buffer:
        """After the last segment of a stream of so many bytes: one that says so."""
        buffer.number = self._number
        filling = Filling(buffer, self._key, _bound(self._label, self._stream, _END))
        filling.feed(memoryview(_told(self._number, size)))
        return filling.end()


def must_be_end(key: bytes, label: str, stream: str, number: int, size: int, segment: bytes) -> None:
    """BadSegment unless that is the end of a stream of ``number`` segments and ``size`` bytes."""
    if _open(key, _bound(label, stream, _END), segment) != _told(number, size):
        raise BadSegment("the end")


def unseal(key: bytes, label: str, stream: str, number: int, segment: bytes) -> memoryview:
    """The piece of the stream in a segment; BadSegment."""
    return _open(key, _bound(label, stream, number), segment)


def _open(key: bytes, bound: bytes, segment: bytes) -> memoryview:
    """In small steps, since each holds all other threads up."""
    nonce, sealed, tag = segment[:NONCE], memoryview(segment)[NONCE:-TAG], segment[-TAG:]
    opened = memoryview(bytearray(len(sealed) + _SLACK))
    try:
        cipher = Cipher(algorithms.AES(key), modes.GCM(nonce, tag)).decryptor()
        cipher.authenticate_additional_data(bound)
        for start in range(0, len(sealed), _STEP):
            cipher.update_into(sealed[start : start + _STEP], opened[start:])
        cipher.finalize()
    except (InvalidTag, ValueError):
        raise BadSegment("a segment") from None
    return opened[: len(sealed)]


def _bound(label: str, stream: str, number: int | str) -> bytes:
    return json.dumps([label, stream, number]).encode()


def _told(number: int, size: int) -> bytes:
    return json.dumps([number, size]).encode()
