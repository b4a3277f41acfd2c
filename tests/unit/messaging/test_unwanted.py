# SPDX-License-Identifier: Apache-2.0
"""A message whose turn comes too late must not make a deleted guest's queue again."""

from unittest import mock

import pytest

from dbflow.messaging.layout import Layout
from dbflow.messaging.link import Envelope, Link


@pytest.mark.parametrize("wanted", [True, False])
def test_only_what_is_wanted_is_declared_and_sent(wanted: bool) -> None:
    layout, producer, queue = Layout("x"), mock.Mock(), mock.MagicMock()
    queue.name = "x.guest.i"
    link = Link("amqp://nowhere", [], lambda _: None)
    link._publish(producer, Envelope(layout.down, "i", {}, "request", to=queue, wanted=lambda: wanted))
    assert queue.return_value.declare.called is wanted
    assert producer.publish.called is wanted
