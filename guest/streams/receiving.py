# SPDX-License-Identifier: Apache-2.0
"""From segments in the store to a program's input. One thread fetches, one verifies, one decompresses, one writes to
the program: none of them waits for the work of another, and nothing is used that was not verified."""

import base64
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, cast

import zstandard

from dbflow import faults
from dbflow.backupmanifest import NAME, BadManifest, Manifest
from guest.streams.ahead import ahead
from guest.streams.segments import BadSegment, must_be_end, unseal
from guest.streams.store import Missing, Store

_BLOCK = 1 << 20
_SEGMENTS, _BLOCKS = 1, 4
"""How many of them wait for the thread after: in memory."""


class Damaged(Exception):
    """The backup can't be restored; ``str()`` is fit for a user to read."""


class Receiving:
    """One backup."""

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

    def pump(self, target: IO[bytes], on_progress: Callable[[float], None]) -> None:
        """Write the whole stream, decompressed, to the target."""
        self._must_be_whole()
        written, whole = 0, self.manifest.stream_size
        with (
            ahead(self._segments(), _SEGMENTS) as segments,
            ahead(self._pieces(segments), _SEGMENTS) as pieces,
            ahead(self._blocks(pieces), _BLOCKS) as blocks,
        ):
            for block in blocks:
                written += len(block)
                if written > whole:
                    break
                target.write(block)
                on_progress(written / whole)
        if written != self.manifest.stream_size:
            raise self._damaged(f"It does not have the {whole} bytes that it should.")

    def _must_be_whole(self) -> None:
        """The last object says how many segments and bytes there must be; whoever wrote the manifest can't know how."""
        number, made = len(self.manifest.segments) - 1, self.manifest
        try:
            data = self._store.get(made.object_name(number))
            must_be_end(self._key, self._order["label"], made.stream, number, made.stream_size, data)
        except Missing:
            raise self._damaged("Its end is missing.") from None
        except BadSegment:
            raise self._damaged("Its end is not what was written, or can't be decrypted.") from None

    def _blocks(self, pieces: Iterator[memoryview]) -> Iterator[bytes]:
        """Of the stream, decompressed."""
        try:
            with zstandard.ZstdDecompressor().stream_reader(cast(IO[bytes], _Joined(pieces))) as source:
                while block := source.read(_BLOCK):
                    yield block
        except zstandard.ZstdError:
            raise self._damaged("Its data can't be decompressed.") from None

    def _segments(self) -> Iterator[tuple[int, bytes]]:
        """All but the end, with their numbers."""
        of = len(self.manifest.segments) - 1
        for number in range(of):
            faults.point(f"guest.stream.get.{number}")
            try:
                yield number, self._store.get(self.manifest.object_name(number))
            except Missing:
                raise self._damaged(f"Segment {number + 1} of {of} is missing.") from None

    def _pieces(self, segments: Iterator[tuple[int, bytes]]) -> Iterator[memoryview]:
        """Of the compressed stream, verified."""
        of = len(self.manifest.segments) - 1
        for number, data in segments:
            known = self.manifest.segments[number]
            if len(data) != known.size or hashlib.sha256(data).hexdigest() != known.sha256:
                raise self._damaged(f"Segment {number + 1} of {of} is not what was written.")
            try:
                yield unseal(self._key, self._order["label"], self.manifest.stream, number, data)
            except BadSegment:
                raise self._damaged(f"Segment {number + 1} of {of} can't be decrypted.") from None

    def _damaged(self, why: str) -> Damaged:
        return Damaged(f"Backup {self._order['backup_id']} is damaged: {why}")


class _Joined(io.RawIOBase):
    """Pieces as a file to read."""

    def __init__(self, pieces: Iterator[memoryview]) -> None:
        self._pieces, self._piece = pieces, memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Of the pieces, in order."""
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._piece = piece
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count
