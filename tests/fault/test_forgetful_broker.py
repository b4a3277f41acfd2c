# SPDX-License-Identifier: Apache-2.0
"""RabbitMQ comes back without what it knew of a guest."""

import urllib.parse

from tests.functional.stack import RealStack
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
