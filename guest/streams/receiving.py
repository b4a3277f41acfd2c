# SPDX-License-Identifier: Apache-2.0
"""From segments in the store to a program's input: each is verified before a byte of it is used; the next one is
fetched meanwhile."""

import base64
import hashlib
import io
import queue
import threading
from collections.abc import Callable, Mapping
from typing import IO, Any, cast

import zstandard

from dbflow.backupmanifest import NAME, BadManifest, Manifest
from guest.streams.segments import BadSegment, unseal
from guest.streams.store import Missing, Store

_BLOCK = 1 << 20


class Damaged(Exception):
    """The backup can't be restored; ``str()`` is fit for a user to read."""


class Receiving(io.RawIOBase):
    """The compressed stream of one backup, as a file to read."""

    def __init__(self, order: Mapping[str, Any], store: Store) -> None:
        """``order``: see guest.streams.worker. Damaged when the manifest is not what it should be."""
        self._order, self._store = order, store
        self._key = base64.b64decode(order["key"])
        try:
            self.manifest = Manifest.of_bytes(store.get(NAME), order["checksum"])
        except BadManifest as error:
            raise self._damaged(str(error)) from None
        except Missing:
            raise self._damaged("Its manifest is missing.") from None
        self._piece = memoryview(b"")
        self._next: queue.Queue[bytes | Exception | None] = queue.Queue(1)
        self._stopped = False
        threading.Thread(target=self._fetch_all, name="fetcher", daemon=True).start()

    def pump(self, target: IO[bytes], on_progress: Callable[[float], None]) -> None:
        """Write the whole stream, decompressed, to the target."""
        written, whole = 0, max(1, self.manifest.stream_size)
        try:
            with zstandard.ZstdDecompressor().stream_reader(cast(IO[bytes], self)) as source:
                while block := source.read(_BLOCK):
                    target.write(block)
                    written += len(block)
                    on_progress(written / whole)
        except zstandard.ZstdError:
            raise self._damaged("Its data can't be decompressed.") from None
        finally:
            self._stopped = True
        if written != self.manifest.stream_size:
            raise self._damaged(f"It ends after {written} of {self.manifest.stream_size} bytes.")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Of the verified segments, in order."""
        while not self._piece:
            found = self._next.get()
            if isinstance(found, Exception):
                raise found
            if found is None:
                self._next.put(None)
                return 0
            self._piece = memoryview(found)
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def _fetch_all(self) -> None:
        try:
            for number in range(len(self.manifest.segments)):
                if self._stopped:
                    return
                self._next.put(self._segment(number))
            self._next.put(None)
        except Exception as error:
            self._next.put(error)

    def _segment(self, number: int) -> bytes:
        known, of = self.manifest.segments[number], len(self.manifest.segments)
        try:
            data = self._store.get(self.manifest.object_name(number))
        except Missing:
            raise self._damaged(f"Segment {number + 1} of {of} is missing.") from None
        if len(data) != known.size or hashlib.sha256(data).hexdigest() != known.sha256:
            raise self._damaged(f"Segment {number + 1} of {of} is not what was written.")
        try:
            return unseal(self._key, self._order["label"], self.manifest.stream, number, data)
        except BadSegment:
            raise self._damaged(f"Segment {number + 1} of {of} can't be decrypted.") from None

    def _damaged(self, why: str) -> Damaged:
        return Damaged(f"Backup {self._order['backup_id']} is damaged: {why}")
