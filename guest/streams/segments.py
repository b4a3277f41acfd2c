# SPDX-License-Identifier: Apache-2.0
"""Segments: what a stream is cut into. Each is a nonce of 12 bytes, AES-256-GCM of a piece of the compressed stream,
and the tag of 16 bytes; bound to the backup, the stream and its number, so that none can take another's place."""

import json
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import AEADEncryptionContext, Cipher, algorithms, modes
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


class Sealer:
    """Cuts and encrypts one stream."""

    def __init__(self, key: bytes, label: str, stream: str) -> None:
        self._key, self._label, self._stream = key, label, stream
        self._number = 0
        self._cipher: AEADEncryptionContext | None = None

    def begin(self, buffer: Buffer) -> None:
        """The next segment goes into this buffer."""
        nonce = os.urandom(NONCE)
        buffer.length, buffer.number = 0, self._number
        buffer.put(nonce)
        self._cipher = Cipher(algorithms.AES(self._key), modes.GCM(nonce)).encryptor()
        self._cipher.authenticate_additional_data(_bound(self._label, self._stream, self._number))
        self._number += 1

    def feed(self, buffer: Buffer, data: memoryview) -> memoryview:
        """Encrypt as much as fits; returns what did not."""
        assert self._cipher is not None
        fits = data[: max(0, buffer.room)]
        if fits:
            buffer.length += self._cipher.update_into(fits, buffer.tail())
        return data[len(fits) :]

    def end(self, buffer: Buffer) -> None:
        """The segment is complete."""
        assert self._cipher is not None
        buffer.put(self._cipher.finalize())
        buffer.put(self._cipher.tag)


def unseal(key: bytes, label: str, stream: str, number: int, segment: bytes) -> bytes:
    """The piece of the stream in a segment; BadSegment."""
    try:
        return AESGCM(key).decrypt(segment[:NONCE], segment[NONCE:], _bound(label, stream, number))
    except (InvalidTag, ValueError):
        raise BadSegment(f"segment {number}") from None


def _bound(label: str, stream: str, number: int) -> bytes:
    return json.dumps([label, stream, number]).encode()
