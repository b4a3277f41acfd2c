# SPDX-License-Identifier: Apache-2.0
"""What a link does on a channel: nothing is decoded, and queues that expired are declared again."""

import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any
from unittest import mock

import amqp
import kombu
import pytest
from amqp import spec
from amqp.serialization import dumps
from kombu.exceptions import ChannelError
from kombu.transport.pyamqp import Channel

from dbflow.messaging import link
from dbflow.messaging.connection import opened
from dbflow.messaging.embedded import EmbeddedBroker
from dbflow.messaging.link import Envelope, Link
from tests.waiting import wait_for

EXCHANGE = kombu.Exchange("x", type="direct", durable=True)


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with tempfile.TemporaryDirectory(prefix="dbflow-") as directory:
        made = EmbeddedBroker(pathlib.Path(directory) / "broker")
        made.start()
        yield made
        made.stop()


def test_bodies_are_not_decoded_by_the_codec_that_their_sender_names() -> None:
    channel, seen = Channel(mock.MagicMock(), 1), list[Any]()
    channel.callbacks["tag"] = seen.append
    channel.connection.client.connection_errors = (OSError,)
    channel.basic_qos = mock.Mock()
    receiving = Link("amqp://nowhere", [], lambda _: None, receipts=True)

    def deliver(timeout: float) -> None:
        message = amqp.Message(b"body-", content_encoding="punycode")
        payload = bytes(4) + dumps("sLbss", ("tag", 1, False, "x", "key"))
        channel.dispatch_method(spec.Basic.Deliver, payload, message)
        receiving._stopping.set()

    conn = mock.Mock(drain_events=deliver, supports_heartbeats=False)
    conn.transport.driver_type = "amqp"
    conn.channel.return_value = channel
    receiving._receive(conn)
    assert [message.body for message in seen] == [b"body-"]
    channel.basic_qos.assert_called_once_with(0, link.PREFETCH, False)


def test_receipts_are_few_and_for_all_that_was_taken() -> None:
    channel = mock.Mock()
    receipts = link._Receipts(channel)
    receipts.send()
    half = link.PREFETCH // 2
    for tag in range(1, half + 4):
        receipts.taken(mock.Mock(delivery_tag=tag))
    receipts.send()
    receipts.send()
    assert channel.basic_ack.mock_calls == [mock.call(half, multiple=True), mock.call(half + 3, multiple=True)]


def test_a_queue_that_expired_is_declared_again(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "DECLARED_FOR", 0.05)
    sending = Link(broker.url, [], lambda _: None)
    with opened(broker.url) as conn:
        producer = kombu.Producer(conn.channel())
        for expires in (1.0, 60.0):
            queue = kombu.Queue("q", EXCHANGE, routing_key="q", durable=True, expires=expires)
            wait_for(lambda: not _exists(conn.channel(), "q"), 5, "the queue to expire")
            sending._publish(producer, conn.channel(), Envelope(EXCHANGE, "q", {"n": expires}, "T", to=queue))
        assert queue(conn.channel()).get(no_ack=True).payload == {"n": 60.0}


def test_a_queue_is_not_declared_for_every_message(broker: EmbeddedBroker) -> None:
    queue, sending = mock.MagicMock(), Link(broker.url, [], lambda _: None)
    queue.name = "q"
    for _ in range(3):
        sending._publish(mock.Mock(), mock.Mock(), Envelope(EXCHANGE, "q", {}, "T", to=queue))
    assert queue.return_value.declare.call_count == 1


def _exists(channel: Any, name: str) -> bool:
    try:
        channel.queue_declare(name, passive=True)
    except ChannelError:
        return False
    return True
