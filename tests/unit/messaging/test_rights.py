# SPDX-License-Identifier: Apache-2.0
"""Logins at the embedded broker, and what comes of one guest's excess."""

import contextlib
import os
import pathlib
import socket
import tempfile
from collections.abc import Iterator

import kombu
import pytest
from kombu.exceptions import ChannelError

from dbflow.messaging.connection import EMBEDDED, connection, opened, with_login
from dbflow.messaging.embedded import EmbeddedBroker, framing
from dbflow.messaging.embedded import broker as embedded
from dbflow.messaging.embedded.broker import MAX_CONNECTIONS
from dbflow.messaging.layout import Layout, guest_user
from tests.waiting import wait_for

LAYOUT = Layout("dbflow")
PASSWORDS = {"one": "first", "two": "second"}


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with tempfile.TemporaryDirectory(prefix="dbflow-") as directory:
        made = EmbeddedBroker(pathlib.Path(directory) / "broker", guest_password=lambda name: PASSWORDS[name])
        made.start()
        yield made
        made.stop()


def _url(broker: EmbeddedBroker, user: str, password: str) -> str:
    return with_login(f"{EMBEDDED}{broker.path}", user, password)


def _guest(broker: EmbeddedBroker, name: str) -> str:
    return _url(broker, guest_user(name), PASSWORDS[name])


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("control", "wrong"),
        ("control", ""),
        ("control", "first"),
        ("", ""),
        ("guest-one", "second"),
        ("guest-one", ""),
        ("guest-three", "first"),
        ("guest-", "first"),
        ("x" * 10_000, "x"),
    ],
)
def test_strangers_stay_outside(broker: EmbeddedBroker, user: str, password: str) -> None:
    with pytest.raises(ConnectionError), opened(_url(broker, user, password)):
        pass
    with opened(broker.url) as conn:
        kombu.Queue("q", durable=True)(conn.channel()).queue_declare()


def test_a_url_without_a_login_is_none(broker: EmbeddedBroker) -> None:
    with pytest.raises(ConnectionError), opened(f"{EMBEDDED}{broker.path}"):
        pass


def test_a_guest_whose_queue_is_deleted_is_let_go(broker: EmbeddedBroker) -> None:
    with opened(broker.url) as control, opened(_guest(broker, "one")) as gone, opened(_guest(broker, "two")) as stays:
        for name in PASSWORDS:
            LAYOUT.guest(name)(control.channel()).declare()
        for conn, name in ((gone, "one"), (stays, "two")):
            LAYOUT.guest(name, declare=False)(conn.channel()).consume("tag", callback=print, no_ack=True)
        LAYOUT.guest("one")(control.channel()).delete()
        with pytest.raises(ConnectionError):
            gone.drain_events(timeout=5)
        with pytest.raises(TimeoutError):
            stays.drain_events(timeout=0.1)


def test_one_guest_has_so_many_connections(broker: EmbeddedBroker) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS):
            stack.enter_context(opened(_guest(broker, "one")))
        with pytest.raises(ConnectionError), opened(_guest(broker, "one")):
            pass
        stack.enter_context(opened(_guest(broker, "two")))
    connected = wait_for(lambda: _connects(_guest(broker, "one")), 5, "room again")
    assert connected


def _connects(url: str) -> bool:
    try:
        with opened(url):
            return True
    except ConnectionError:
        return False


def test_queues_hold_so_many_bytes(broker: EmbeddedBroker) -> None:
    queue = kombu.Queue("q", LAYOUT.up, routing_key="q", durable=True, max_length_bytes=1_000_000)
    with opened(broker.url) as conn:
        bound = queue(conn.channel())
        bound.declare()
        producer = kombu.Producer(conn.channel())
        for number in range(50):
            producer.publish("x" * 100_000 + str(number), exchange=LAYOUT.up.name, routing_key="q")
        wait_for(lambda: bound.queue_declare(passive=True).message_count < 10, 5, "the oldest to have gone")
        got = [bound.get(no_ack=True) for _ in range(bound.queue_declare(passive=True).message_count)]
        assert got[-1].payload.endswith("49")


def test_refusals_are_said(broker: EmbeddedBroker) -> None:
    with connection(_guest(broker, "one")) as conn, pytest.raises(ChannelError, match="ACCESS_REFUSED"):
        LAYOUT.guest("two")(conn.channel()).queue_declare()


@contextlib.contextmanager
def _stranger(broker: EmbeddedBroker) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(os.fspath(broker.path))
        yield sock


def _login(sock: socket.socket, user: str, password: str) -> bytes:
    sock.sendall(framing.encode({"op": "login", "id": 0, "args": {"user": user, "password": password}}))
    return sock.recv(1000)


def test_a_refused_login_ends_the_connection(broker: EmbeddedBroker) -> None:
    with _stranger(broker) as sock:
        assert b"ACCESS_REFUSED" in _login(sock, guest_user("one"), "wrong")
        assert sock.recv(100) == b""


def test_who_does_not_log_in_is_let_go(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    with _stranger(broker) as quick:
        assert b'"value":null' in _login(quick, guest_user("one"), PASSWORDS["one"])
        monkeypatch.setattr(embedded, "LOGIN_WITHIN", 0.2)
        with _stranger(broker) as slow:
            assert slow.recv(100) == b""
        quick.settimeout(0.1)
        with pytest.raises(TimeoutError):
            quick.recv(100)


def test_so_many_strangers(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MAX_STRANGERS", 3)
    monkeypatch.setattr(embedded, "LOGIN_WITHIN", 60.0)
    with contextlib.ExitStack() as stack:
        known = stack.enter_context(opened(broker.url))
        first, *_others = [stack.enter_context(_stranger(broker)) for _ in range(4)]
        assert first.recv(100) == b""
        kombu.Queue("q", durable=True)(known.channel()).queue_declare()
        assert _connects(broker.url)
