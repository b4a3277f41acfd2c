# SPDX-License-Identifier: Apache-2.0
"""ZooKeeper, RabbitMQ and MariaDB go away in the middle of the work, and come back."""

from collections.abc import Iterator

import pytest

from tests.functional.stack import Client, RealStack, mysql, new_password
from tests.functional.stack.fixtures import after_failure
from tests.servers import Server
from tests.waiting import wait_for

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


def test_rabbitmq_is_away_when_a_create_begins(real: RealStack) -> None:
    """Steps that need it wait for it; nothing is undone."""
    client, password = real.client(), new_password()
    with real.nothing_left():
        real.rabbitmq.kill()
        instance_id, create = client.create("waiting", users=[{"name": "u", "password": password}])
        client.wait_step(create, "create-port", "SUCCESS")
        wait_for(lambda: "open-channel" in _states(client, create, "RUNNING"), 60, "the step that needs the broker")
        real.rabbitmq.start()
        client.wait_operation(create, timeout=LONGER)
        mysql(client.show(instance_id), "u", password).close()
        client.wait_operation(client.delete(instance_id), timeout=LONGER)


def test_rabbitmq_is_away_when_a_delete_begins(real: RealStack) -> None:
    client = real.client()
    with real.nothing_left():
        instance_id = client.created("waiting")["id"]
        real.rabbitmq.kill()
        delete = client.delete(instance_id)
        wait_for(lambda: "close-channel" in _states(client, delete, "RUNNING"), 60, "the step that needs the broker")
        real.rabbitmq.start()
        client.wait_operation(delete, timeout=LONGER)


def test_mariadb_is_away_until_everybody_has_noticed(real: RealStack) -> None:
    client, password = real.client(), new_password()
    with real.nothing_left():
        instance_id, create = client.create("shaken", users=[{"name": "u", "password": password}])
        client.wait_step(create, "install-datastore")
        noticed = [conductor.text().count("put off") for conductor in real.conductors]
        real.mariadb.kill()
        for path in ("/instances", f"/instances/{instance_id}"):
            assert client.raw("GET", path).status_code == 503
        body = {"instance": {"name": "refused", "flavorRef": "1", "volume": {"size": 1}}}
        assert client.raw("POST", "/instances", body).status_code == 503
        for conductor, before in zip(real.conductors, noticed, strict=True):
            wait_for(lambda c=conductor, b=before: c.text().count("put off") > b, 60, "a conductor that has noticed")
        real.mariadb.start()
        client.wait_operation(create, timeout=LONGER)
        mysql(client.show(instance_id), "u", password).close()
        assert [one["name"] for one in client.ask("GET", "/instances")["instances"]] == ["shaken"]
        client.wait_operation(client.delete(instance_id), timeout=LONGER)


def _states(client: Client, operation_id: str, state: str) -> set[str]:
    """Steps of an operation in that state."""
    return {step["name"] for step in client.operation(operation_id)["steps"] if step["state"] == state}
