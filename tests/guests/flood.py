# SPDX-License-Identifier: Apache-2.0
"""Sends as much as the broker takes, until its standard input ends; then prints how many messages that were.

Standard input: one line of JSON, ``{"url", "exchange", "keys", "user", "instance_id"}``. The messages are put together
once and written to the socket as bytes, which is as fast as it gets.
"""

import base64
import contextlib
import json
import socket
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any

import amqp

from dbflow.messaging import wire
from dbflow.messaging.connection import EMBEDDED, connection
from dbflow.messaging.embedded import framing

BATCH = 50
"""Messages a write."""
BODY = json.dumps({"sealed": "AAAA" * 50}).encode()


def _amqp(told: dict[str, Any], key: str, channel: int) -> bytes:
    def frame(kind: int, payload: bytes) -> bytes:
        return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"

    def short(text: str) -> bytes:
        return bytes([len(text)]) + text.encode()

    properties = amqp.Message(
        type=wire.HEARTBEAT,
        user_id=told["user"],
        correlation_id="x",
        application_headers={wire.INSTANCE_HEADER: told["instance_id"]},
    )._serialize_properties()
    method = struct.pack(">HHH", 60, 40, 0) + short(told["exchange"]) + short(key) + b"\0"
    return frame(1, method) + frame(2, struct.pack(">HHQ", 60, 0, len(BODY)) + properties) + frame(3, BODY)


def _embedded(told: dict[str, Any], key: str) -> bytes:
    properties = {
        "type": wire.HEARTBEAT,
        "user_id": told["user"],
        "correlation_id": "x",
        "delivery_tag": "x",
        "body_encoding": "base64",
    }
    headers = {wire.INSTANCE_HEADER: told["instance_id"]}
    message = {"body": base64.b64encode(BODY).decode(), "properties": properties, "headers": headers}
    return framing.encode({"op": "publish", "exchange": told["exchange"], "key": key, "message": message})


def _connected(told: dict[str, Any]) -> tuple[Any, Callable[[bytes], Any], list[bytes]]:
    conn = connection(told["url"])
    channel = conn.channel()
    if told["url"].startswith(EMBEDDED):
        return conn, channel._wire.socket.sendall, [_embedded(told, key) for key in told["keys"]]
    sock = conn.connection.transport.sock
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 0))
    return conn, sock.sendall, [_amqp(told, key, channel.channel_id) for key in told["keys"]]


def main() -> int:
    told: dict[str, Any] = json.loads(sys.stdin.readline())
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    sent = 0
    _conn, write, messages = _connected(told)
    print("ready", flush=True)
    while not stop.is_set():
        try:
            write(b"".join(messages * BATCH))
            sent += len(messages) * BATCH
        except OSError:  # the broker has had enough of it: once more
            with contextlib.suppress(OSError, amqp.AMQPError):
                _conn, write, messages = _connected(told)
    print(sent, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
