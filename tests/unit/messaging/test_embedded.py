# SPDX-License-Identifier: Apache-2.0
"""The embedded broker, by itself and through kombu."""

import contextlib
import os
import pathlib
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

import kombu
import pytest
from kombu.exceptions import ChannelError

from dbflow.messaging.connection import connection, opened
from dbflow.messaging.embedded import EmbeddedBroker, framing
from dbflow.messaging.embedded.queues import NoSuchQueue, Queues
from dbflow.messaging.embedded.rights import CONTROL
from tests.descriptors import beyond_select
from tests.waiting import wait_for

EXCHANGE = kombu.Exchange("x", type="direct", durable=True)


@pytest.fixture
def path() -> Iterator[pathlib.Path]:
    with tempfile.TemporaryDirectory(prefix="dbflow-") as directory:
        yield pathlib.Path(directory) / "run" / "broker"


@pytest.fixture
def broker(path: pathlib.Path) -> Iterator[EmbeddedBroker]:
    made = EmbeddedBroker(path)
    made.start()
    yield made
    made.stop()


def queue(name: str, **options: Any) -> kombu.Queue:
    return kombu.Queue(name, exchange=EXCHANGE, routing_key=name, durable=True, **options)


def publish(url: str, key: str, body: Any, **options: Any) -> None:
    with opened(url) as conn:
        kombu.Producer(conn.channel()).publish(body, exchange=EXCHANGE, routing_key=key, **options)


@contextlib.contextmanager
def consumer(url: str, *queues: kombu.Queue) -> Iterator[tuple[kombu.Connection, list[Any]]]:
    got: list[Any] = []
    with (
        opened(url) as conn,
        kombu.Consumer(conn, list(queues), on_message=lambda message: got.append(message.payload), no_ack=True),
    ):
        yield conn, got


def drain(conn: kombu.Connection, got: list[Any], count: int) -> list[Any]:
    while len(got) < count:
        conn.drain_events(timeout=5)
    return got


def test_messages_reach_the_queue_they_are_bound_to_in_order(broker: EmbeddedBroker) -> None:
    with consumer(broker.url, queue("a")) as (conn, got), consumer(broker.url, queue("b")) as (other, nothing):
        for n in range(5):
            publish(broker.url, "a", n)
        assert drain(conn, got, 5) == [0, 1, 2, 3, 4]
        with pytest.raises(TimeoutError):
            other.drain_events(timeout=0.05)
        assert nothing == []


def test_messages_wait_for_a_consumer_and_properties_arrive(broker: EmbeddedBroker) -> None:
    with opened(broker.url) as conn:
        queue("a")(conn.channel()).declare()
    publish(broker.url, "a", {"ü": 1}, type="T", correlation_id="c", reply_to="r", headers={"h": "1"})
    seen: list[Any] = []
    with opened(broker.url) as conn, kombu.Consumer(conn, [queue("a")], on_message=seen.append, no_ack=True):
        conn.drain_events(timeout=5)
    message = seen[0]
    assert message.payload == {"ü": 1}
    assert message.properties["type"] == "T"
    assert (message.properties["correlation_id"], message.properties["reply_to"]) == ("c", "r")
    assert message.headers == {"h": "1"}


def test_messages_expire(broker: EmbeddedBroker) -> None:
    with opened(broker.url) as conn:
        bound = queue("a")(conn.channel())
        bound.declare()
        publish(broker.url, "a", "old", expiration=0.02)
        until = time.monotonic() + 0.5
        wait_for(lambda: time.monotonic() > until, 5, "the message to expire")
        publish(broker.url, "a", "new", expiration=30)
        assert wait_for(lambda: bound.get(no_ack=True), 5, "the new message").payload == "new"
        assert bound.get(no_ack=True) is None


def test_consumers_of_one_queue_share_it(broker: EmbeddedBroker) -> None:
    with consumer(broker.url, queue("a")) as (one, of_one), consumer(broker.url, queue("a")) as (two, of_two):
        for n in range(4):
            publish(broker.url, "a", n)
        assert sorted(drain(one, of_one, 2) + drain(two, of_two, 2)) == [0, 1, 2, 3]


