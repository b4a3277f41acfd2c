# SPDX-License-Identifier: Apache-2.0
"""Logins at the embedded broker, and what comes of one guest's excess."""

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator

import kombu
import pytest
from kombu.exceptions import ChannelError

from dbflow.messaging.connection import EMBEDDED, connection, opened, with_login
from dbflow.messaging.embedded import EmbeddedBroker
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
