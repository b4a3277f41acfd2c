# SPDX-License-Identifier: Apache-2.0
"""RabbitMQ refuses one guest's queue: of a copy it has another than is wanted, or the queue's node is down."""

import logging

import pytest

from dbflow.messaging.connection import opened
from dbflow.messaging.errors import BrokerUnavailable
from dbflow.messaging.layout import Layout
from tests.guests.asking import EXCHANGE, PATIENCE, TASKS, Field, request
from tests.waiting import wait_for


def test_others_are_asked_as_ever(rabbit_field: Field, caplog: pytest.LogCaptureFixture) -> None:
    """And it is asked too, as soon as there is a queue for it."""
    caplog.set_level(logging.WARNING)
    refused, other, asker = rabbit_field.guest(start=False), rabbit_field.guest(), rabbit_field.dispatcher()
    name = Layout(EXCHANGE).guest(refused.instance_id).name
    with opened(rabbit_field.url) as conn, conn.channel() as channel:
        channel.queue_declare(name, durable=True, auto_delete=False)
        with pytest.raises(BrokerUnavailable, match="PreconditionFailed"):
            asker.declare_guest(refused.instance_id)
        future = asker.submit(request(refused.instance_id, "Write", path=str(rabbit_field.root / "f"), word="one"))
        wait_for(lambda: caplog.text.count(f"no queue {name}") > 1, PATIENCE, "two tries to make it")
        assert asker.call(other.instance_id, f"{TASKS}.Echo", {"text": "hear"}, PATIENCE) == "hear"
        assert "no link" not in caplog.text
        channel.queue_delete(name)
    refused.start()
    assert future.result(PATIENCE) == "one"


def test_an_exchange_that_is_gone(rabbit_field: Field, caplog: pytest.LogCaptureFixture) -> None:
    """It comes, with what it was bound to, by a new connection, whichever channel hears that it was missed."""
    caplog.set_level(logging.WARNING)
    one, other, asker = rabbit_field.guest(), rabbit_field.guest(), rabbit_field.dispatcher()
    assert asker.call(one.instance_id, f"{TASKS}.Echo", {"text": "hear"}, PATIENCE) == "hear"
    with opened(rabbit_field.url) as conn, conn.channel() as channel:
        channel.exchange_delete(Layout(EXCHANGE).down.name)
    asked = [
        asker.submit(request(guest.instance_id, "Write", path=str(rabbit_field.root / word), word=word))
        for guest, word in ((one, "known"), (other, "new"))
    ]
    assert [future.result(PATIENCE) for future in asked] == ["known", "new"]
    wait_for(lambda: "no link to the broker: NotFound" in caplog.text, PATIENCE, "another connection")
    assert "no queue" not in caplog.text
