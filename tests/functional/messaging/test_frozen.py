# SPDX-License-Identifier: Apache-2.0
"""A RabbitMQ that keeps its connections and does nothing."""

import pytest

from dbflow.messaging.dispatcher import BEAT
from dbflow.messaging.errors import BrokerUnavailable, GuestUnreachable
from dbflow.messaging.layout import Layout
from dbflow.messaging.link import Link
from tests.guests.asking import TASKS, Field
from tests.servers import RabbitMQ
from tests.waiting import wait_for

QUICK_BEAT = 1.0


def test_a_link_finds_out(rabbitmq: RabbitMQ, amqp_url: str) -> None:
    """By beats that do not come, although nothing is sent; and connects again afterwards."""
    layout = Layout("beats")
    link = Link(amqp_url, [layout.asker("me")], lambda _: None, exchanges=[layout.down, layout.up], beat=QUICK_BEAT)
    link.start()
    try:
        assert link.wait_ready(30)
        rabbitmq.pause()
        try:
            wait_for(lambda: not link.ready, 30, "the end of the link")
        finally:
            rabbitmq.resume()
        assert link.wait_ready(60)
    finally:
        link.stop()


def test_a_call_is_given_up_soon(rabbitmq: RabbitMQ, rabbit_field: Field) -> None:
    """Before the dispatcher has found out, and after."""
    asker, guest = rabbit_field.dispatcher(take_call=1.0), rabbit_field.guest()
    assert rabbit_field.dispatcher().call(guest.instance_id, f"{TASKS}.Echo", {"text": "x"}, 60) == "x"
    rabbitmq.pause()
    try:
        with pytest.raises((GuestUnreachable, BrokerUnavailable)):
            asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "x"}, 20)
        wait_for(lambda: not asker.ready, 5 * BEAT, "the dispatcher to find out")
        with pytest.raises(BrokerUnavailable):
            asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "x"}, 20)
    finally:
        rabbitmq.resume()
    wait_for(lambda: asker.ready, 60, "the broker")
