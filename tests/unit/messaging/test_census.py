# SPDX-License-Identifier: Apache-2.0
"""What a broker can't list is not listed, and one that does not answer is away; RabbitMQ's own is in tests/fault."""

import types
from typing import Any

import pytest

from dbflow.messaging.census import Census
from dbflow.messaging.errors import BrokerUnavailable


class Nobody:
    def delete_guest(self, instance_id: str) -> None:
        raise AssertionError(instance_id)


def _census(url: str, management_url: str | None) -> Census:
    options: Any = types.SimpleNamespace(url=url, exchange="dbflow", management_url=management_url)
    return Census(options, Nobody())


@pytest.mark.parametrize(
    ("url", "management_url"),
    [
        ("amqp://u:p@127.0.0.1:1//", None),
        ("dbflow+unix:///nowhere/broker", None),
        ("dbflow+unix:///nowhere/broker", "http://u:p@127.0.0.1:1"),
    ],
)
def test_nothing_is_listed(url: str, management_url: str | None) -> None:
    assert _census(url, management_url).guests() == set()


def test_one_that_does_not_answer_is_away_and_no_password_is_told() -> None:
    with pytest.raises(BrokerUnavailable) as caught:
        _census("amqp://u:p@127.0.0.1:1//", "http://admin:hunter2@127.0.0.1:1").guests()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("read", "ours"),
    [
        (r"^dbflow\.guest\.i1$", True),
        (r"^other\.guest\.i1$", False),
        (r"^dbflow\.guest\.i2$", False),
        (".*", True),
    ],
)
def test_guests_of_other_deployments_are_none_of_ours(read: str, ours: bool) -> None:
    assert _census("amqp://u:p@127.0.0.1:1//", None)._is_ours(read, "i1") is ours
