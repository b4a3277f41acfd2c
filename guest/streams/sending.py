# SPDX-License-Identifier: Apache-2.0
"""From a program's output to segments in the store. One thread reads, compresses and encrypts, another one hashes and
sends; both work on the same few buffers, so memory does not grow with the stream, and a slow store holds the program
up."""

import base64
import hashlib
import queue
import threading
from collections.abc import Callable, Mapping
from typing import IO, Any

import zstandard

from dbflow import faults
from dbflow.backupmanifest import segment_name
from guest.streams.segments import Buffer, Filling, Sealer
from guest.streams.store import Store

MIB = 1 << 20
_BUFFERS = 3


class Sending:
    """One stream."""

    def __init__(self, order: Mapping[str, Any], store: Store) -> None:
        """``order``: see guest.streams.worker."""
        self._store, self._stream = store, order["stream"]
        size = order["segment_size"] * MIB
        self._sealer = Sealer(base64.b64decode(order["key"]), order["label"], self._stream)
        self._compress = zstandard.ZstdCompressor(level=order["level"], write_checksum=True).compressobj()
        self._free: queue.SimpleQueue[Buffer] = queue.SimpleQueue()
        for _ in range(_BUFFERS):
            self._free.put(Buffer(size))
        self._full: queue.SimpleQueue[Buffer | None] = queue.SimpleQueue()
        self._failed: Exception | None = None
        self._filling: Filling | None = None
        self.read = 0
        """Bytes of the stream so far."""
        self.segments: list[tuple[int, str]] = []
        """(bytes, SHA-256) of what is in the store."""

    def run(self, source: IO[bytes], on_progress: Callable[[int], None]) -> None:
        """Until the end of the source. Raises what the sending thread met, as soon as it is known."""
        sender = threading.Thread(target=self._send_all, name="sender", daemon=True)
        sender.start()
        try:
            block = memoryview(bytearray(MIB))
            while got := source.readinto(block):  # type: ignore[attr-defined]
                self.read += got
                self._seal(self._compress.compress(block[:got]))
                on_progress(self.read)
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
        buffer = self._free.get()
        if self._failed is not None:
            raise self._failed
        return buffer

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
