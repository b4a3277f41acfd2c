# SPDX-License-Identifier: Apache-2.0
"""A message whose turn comes too late must not make a deleted guest's queue again."""

import threading
from unittest import mock

import pytest

from dbflow.messaging.layout import Layout
from dbflow.messaging.link import Envelope, Link
from tests.waiting import wait_for


@pytest.mark.parametrize("wanted", [True, False])
def test_only_what_is_wanted_is_declared_and_sent(wanted: bool) -> None:
    layout, producer, queue = Layout("x"), mock.Mock(), mock.MagicMock()
    queue.name = "x.guest.i"
    link = Link("amqp://nowhere", [], lambda _: None)
    link._publish(producer, mock.Mock(), Envelope(layout.down, "i", {}, "request", to=queue, wanted=lambda: wanted))
    assert queue.return_value.declare.called is wanted
    assert producer.publish.called is wanted


def test_who_deletes_a_queue_waits_for_what_is_on_its_way_there() -> None:
    declaring, go_on, conn, queue = threading.Event(), threading.Event(), mock.MagicMock(), mock.MagicMock()
    conn.supports_heartbeats = False
    queue.name = "x.guest.i"
    queue.return_value.declare.side_effect = lambda: declaring.set() or go_on.wait(20)
    wanted = {"first", "second"}
    link = Link("amqp://nowhere", [], lambda _: None)
    sender = threading.Thread(target=link._send, args=(conn,), daemon=True)
    sender.start()
    wait_for(link._sending.is_set, 10, "the sender")
    for name in sorted(wanted):
        assert link.send(Envelope(Layout("x").down, "i", {}, name, to=queue, wanted=lambda name=name: name in wanted))
    assert declaring.wait(10)
    wanted.clear()
    assert not link.settle(0.1)
    go_on.set()
    assert link.settle(10)
    link.forget(queue.name)  # whoever waited has deleted it
    link._outgoing.put(None)
    sender.join(10)
    assert queue.return_value.declare.call_count == 1
