# SPDX-License-Identifier: Apache-2.0
"""The manifest of a backup: the object that says what the others are.

``<prefix>manifest.json``, plain JSON; SQL keeps its SHA-256. It is written last, so a backup with one is whole. The
segments are ``<prefix><stream>/00000000`` and so on: zstd, cut, each piece encrypted with AES-256-GCM and bound to
backup, stream and number (see guest.streams.segments).
"""

import dataclasses
import hashlib
import json
from typing import Any

NAME = "manifest.json"
FORMAT = 1


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
        """BadManifest; ``sha256`` is what it must have."""
        if sha256 is not None and digest(data) != sha256:
            raise BadManifest("The manifest is not the one that was written when the backup was made.")
        try:
            body = json.loads(data)
            if body.pop("format") != FORMAT:
                raise ValueError("format")
            segments = tuple(Segment(int(size), str(sha256)) for size, sha256 in body.pop("segments"))
            return cls(segments=segments, **body)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise BadManifest("The manifest is damaged, or of a format that this release does not know.") from None


def segment_name(stream: str, number: int) -> str:
    """Of a segment, after the backup's prefix."""
    return f"{stream}/{number:08d}"


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()
