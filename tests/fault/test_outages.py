# SPDX-License-Identifier: Apache-2.0
"""ZooKeeper, RabbitMQ and MariaDB go away in the middle of the work, and come back."""

import contextlib
import time
from collections.abc import Iterator

import pytest
from kazoo.client import KazooClient

from dbflow.db.models import Operation
from tests.fault.persistent import Asked, Persistent, call
from tests.functional.stack import Client, RealStack, mysql, new_password
from tests.functional.stack.fixtures import after_failure
from tests.servers import Server
from tests.waiting import wait_for

LONGER = 180.0
"""Seconds until everything has found what came back."""
SOON = 15.0
"""Seconds within which even a machine with a lot to do has found out that a server says nothing."""


@pytest.fixture
def real(request: pytest.FixtureRequest, real_stack: RealStack) -> Iterator[RealStack]:
    wait_for(lambda: _all_answer(real_stack.client()), LONGER, "each process of the API to find its database again")
    yield real_stack
    for server in (real_stack.zookeeper, real_stack.rabbitmq, real_stack.mariadb):
        server.start()
        server.resume()
    after_failure(request, real_stack)


def _all_answer(client: Client) -> bool:
    """Whether the database is back for whoever takes a request: a process that missed it asks no more for a moment,
    and which process answers is chance."""
    return all(client.raw("GET", "/instances").status_code == 200 for _ in range(20))


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


def test_zookeeper_loses_its_data(real: RealStack) -> None:
    """Claims of its new life are newer than those of the old one all the same."""
    client = real.client()
    with real.nothing_left():
        with _zookeeper(real) as old:
            old.ensure_path("/busy")
            for _ in range(500):
                old.set("/busy", b"")
        with real.faults.holding("create-server.execute.called") as held:
            instance_id, create = client.create("lasting")
            held.reached()
            for service in real.services:
                service.stop()
            real.zookeeper.lose_data()
        real.start()
        client.wait_operation(create, timeout=LONGER)
        with contextlib.closing(real.database()) as database, database.read() as session:
            assert session.get_one(Operation, create).epoch >= 2**48
        client.wait_operation(client.delete(instance_id), timeout=LONGER)


@contextlib.contextmanager
def _zookeeper(real: RealStack) -> Iterator[KazooClient]:
    client = KazooClient(real.zookeeper.hosts)
    client.start()
    yield client
    client.stop()
    client.close()


@pytest.mark.parametrize("part", ["rabbitmq", "mariadb", "zookeeper"])
@pytest.mark.parametrize("point", ["create-server.execute.called", "guest.install-datastore.execute.before"])
def test_away_in_the_middle_of_a_create(real: RealStack, part: str, point: str) -> None:
    """The step goes on while the part is away."""
    client, password = real.client(), new_password()
    server: Server = getattr(real, part)
    with real.nothing_left():
        with real.faults.holding(point) as held:
            instance_id, create = client.create("shaken", users=[{"name": "u", "password": password}])
            held.reached()
            server.kill()
        server.start()
        _finish(client, instance_id, create, password)


def test_a_conductor_stops_while_zookeeper_is_away(real: RealStack) -> None:
    """Even while a call waits for it."""
    with real.nothing_left():
        one, *_ = real.conductors
        real.zookeeper.kill()
        assert one.stop() < 10.0  # 5 s and what a busy machine adds
        real.zookeeper.start()
        one.start()
        client = real.client()
        client.deleted(client.created("after")["id"])


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
        with real.faults.holding("guest.install-datastore.execute.before") as held:
            instance_id, create = client.create("shaken", users=[{"name": "u", "password": password}])
            held.reached()
            noticed = [conductor.text().count("put off") for conductor in real.conductors]
            real.mariadb.kill()
            for path in ("/instances", f"/instances/{instance_id}"):
                assert client.raw("GET", path).status_code == 503
            body = {"instance": {"name": "refused", "flavorRef": "1", "volume": {"size": 1}}}
            refused = client.raw("POST", "/instances", body)
            assert (refused.status_code, "Retry-After" in refused.headers) == (503, True)
            for conductor, before in zip(real.conductors, noticed, strict=True):
                wait_for(lambda c=conductor, b=before: c.text().count("put off") > b, 60, "a conductor that noticed")
        real.mariadb.start()
        _finish(client, instance_id, create, password)
        assert client.ask("GET", "/instances")["instances"] == []


def test_rabbitmq_is_away_when_a_guest_is_called(real: RealStack) -> None:
    """The user is told, and soon."""
    client = real.client()
    with real.nothing_left():
        instance_id = client.wait_healthy(client.created("mute")["id"])["id"]
        real.rabbitmq.kill()
        path = f"/instances/{instance_id}/databases"
        answer = client.raw("GET", path)
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
        real.rabbitmq.start()
        wait_for(lambda: client.raw("GET", path).status_code == 200, LONGER, "the guest's answer")
        client.wait_operation(client.delete(instance_id), timeout=LONGER)


@pytest.mark.parametrize("part", ["rabbitmq", "mariadb", "zookeeper"])
def test_frozen_in_the_middle_of_a_create(real: RealStack, part: str) -> None:
    """It keeps its connections and says nothing; the API still answers, and soon."""
    client, password = real.client(), new_password()
    server: Server = getattr(real, part)
    with real.nothing_left():
        with real.faults.holding("guest.install-datastore.execute.before") as held:
            instance_id, create = client.create("shaken", users=[{"name": "u", "password": password}])
            held.reached()
            server.pause()
            answers = [call(client, "list", "GET", "/instances")[0] for _ in range(2)]
            server.resume()
        assert {one.status for one in answers} == {503 if part == "mariadb" else 200}
        assert max(one.took for one in answers) < SOON
        _finish(client, instance_id, create, password)


def _finish(client: Client, instance_id: str, create: str, password: str) -> None:
    """The create succeeds and the database serves; then it is deleted. Right after MariaDB's return a request may yet
    be refused: ask again, as one is told to."""
    persistent, asked = Persistent(client), Asked(create, "create", time.monotonic())
    persistent.end(asked)
    assert asked.state == "SUCCESS", asked
    path = f"/instances/{instance_id}"
    shown = persistent.ask("show", "GET", path).json()["instance"]
    assert shown["status"] == "ACTIVE", shown
    mysql(shown, "u", password).close()
    persistent.must("delete", "DELETE", path)


def _states(client: Client, operation_id: str, state: str) -> set[str]:
    """Steps of an operation in that state."""
    return {step["name"] for step in client.operation(operation_id)["steps"] if step["state"] == state}
