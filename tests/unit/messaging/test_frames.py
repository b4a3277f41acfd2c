# SPDX-License-Identifier: Apache-2.0
"""AMQP frames that py-amqp can't read, or should not keep."""

import struct
from typing import Any, cast

import amqp
import pytest

from dbflow.messaging.frames import MAX_BODY, tolerant

DELIVER = struct.pack(">HH", 60, 60)


class Got:
    """What arrives."""

    bytes_recv = 0

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.handle = tolerant(self, lambda _channel, _method, _args, content: self.messages.append(content))

    def feed(self, properties: bytes, body: bytes, size: int | None = None) -> None:
        """One message on channel 1, its body in two frames."""
        header = struct.pack(">HHQ", 60, 0, len(body) if size is None else size) + properties
        self.handle((1, 1, DELIVER))
        self.handle((2, 1, header))
        half = len(body) // 2
        for part in (body[:half], body[half:]) if body else ():
            self.handle((3, 1, part))


def _properties(**properties: Any) -> bytes:
    return cast(bytes, amqp.Message(**properties)._serialize_properties())


def test_what_can_be_read_arrives_as_it_is() -> None:
    got = Got()
    got.feed(_properties(type="T", user_id="me", application_headers={"h": 1}), b"body")
    got.feed(_properties(type="U"), b"")
    first, second = got.messages
    assert (first.body, first.properties["type"], first.headers) == (b"body", "T", {"h": 1})
    assert second.properties == {"type": "U"}


@pytest.mark.parametrize(
    "properties",
    [
        _properties(type=b"\xff\xfe"),
        _properties(content_type=b"\xc3\x28"),
        _properties(application_headers={b"\xff": 1}),
        struct.pack(">H", 1 << 13) + struct.pack(">I", 7) + b"\x01xT" + b"\xff" * 4,
        struct.pack(">H", 0xFFFE),
        b"",
    ],
)
@pytest.mark.parametrize("body", [b"", b"body"])
def test_unreadable_properties_are_left_out(properties: bytes, body: bytes) -> None:
    got = Got()
    got.feed(properties, body)
    got.feed(_properties(type="next"), b"next")
    assert len(got.messages) == 2
    assert got.messages[0].properties == {} or "user_id" not in got.messages[0].properties
    assert got.messages[1].body == b"next"


def test_what_is_too_large_arrives_empty() -> None:
    got = Got()
    got.feed(_properties(type="T"), b"x" * (MAX_BODY + 1))
    got.feed(_properties(type="next"), b"next")
    assert not got.messages[0].body
    assert got.messages[0].properties == {}
    assert got.messages[1].body == b"next"