def test_bounds_drop_the_oldest(broker: EmbeddedBroker) -> None:
    with opened(broker.url) as conn:
        bound = queue("a", max_length=3)(conn.channel())
        bound.declare()
        for n in range(5):
            publish(broker.url, "a", n)
        wait_for(lambda: bound.queue_declare(passive=True).message_count == 3, 5, "three messages")
        assert [bound.get(no_ack=True).payload for _ in range(3)] == [2, 3, 4]


def test_queues_nobody_uses_expire(broker: EmbeddedBroker) -> None:
    with consumer(broker.url, queue("a", expires=1.0)) as (conn, got):
        publish(broker.url, "a", "used")
        assert drain(conn, got, 1) == ["used"]
    with opened(broker.url) as conn:
        channel = conn.channel()
        wait_for(lambda: not _exists(channel, "a"), 20, "the queue to expire")


def _exists(channel: Any, name: str) -> bool:
    try:
        channel.queue_declare(name, passive=True)
    except ChannelError:
        return False
    return True


def test_a_large_backlog_of_large_messages(broker: EmbeddedBroker) -> None:
    """More than a socket holds: the broker keeps what the consumer does not read yet."""
    with consumer(broker.url, queue("a")) as (conn, got):
        body = "x" * 500_000
        with opened(broker.url) as sending:
            producer = kombu.Producer(sending.channel())
            for _ in range(60):
                producer.publish(body, exchange=EXCHANGE, routing_key="a")
        assert len(drain(conn, got, 60)) == 60


