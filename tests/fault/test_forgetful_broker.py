# SPDX-License-Identifier: Apache-2.0
"""RabbitMQ comes back without what it knew of a guest, or without knowing that it was deleted."""

import urllib.parse
import uuid

from tests.functional.stack import RealStack, new_password
from tests.functional.stack.real import REMOVED
from tests.servers import RabbitMQ
from tests.waiting import wait_for


def test_a_guest_that_the_broker_has_forgotten(real_stack: RealStack) -> None:
    """Its user and queue are made again, and it answers."""
    client, rabbitmq = real_stack.client(), real_stack.rabbitmq
    with real_stack.nothing_left():
        instance_id = client.created("forgotten")["id"]
        path = f"/instances/{instance_id}/databases"
        assert client.ask("GET", path) == {"databases": []}
        (queue,) = (one for one in rabbitmq.api("GET", "queues") if one["name"].endswith(instance_id))
        rabbitmq.api("DELETE", f"users/guest-{instance_id}")
        rabbitmq.api("DELETE", f"queues/{urllib.parse.quote(queue['vhost'], safe='')}/{queue['name']}")
        wait_for(lambda: client.raw("GET", path).status_code == 200, 60, "an answer of the guest")
        client.deleted(instance_id)


def test_a_guest_whose_deletion_the_broker_has_forgotten(real_stack: RealStack) -> None:
    """Its user and queue are removed again; those that were never dbflow's are not."""
    client, rabbitmq = real_stack.client(), real_stack.rabbitmq
    stranger = str(uuid.uuid4())
    deleted = client.created("remembered")["id"]
    client.deleted(deleted)
    rabbitmq.killed = True  # for all that the inventory knows; one in fifty kills has this effect
    empty = real_stack.settled_inventory()
    try:
        for instance_id in (stranger, deleted):
            user, queue = f"guest-{instance_id}", f"dbflow.guest.{instance_id}"
            rabbitmq.create_user(user, new_password())
            rabbitmq.grant(user, "/", read=f"^{queue}$")
            rabbitmq.api("PUT", f"queues/%2F/{queue}", {"durable": True})
        wait_for(lambda: _at_the_broker(rabbitmq, deleted) == [], 60, "an end of the guest that is deleted")
        wait_for(lambda: f"{REMOVED} instance {deleted}" in _words(real_stack), 60, "word of it in a log")
        assert len(_at_the_broker(rabbitmq, stranger)) == 2
    finally:
        rabbitmq.api("DELETE", f"users/guest-{stranger}")
        rabbitmq.api("DELETE", f"queues/%2F/dbflow.guest.{stranger}")
    real_stack.wait_inventory(empty)


def _words(stack: RealStack) -> str:
    return "".join(conductor.text() for conductor in stack.conductors)


def _at_the_broker(rabbitmq: RabbitMQ, instance_id: str) -> list[str]:
    names = [one["name"] for place in ("users", "queues") for one in rabbitmq.api("GET", place)]
    return [name for name in names if name.endswith(instance_id)]
