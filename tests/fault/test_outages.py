# SPDX-License-Identifier: Apache-2.0
"""ZooKeeper, RabbitMQ and MariaDB go away in the middle of the work, and come back."""

from collections.abc import Iterator

import pytest

from tests.functional.stack import RealStack, mysql, new_password
from tests.functional.stack.fixtures import after_failure
from tests.servers import Server

LONGER = 180.0
"""Seconds until everything has found what came back."""


@pytest.fixture
def real(request: pytest.FixtureRequest, real_stack: RealStack) -> Iterator[RealStack]:
    yield real_stack
    for server in (real_stack.zookeeper, real_stack.rabbitmq, real_stack.mariadb):
        server.start()
    after_failure(request, real_stack)


def test_zookeeper_is_away(real: RealStack) -> None:
    """What is asked for meanwhile is accepted, and done later."""
    client = real.client()
    with real.nothing_left():
        real.zookeeper.stop()
        instance_id, create = client.create("patient")
        assert client.show(instance_id)["status"] == "BUILD"
        real.zookeeper.start()
        client.wait_operation(create, timeout=LONGER)
        client.wait_operation(client.delete(instance_id), timeout=LONGER)


@pytest.mark.parametrize("part", ["rabbitmq", "mariadb", "zookeeper"])
@pytest.mark.parametrize("step", ["create-server", "install-datastore"])
def test_away_in_the_middle_of_a_create(real: RealStack, part: str, step: str) -> None:
    client, password = real.client(), new_password()
    server: Server = getattr(real, part)
    with real.nothing_left():
        instance_id, create = client.create("shaken", users=[{"name": "u", "password": password}])
        client.wait_step(create, step)
        server.kill()
        server.start()
        client.wait_operation(create, timeout=LONGER)
        mysql(client.wait_status(instance_id, "ACTIVE"), "u", password).close()
        client.wait_operation(client.delete(instance_id), timeout=LONGER)