def test_only_its_owner_reaches_it(broker: EmbeddedBroker, path: pathlib.Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_paths_too_long_for_a_socket(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="too long"):
        EmbeddedBroker(tmp_path / ("x" * 108))


def test_one_broker_a_path(broker: EmbeddedBroker, path: pathlib.Path) -> None:
    with pytest.raises(OSError, match="in use"):
        EmbeddedBroker(path).start()
    publish(broker.url, "a", "still there")


def test_the_socket_of_a_killed_broker_is_replaced(path: pathlib.Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(path))
    broker = EmbeddedBroker(path)
    broker.start()
    publish(broker.url, "a", 1)
    broker.stop()
    assert not path.exists()


def test_without_a_broker_connecting_fails_at_once(path: pathlib.Path) -> None:
    began = time.monotonic()
    with pytest.raises(ConnectionError), opened(f"dbflow+unix://{path}"):
        pass
    assert time.monotonic() - began < 5


def test_clients_notice_that_the_broker_has_gone(path: pathlib.Path) -> None:
    broker = EmbeddedBroker(path)
    broker.start()
    with connection(broker.url) as receiving, connection(broker.url) as sending:
        channel = receiving.channel()
        queue("a")(channel).declare()
        producer = kombu.Producer(sending.channel())
        broker.stop()
        with pytest.raises(ConnectionError):
            receiving.drain_events(timeout=5)
        with pytest.raises(ConnectionError):
            producer.publish(1, exchange="x", routing_key="a")


def test_clients_of_a_process_with_very_many_open_files(broker: EmbeddedBroker) -> None:
    with consumer(broker.url, queue("a")) as (receiving, got), opened(broker.url) as sending:
        for wire in (receiving.transport.wire, sending.transport.wire):
            wire.socket = beyond_select(wire.socket)
        producer = kombu.Producer(sending.channel())
        producer.publish("heard", exchange=EXCHANGE, routing_key="a")
        assert drain(receiving, got, 1) == ["heard"]
        assert queue("a")(sending.channel()).queue_declare(passive=True).message_count == 0
        with pytest.raises(TimeoutError):
            receiving.drain_events(timeout=0.05)
        broker.stop()
        with pytest.raises(ConnectionError):
            receiving.drain_events(timeout=5)
        with pytest.raises(ConnectionError):
            producer.publish("lost", exchange=EXCHANGE, routing_key="a")


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        framing.encode({"op": "nonsense", "id": 1, "args": {}}),
        framing.encode({"op": "consume", "id": 1, "args": {"queue": ["x"]}}),
        framing.encode({"op": "publish"}),
        framing.encode({}),
        b"\x00\x00\x00\x02[]",
        b"\x00\x00\x00\x02{{",
        b"\x00\x0f\x42\x40" + b"[" * 1_000_000,
        framing.encode({"op": "publish", "exchange": "", "key": "a", "message": []}),
        framing.encode({"op": "publish", "exchange": "", "key": "a", "message": {"properties": None}}),
        framing.encode({"op": "publish", "exchange": "", "key": "a", "message": {"properties": {"expiration": "x"}}}),
        framing.encode({"op": "publish", "exchange": ["x"], "key": "a", "message": {}}),
        framing.encode({"op": "declare", "id": 1, "args": {"queue": "q", "bound": None, "expires": "x"}}),
        framing.encode({"op": "declare", "id": 1, "args": {"queue": "q", "bound": None, "expires": 1e300}}),
        framing.encode({"op": "declare", "id": 1, "args": {"queue": "q", "bound": None, "expires": float("nan")}}),
        framing.encode({"op": "declare", "id": 1, "args": {"queue": "q", "bound": "x", "expires": None}}),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_a_client_that_talks_nonsense_is_dropped_alone(broker: EmbeddedBroker, raw: bytes, known: bool) -> None:
    with consumer(broker.url, queue("a")) as (conn, got), socket.socket(socket.AF_UNIX) as bad:
        bad.settimeout(5)
        bad.connect(os.fspath(broker.path))
        if known:
            login = {"user": CONTROL, "password": connection(broker.url).password}
            bad.sendall(framing.encode({"op": "login", "id": 0, "args": login}))
            assert b'"value":null' in bad.recv(100)
        with contextlib.suppress(ConnectionError):
            bad.sendall(raw)
            assert bad.recv(100) == b""
        publish(broker.url, "a", "fine")
        assert drain(conn, got, 1) == ["fine"]


def test_it_sleeps_while_nothing_happens(broker: EmbeddedBroker) -> None:
    with contextlib.ExitStack() as stack:
        for n in range(50):
            stack.enter_context(consumer(broker.url, queue(f"q{n}")))
        assert broker._thread is not None
        assert broker._thread.ident is not None
        clock = time.pthread_getcpuclockid(broker._thread.ident)  # other tests may have left threads that work
        before = time.clock_gettime(clock)
        threading.Event().wait(1.0)
        assert time.clock_gettime(clock) - before < 0.05


def test_frames_may_be_cut_anywhere() -> None:
    raw = framing.encode({"a": "ü"}) + framing.encode({"b": [1, 2]})
    decoder = framing.Decoder()
    got = [value for byte in raw for value in decoder.feed(bytes([byte]))]
    assert got == [{"a": "ü"}, {"b": [1, 2]}]


def test_frames_are_bounded() -> None:
    with pytest.raises(ValueError, match="too long"):
        framing.encode("x" * (framing.MAX_FRAME + 1))
    with pytest.raises(framing.BadFrame):
        list(framing.Decoder().feed(b"\xff\xff\xff\xff"))


def test_bindings() -> None:
    queues = Queues()
    with pytest.raises(NoSuchQueue):
        queues.bind("a", "x", "k")
    queues.declare("a", None, None)
    queues.bind("a", "x", "k")
    queues.bind("a", "x", "k")
    assert [queue.name for queue in queues.publish("x", "k", {})] == ["a"]
    assert queues.publish("x", "other", {}) == []
    assert [queue.name for queue in queues.publish("", "a", {})] == ["a"]
    queues.unbind("a", "x", "k")
    assert queues.publish("x", "k", {}) == []
    queues.bind("a", "x", "k")
    queues.delete("a")
    queues.delete("a")
    assert queues.publish("x", "k", {}) == []
