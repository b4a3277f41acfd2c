# SPDX-License-Identifier: Apache-2.0
"""On RabbitMQ a guest needs no more than: write to the exchange *up*, read its own queue."""

import urllib.parse

import amqp
import pytest

from dbflow.messaging.connection import connection
from dbflow.messaging.layout import Layout
from tests.guests.asking import TASKS, Field
from tests.servers import RabbitMQ


def _vhost(url: str) -> str:
    return urllib.parse.unquote(urllib.parse.urlsplit(url).path.removeprefix("/"))


@pytest.fixture
def rabbit_field(amqp_url: str, tmp_path_factory: pytest.TempPathFactory) -> Field:
    return Field(tmp_path_factory.mktemp("field"), amqp_url)


def test_a_guest_works_with_the_narrowest_rights(rabbitmq: RabbitMQ, amqp_url: str, rabbit_field: Field) -> None:
    field, vhost = rabbit_field, _vhost(amqp_url)
    try:
        heard: list[str] = []
        asker = field.dispatcher(on_heartbeat=lambda instance_id, _body: heard.append(instance_id))
        other = field.guest(start=False)
        asker.declare_guest(other.instance_id)
        user = f"guest-{field.exchange}"
        rabbitmq.create_user(user, "pass word$1")
        field.url = rabbitmq.url_for(user, "pass word$1", vhost)
        guest = field.guest(start=False)
        rabbitmq.grant(
            user,
            vhost,
            configure="^$",
            write=f"^{field.exchange}\\.up$",
            read=f"^{field.exchange}\\.guest\\.{guest.instance_id}$",
        )
        asker.declare_guest(guest.instance_id)
        guest.start()
        assert asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "x"}, 20) == "x"
        assert heard
        assert "no link to the broker" not in guest.log
        layout = Layout(field.exchange)
        with connection(field.url) as conn:
            with pytest.raises(amqp.AccessRefused):
                conn.channel().basic_consume(layout.guest(other.instance_id).name, callback=print)
            with pytest.raises(amqp.AccessRefused):
                layout.guest(guest.instance_id)(conn.channel()).declare()
    finally:
        field.close()
