# SPDX-License-Identifier: Apache-2.0
"""Guests' users at a real RabbitMQ, made through its management API."""

import pathlib

import pytest

from dbflow.crypto import broker_password, new_message_key
from dbflow.messaging.connection import opened
from dbflow.messaging.errors import BrokerUnavailable, GuestUnreachable
from dbflow.messaging.layout import Layout
from dbflow.messaging.logins import RabbitLogins, SharedLogin, logins
from tests.guests.asking import EXCHANGE, PATIENCE, TASKS, Field
from tests.servers import RabbitMQ
from tests.servers.ports import free_ports
from tests.waiting import wait_for


def _user(rabbitmq: RabbitMQ, instance_id: str) -> bool:
    return any(user["name"] == f"guest-{instance_id}" for user in rabbitmq.api("GET", "users"))


def test_a_user_comes_and_goes(rabbitmq: RabbitMQ, rabbit_field: Field) -> None:
    asker, guest = rabbit_field.dispatcher(), rabbit_field.guest()
    assert asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "x"}, PATIENCE) == "x"
    asker.declare_guest(guest.instance_id)
    assert asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "again"}, PATIENCE) == "again"
    (rights,) = rabbitmq.api("GET", f"users/guest-{guest.instance_id}/permissions")
    layout = Layout(rabbit_field.exchange)
    assert {name: rights[name].replace("\\", "") for name in ("configure", "write", "read")} == {
        "configure": "^$",
        "write": f"^{layout.up.name}$",
        "read": f"^{layout.guest(guest.instance_id).name}$",
    }
    with opened(rabbit_field.url_of(guest.instance_id)) as conn:
        channel = conn.channel()
        asker.delete_guest(guest.instance_id)
        asker.delete_guest(guest.instance_id)
        assert not _user(rabbitmq, guest.instance_id)
        with pytest.raises((*conn.connection_errors, *conn.channel_errors)) as caught:
            wait_for(
                lambda: channel.queue_declare(layout.guest(guest.instance_id).name, passive=True), PATIENCE, "the end"
            )
        assert not isinstance(caught.value, TimeoutError), "its connections are closed"


def test_the_management_api_away_is_no_error_of_the_guest(rabbitmq: RabbitMQ, amqp_url: str) -> None:
    (port,) = free_ports(1)
    password = rabbitmq.password
    for url in (f"http://dbflow:{password}@127.0.0.1:{port}", rabbitmq.management_url.replace(password, "wrong")):
        made, key = RabbitLogins(amqp_url, EXCHANGE, url), new_message_key()
        for attempt in (lambda made=made, key=key: made.open("i", key), lambda made=made: made.close("i")):
            with pytest.raises(BrokerUnavailable) as caught:
                attempt()
            told = f"{caught.value!r} {caught.value.__cause__!r}"
            assert "management API" in told
            assert password not in told
            assert "wrong" not in told
            assert broker_password(key) not in told


def test_which_logins_there_are(amqp_url: str, tmp_path: pathlib.Path) -> None:
    assert not logins(amqp_url, EXCHANGE, None).named
    assert SharedLogin(amqp_url).url("i", new_message_key()) == amqp_url
    key = new_message_key()
    several = RabbitLogins("amqp://a:b@h1:5672/v;amqp://a:b@h2:5672/v", EXCHANGE, "http://a:b@h:1").url("i", key)
    password = broker_password(key)
    assert several == f"amqp://guest-i:{password}@h1:5672/v;amqp://guest-i:{password}@h2:5672/v"
    embedded = logins(f"dbflow+unix://control:secret@{tmp_path}/s", EXCHANGE, None)
    assert embedded.url("i", key) == f"dbflow+unix://guest-i:{password}@{tmp_path}/s"


def test_who_is_cut_off_is_let_back(rabbitmq: RabbitMQ, rabbit_field: Field) -> None:
    asker, guest, other = rabbit_field.dispatcher(), rabbit_field.guest(), rabbit_field.guest()
    for each in (guest, other):
        assert asker.call(each.instance_id, f"{TASKS}.Echo", {"text": "x"}, PATIENCE) == "x"
    users = RabbitLogins(asker._url, rabbit_field.exchange, rabbitmq.management_url)
    assert users.let_back() == []
    users.cut_off(guest.instance_id)
    users.cut_off(guest.instance_id)
    with pytest.raises(GuestUnreachable):
        asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "cut"}, 3)
    assert asker.call(other.instance_id, f"{TASKS}.Echo", {"text": "y"}, PATIENCE) == "y"
    assert users.let_back() == [guest.instance_id]
    assert users.let_back() == []
    assert asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "back"}, PATIENCE) == "back"
