# SPDX-License-Identifier: Apache-2.0
"""A machine goes to another host, with its data, its address and its replicas."""

import pathlib
from typing import Any

import pymysql
import pytest

from tests.functional.stack import Client, Stack, mysql, new_password, operation_of, query
from tests.functional.test_replication import make_replicas, make_source, rows
from tests.waiting import wait_for


def host(stack: Stack, instance_id: str) -> str:
    """As administrators see it; its disk must be there and nowhere else."""
    server = stack.admin().ask("GET", f"/mgmt/instances/{instance_id}")["instance"]["server"]
    name: str = server["host"]
    assert [path.parent.name for path in stack.cloud.glob(f"hosts/*/{instance_id}")] == [name]
    return name


def log_of_agent(stack: Stack, instance_id: str) -> pathlib.Path:
    """What the agent that lives now writes to."""
    agent = stack.agent(instance_id)
    assert agent is not None
    return pathlib.Path(f"/proc/{agent.pid}/fd/2").resolve()


def migrate(stack: Stack, instance_id: str, **where: Any) -> str:
    answer = stack.admin().raw("POST", f"/mgmt/instances/{instance_id}/action", {"migrate": where})
    assert answer.status_code == 202, answer.text
    return operation_of(answer)


def insert(client: Client, instance_id: str, password: str, number: int) -> None:
    with mysql(client.show(instance_id), "u", password, "d") as connection:
        query(connection, f"INSERT INTO t VALUES ({number})")


def test_a_source_moves_and_its_replica_follows(stack: Stack) -> None:
    client, password = stack.client(), new_password()
    with stack.nothing_left():
        source = make_source(client, password)
        (replica,) = make_replicas(client, source)
        before, address = host(stack, source), client.show(source)["ip"]
        other = {"one": "two", "two": "one"}[before]
        # While no database runs: the machine is there, and nobody writes anywhere.
        with stack.faults.holding("guest.start-datastore.execute.before") as held:
            operation_id = migrate(stack, source, host=other)
            held.reached()
            assert client.show(source)["status"] == "ACTIVE"
            assert client.operation(operation_id)["kind"] == "instance.migrate"
            assert (host(stack, source), stack.database_server(source)) == (other, None)
            assert log_of_agent(stack, source).parent == stack.cloud / "hosts" / other / source
            refused = client.raw("POST", f"/instances/{source}/action", {"restart": {}})
            assert refused.status_code == 422, refused.text
            with mysql(client.show(replica), "u", password, "d") as connection:
                assert query(connection, "SELECT @@GLOBAL.read_only") == [(1,)]
                with pytest.raises(pymysql.Error, match="read-only"):
                    query(connection, "INSERT INTO t VALUES (900)")
        client.wait_operation(operation_id)
        assert client.wait_healthy(source)["ip"] == address
        assert "fault" not in client.show(source)

        insert(client, source, password, 101)
        wait_for(lambda: rows(client, replica, password) == [(101, 101)], 60, "the replica to go on")
        assert rows(client, source, password) == [(101, 101)]

        # Its replica moves too, to wherever the cloud has room for it.
        at = host(stack, replica)
        client.wait_operation(migrate(stack, replica))
        client.wait_healthy(replica)
        assert host(stack, replica) != at
        insert(client, source, password, 102)
        wait_for(lambda: rows(client, replica, password) == [(102, 102)], 60, "the replica that moved to go on")
        client.deleted(replica)
        client.deleted(source)


def test_a_failure_brings_it_back(stack: Stack) -> None:
    """After the last thing that could fail: the machine runs on the other host by then."""
    client, password = stack.client(), new_password()
    with stack.nothing_left():
        instance_id = make_source(client, password)
        before = host(stack, instance_id)
        stack.faults.arm("record-health.execute.called", "raise")
        client.wait_operation(migrate(stack, instance_id), "REVERTED")
        assert host(stack, instance_id) == before
        shown = client.wait_healthy(instance_id)
        assert "Migrating the instance failed" in shown["fault"]["message"]
        assert rows(client, instance_id, password) == [(100, 100)]

        # The next one is another matter, and nothing is left of the fault.
        client.wait_operation(migrate(stack, instance_id))
        assert host(stack, instance_id) != before
        assert "fault" not in client.wait_healthy(instance_id)
        client.deleted(instance_id)
