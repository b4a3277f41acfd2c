# SPDX-License-Identifier: Apache-2.0
"""The manifest of a backup: the object that says what the others are.

``<prefix>manifest.json``, plain JSON; SQL keeps its SHA-256. It is written last, so a backup with one is whole. The
segments are ``<prefix><stream>/00000000`` and so on: zstd, cut, each piece encrypted with AES-256-GCM and bound to
backup, stream and number; the last one holds nothing but how many they are (see guest.streams.segments).
"""

import dataclasses
import hashlib
import json
import re
from typing import Any

NAME = "manifest.json"
FORMAT = 1
_STREAM = re.compile(r"[0-9a-z]{1,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
ABOUT = ("backup_id", "project_id", "parent_id", "datastore", "datastore_version", "created")
"""Members that the control plane tells the guest."""
LARGEST_SEGMENT = 64 << 20
"""Bytes"""
_LONGEST, _LARGEST_POSITION = 255, 4096
_TEXTS = ("backup_id", "project_id", "datastore", "datastore_version", "strategy", "stream", "created")


class BadManifest(Exception):
    """It is damaged or not a manifest; ``str()`` is fit for a user to read."""


@dataclasses.dataclass(frozen=True)
class Segment:
    """One object."""

    size: int
    """Bytes, encrypted."""
    sha256: str
    """In hex, of the object."""


@dataclasses.dataclass(frozen=True)
class Manifest:
    """See the module."""

    backup_id: str
    project_id: str
    parent_id: str | None
    datastore: str
    datastore_version: str
    """Such as 10.11.14."""
    strategy: str
    stream: str
    """Names one attempt to make the backup; only its objects count."""
    segments: tuple[Segment, ...]
    stream_size: int
    """Bytes of the stream before compression."""
    data_size: float
    """GiB that the data took on the volume."""
    position: dict[str, Any]
    created: str

    @property
    def stored(self) -> int:
        """Bytes of the segments in the store."""
        return sum(segment.size for segment in self.segments)

    def object_name(self, number: int) -> str:
        """Of a segment, after the backup's prefix."""
        return segment_name(self.stream, number)

    def to_bytes(self) -> bytes:
        """As it is stored."""
        body = {"format": FORMAT, **dataclasses.asdict(self)}
        body["segments"] = [[segment.size, segment.sha256] for segment in self.segments]
        return json.dumps(body, separators=(",", ":")).encode()

    @classmethod
    def of_bytes(cls, data: bytes, sha256: str | None = None) -> "Manifest":
        """BadManifest; ``sha256`` is what it must have. A guest wrote it, and its owner may be anybody: nothing in it
        is believed that could lead out of the backup's own objects."""
        if sha256 is not None and digest(data) != sha256:
            raise BadManifest("The manifest is not the one that was written when the backup was made.")
        try:
            body = json.loads(data, parse_constant=_no_number)
            if body.pop("format") != FORMAT:
                raise ValueError("format")
            segments = tuple(_segment(*one) for one in body.pop("segments"))
            made = cls(segments=segments, **body)
            made._check()
            return made
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            raise BadManifest("The manifest is damaged, or of a format that this release does not know.") from None

    def _check(self) -> None:
        """ValueError for a member that can't be what it should."""
        texts = [getattr(self, name) for name in _TEXTS]
        numbers = (self.stream_size, self.data_size)
        sound = (
            all(isinstance(text, str) and len(text) <= _LONGEST for text in texts)
            and isinstance(self.parent_id, str | None)
            and _STREAM.fullmatch(self.stream)
            and all(type(number) in (int, float) and 0 <= number < 2**63 for number in numbers)
            and isinstance(self.position, dict)
            and len(json.dumps(self.position)) <= _LARGEST_POSITION
        )
        if not sound:
            raise ValueError("members")


def _segment(size: object, sha256: object) -> Segment:
    """ValueError at the first that can't be one: a guest may have written millions."""
    if not (
        type(size) is int and 0 < size <= LARGEST_SEGMENT and isinstance(sha256, str) and _SHA256.fullmatch(sha256)
    ):
        raise ValueError("segment")
    return Segment(size, sha256)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def segment_name(stream: str, number: int) -> str:
    """Of a segment, after the backup's prefix."""
    return f"{stream}/{number:08d}"


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()
