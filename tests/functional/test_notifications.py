# SPDX-License-Identifier: Apache-2.0
"""What a consumer of RabbitMQ hears, while the broker and conductors come and go."""

import contextlib
import json
import pathlib
import queue
from collections.abc import Iterator
from typing import Any

import kombu
import pytest
import sqlalchemy as sa

from dbflow.db.models import Notification
from tests.functional.stack import RealStack, new_password
from tests.functional.stack.client import PATIENCE
from tests.functional.stack.fixtures import after_failure
from tests.servers import RabbitMQ
from tests.waiting import wait_for

MARIADB = "7a4f82cc-10d2-4bc6-aadc-d9aacc2a3cb5"


class Listener:
    """A consumer of ``notifications.info``, bound as oslo.messaging's own are; it remembers all that it heard."""

    def __init__(self, rabbitmq: RabbitMQ) -> None:
        self._rabbitmq = rabbitmq
        self.heard: list[dict[str, Any]] = []

    def listen(self) -> None:
        """What has come since."""
        exchange = kombu.Exchange("openstack", type="topic", durable=True)
        name = "notifications.info"
        with kombu.Connection(self._rabbitmq.url()) as connection:
            waiting = connection.SimpleQueue(kombu.Queue(name, exchange, routing_key=name, durable=True))
            while True:
                try:
                    message = waiting.get_nowait()
                except queue.Empty:
                    return
                self.heard.append(json.loads(message.payload["oslo.message"]))
                message.ack()

    def firsts(self, instance_id: str) -> list[dict[str, Any]]:
        """Of one instance, in order, each once."""
        known: dict[str, dict[str, Any]] = {}
        for message in self.heard:
            known.setdefault(message["message_id"], message)
        return [one for one in known.values() if one["payload"].get("instance_id") == instance_id]

    def until(self, instance_id: str, event_type: str) -> list[dict[str, Any]]:
        """Until it has heard that of an instance: all of that instance."""

        def heard() -> bool:
            self.listen()
            return any(one["event_type"] == event_type for one in self.firsts(instance_id))

        wait_for(heard, PATIENCE, event_type)
        return self.firsts(instance_id)


@pytest.fixture(scope="module")
def started(images: pathlib.Path) -> Iterator[RealStack]:
    stack = RealStack(images)
    url = stack.rabbitmq.url().replace("amqp://", "rabbit://").replace("%2F", "/")
    stack.set("oslo_messaging_notifications", driver="messagingv2", transport_url=url)
    stack.set("oslo_messaging_rabbit", amqp_durable_queues=True)
    with stack:
        yield stack


@pytest.fixture
def telling(request: pytest.FixtureRequest, started: RealStack) -> Iterator[RealStack]:
    """A stack with notifications."""
    yield started
    after_failure(request, started)
    started.faults.clear()
    started.start()


def _types(messages: list[dict[str, Any]]) -> list[str]:
    return [one["event_type"].removeprefix("dbaas.").removeprefix("trove.") for one in messages]


def test_an_instance_is_told_of_though_the_broker_was_away(telling: RealStack) -> None:
    client, listener, password = telling.client(), Listener(telling.rabbitmq), new_password()
    user = {"name": "app", "password": password, "databases": [{"name": "shop"}]}
    instance_id = client.created("told", databases=[{"name": "shop"}], users=[user])["id"]
    create = listener.until(instance_id, "dbaas.instance_create.end")
    assert _types(create) == ["instance.create", "instance_create.end"]
    usage, ended = (one["payload"] for one in create)
    assert {one["publisher_id"].partition(".")[0] for one in create} == {"taskmanager"}
    wanted = {"state": "active", "instance_type_id": "1", "instance_size": 256, "service_id": MARIADB, "volume_size": 1}
    assert wanted.items() <= usage.items()
    assert usage["nova_instance_id"]
    assert (ended["tenant_id"], ended["client_ip"], ended["name"]) == (client.project, "127.0.0.1", "told")
    (started,) = (one for one in listener.heard if one["event_type"] == "dbaas.instance_create.start")
    assert started["payload"]["request_id"] == ended["request_id"] == started["_context_request_id"]
    assert started["publisher_id"].startswith("api.")

    client.wait_healthy(instance_id)
    resize = client.act(instance_id, {"resize": {"flavorRef": "2"}})
    client.wait_operation(resize)
    telling.rabbitmq.stop()
    delete = client.delete(instance_id)
    telling.rabbitmq.start()
    client.wait_operation(delete)
    every = listener.until(instance_id, "dbaas.instance_delete.end")
    assert _types(every) == [
        "instance.create",
        "instance_create.end",
        "instance_resize_instance.start",
        "instance.modify_flavor",
        "instance_resize_instance.end",
        "instance_delete.start",
        "instance.delete",
        "instance_delete.end",
    ]
    modified, deleted = every[3]["payload"], every[6]["payload"]
    assert (modified["old_instance_size"], modified["instance_size"], modified["instance_type_id"]) == (256, 512, "2")
    assert deleted["deleted_at"] >= deleted["created_at"]
    assert password not in json.dumps(listener.heard)
    _nothing_waits(telling)


@pytest.mark.parametrize("point", ["notification.kept", "notification.sent"])
def test_who_sends_is_killed(telling: RealStack, point: str) -> None:
    """Between the commit and the sending, and between the sending and the forgetting."""
    client, listener = telling.client(), Listener(telling.rabbitmq)
    instance_id = client.created("told")["id"]
    listener.until(instance_id, "dbaas.instance_create.end")
    _nothing_waits(telling)
    telling.faults.arm(point, "kill")
    client.wait_operation(client.delete(instance_id))
    telling.bury(point)
    telling.start()
    every = listener.until(instance_id, "dbaas.instance_delete.end")
    assert _types(every)[2:] == ["instance_delete.start", "instance.delete", "instance_delete.end"]
    _nothing_waits(telling)
    listener.listen()
    ids = [one["message_id"] for one in listener.heard]
    assert len(ids) - len(set(ids)) == (1 if point == "notification.sent" else 0)


def _nothing_waits(stack: RealStack) -> None:
    def empty() -> bool:
        with contextlib.closing(stack.database()) as database, database.read() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(Notification)) == 0

    wait_for(empty, PATIENCE, "an empty outbox")
