# SPDX-License-Identifier: Apache-2.0
"""Frames of AMQP as they arrive. What a guest puts into properties and headers, RabbitMQ hands on unread; what py-amqp
can't read of it would end the connection, and with it all that others sent."""

import struct
from collections.abc import Callable
from typing import Any

from amqp import Message
from amqp.method_framing import frame_handler

Frame = tuple[int, int, Any]
"""(type, channel, payload)"""

_HEADER, _BODY = 2, 3
_START = struct.Struct(">HxxQ")
"""Class and body size, before the properties."""
_BASIC = 60
"""The class of everything that has a body."""
_NO_PROPERTIES = b"\0\0"
MAX_BODY = 2 * 1024 * 1024
"""Bytes; twice what a message of ours may have."""


def tolerant(connection: Any, callback: Callable[..., None]) -> Callable[[Frame], bool]:
    """As py-amqp's handler of frames, but a message that is unreadable or too large arrives empty, without
    properties."""
    handle = frame_handler(connection, callback)
    skipped: dict[int, int] = {}
    """Channel -> bytes of a body still to come, of which none is kept."""

    def on_frame(frame: Frame) -> bool:
        kind, channel, payload = frame
        if kind == _BODY and channel in skipped:
            skipped[channel] -= len(payload)
            if skipped[channel] > 0:
                return False
            del skipped[channel]
            return bool(handle((_HEADER, channel, _empty(_BASIC, 0))))
        if kind == _HEADER:
            class_id, size = _START.unpack_from(payload)
            if size > MAX_BODY:
                skipped[channel] = size
                return False
            if not _readable(payload):
                payload = _empty(class_id, size)
        return bool(handle((kind, channel, payload)))

    return on_frame


def _readable(header: Any) -> bool:
    try:
        Message().inbound_header(header)
    except Exception:
        return False
    return True


def _empty(class_id: int, size: int) -> bytes:
    return _START.pack(class_id, size) + _NO_PROPERTIES
