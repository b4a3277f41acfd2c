# SPDX-License-Identifier: Apache-2.0
"""From a program's output to segments in the store. One thread reads, compresses and encrypts, another one hashes and
sends; both work on the same few buffers, so memory does not grow with the stream, and a slow store holds the program
up. But not while the program itself holds up those who use the database: then a few more buffers take what it has
left, and where these are not enough it is given up."""

import base64
import hashlib
import queue
import threading
from collections.abc import Callable, Mapping
from typing import IO, Any

import zstandard

from dbflow import faults
from dbflow.backupmanifest import segment_name
from guest.streams.hold import Hold
from guest.streams.segments import Buffer, Filling, Sealer
from guest.streams.store import Store, StoreFailed

MIB = 1 << 20
_BUFFERS = 3
_SPARE = 32
"""MiB for what comes while the program holds others up, in buffers of at least one segment."""
_PATIENCE = 1.0
"""Seconds that they may wait for the store, in all."""
_LOOK = 0.05
"""Seconds between two looks at whether they do."""
_TOO_SLOW = "The object store is too slow for the end of a backup, when nobody can write: it was given up."


class Sending:
    """One stream."""

    def __init__(self, order: Mapping[str, Any], store: Store, hold: Hold) -> None:
        """``order``: see guest.streams.worker."""
        self._store, self._stream, self._hold = store, order["stream"], hold
        self._size = order["segment_size"] * MIB
        self._spare, self._patience = max(1, _SPARE // order["segment_size"]), _PATIENCE
        self._sealer = Sealer(base64.b64decode(order["key"]), order["label"], self._stream)
        self._compress = zstandard.ZstdCompressor(level=order["level"], write_checksum=True).compressobj()
        self._free: queue.SimpleQueue[Buffer] = queue.SimpleQueue()
        for _ in range(_BUFFERS):
            self._free.put(Buffer(self._size))
        self._full: queue.SimpleQueue[Buffer | None] = queue.SimpleQueue()
        self._failed: Exception | None = None
        self._filling: Filling | None = None
        self.read = 0
        """Bytes of the stream so far."""
        self.segments: list[tuple[int, str]] = []
        """(bytes, SHA-256) of what is in the store."""

    def run(self, source: IO[bytes], on_progress: Callable[[int], None]) -> None:
        """Until the end of the source. Raises what the sending thread met, as soon as it is known; StoreFailed, too,
        when the program can't be held up any longer: then the thread may still be at a segment."""
        sender = threading.Thread(target=self._send_all, name="sender", daemon=True)
        sender.start()
        try:
            block = memoryview(bytearray(MIB))
            while got := source.readinto(block):  # type: ignore[attr-defined]
                self.read += got
                self._seal(self._compress.compress(block[:got]))
                on_progress(self.read)
            self._hold.over()
            self._seal(self._compress.flush())
            self._end_segment()
            self._full.put(self._sealer.end(self._take(), self.read))
        finally:
            self._full.put(None)
        sender.join()
        if self._failed is not None:
            raise self._failed

    def _seal(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            if self._filling is None:
                self._filling = self._sealer.begin(self._take())
            left = self._filling.feed(left)
            if left:
                self._end_segment()

    def _take(self) -> Buffer:
        """A free buffer; the sender gives back those of what it could not send."""
        while (buffer := self._room(self._hold.on())) is None:
            pass
        if self._failed is not None:
            raise self._failed
        return buffer

    def _room(self, held: bool) -> Buffer | None:
        """What the sender gave back, or one more while others are ``held`` up; None when there is neither for now."""
        spare = held and self._spare > 0
        try:
            return self._free.get(timeout=0.0 if spare else _LOOK)
        except queue.Empty:
            if spare:
                self._spare -= 1
                return Buffer(self._size)
        if held:
            self._patience -= _LOOK
            if self._patience <= 0:
                raise StoreFailed(_TOO_SLOW)
        return None

    def _end_segment(self) -> None:
        if self._filling is not None:
            self._full.put(self._filling.end())
            self._filling = None

    def _send_all(self) -> None:
        while (buffer := self._full.get()) is not None:
            if self._failed is None:
                self._send(buffer)
            self._free.put(buffer)

    def _send(self, buffer: Buffer) -> None:
        try:
            data = buffer.view
            faults.point(f"guest.stream.put.{buffer.number}")
            self._store.put(segment_name(self._stream, buffer.number), data)
            self.segments.append((len(data), hashlib.sha256(data).hexdigest()))
        except Exception as error:
            self._failed = error
