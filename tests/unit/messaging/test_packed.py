# SPDX-License-Identifier: Apache-2.0
"""Messages that can't be handed on are the trouble of the guest that sent them, not of the control plane, which would
get them."""

import contextlib
import json
import os
import pathlib
import socket
import struct
import tempfile
from collections.abc import Iterator
from typing import Any

import kombu
import pytest

from dbflow.messaging.connection import opened
from dbflow.messaging.embedded import EmbeddedBroker, framing
from dbflow.messaging.layout import Layout, guest_user

UP, USER = Layout("dbflow").up, guest_user("one")
QUEUE = kombu.Queue("q", UP, routing_key="q", durable=True)


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with tempfile.TemporaryDirectory(prefix="dbflow-") as directory:
        made = EmbeddedBroker(pathlib.Path(directory) / "broker", guest_password=lambda _: "secret")
        made.start()
        yield made
        made.stop()


@contextlib.contextmanager
def _guest(broker: EmbeddedBroker) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(os.fspath(broker.path))
        sock.sendall(framing.encode({"op": "login", "id": 0, "args": {"user": USER, "password": "secret"}}))
        assert b'"value":null' in sock.recv(1000)
        yield sock


def _publish(guest: socket.socket, headers: str) -> None:
    """``headers`` as JSON."""
    properties = json.dumps({"user_id": USER, "delivery_info": {}, "delivery_tag": ""})
    message = f'{{"body": "", "properties": {properties}, "headers": {headers}}}'
    raw = f'{{"op": "publish", "exchange": "{UP.name}", "key": "q", "message": {message}}}'.encode()
    guest.sendall(struct.pack("!I", len(raw)) + raw)


@contextlib.contextmanager
def _control(broker: EmbeddedBroker) -> Iterator[tuple[kombu.Connection, list[Any]]]:
    got: list[Any] = []
    with opened(broker.url) as conn, kombu.Consumer(conn, [QUEUE], on_message=got.append, no_ack=True):
        yield conn, got


ODD = {f"{depth} deep": "[" * depth + "]" * depth for depth in (40, 900, *range(970, 990))}
ODD |= {"half a character": '["\\ud800"]', "growing numbers": "[" + "1e15," * 300_000 + "1]"}


@pytest.mark.parametrize("odd", ODD)
def test_what_can_not_be_handed_on_ends_its_senders_connection(broker: EmbeddedBroker, odd: str) -> None:
    with opened(broker.url) as conn, _guest(broker) as guest:
        QUEUE(conn.channel()).declare()
        with contextlib.suppress(ConnectionError):
            _publish(guest, ODD[odd])
            assert guest.recv(100) == b""
    with _control(broker) as (conn, got):
        kombu.Producer(conn.channel()).publish("fine", exchange=UP, routing_key="q")
        while not got:
            conn.drain_events(timeout=5)
        assert [message.payload for message in got] == ["fine"]


def test_text_that_would_grow_by_escapes_is_handed_on(broker: EmbeddedBroker) -> None:
    text = "é" * 1_000_000
    with _control(broker) as (conn, got), _guest(broker) as guest:
        _publish(guest, f'{{"x": "{text}"}}')
        while not got:
            conn.drain_events(timeout=5)
        assert got[0].headers == {"x": text}
