# SPDX-License-Identifier: Apache-2.0
"""Replicas through the API, with real servers."""

import functools
import pathlib
from typing import Any

import pymysql
import pytest
from pymysql.constants import ER

from tests.functional.stack import Client, EmbeddedStack, Stack, mysql, new_password, query
from tests.functional.stack.client import operation_of
from tests.functional.stack.death import age, die
from tests.sampler import TABLE, Sampler
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def password() -> str:
    return new_password()


def make_source(client: Client, password: str) -> str:
    """An instance with a table."""
    user = {"name": "u", "password": password, "databases": [{"name": "d"}]}
    source = client.created("source", databases=[{"name": "d"}], users=[user])
    with mysql(source, "u", password, "d") as connection:
        query(connection, "CREATE TABLE t (n INT PRIMARY KEY)")
        query(connection, "INSERT INTO t SELECT seq FROM seq_1_to_100")
        query(connection, TABLE)
    source_id: str = source["id"]
    return source_id


def ask_replicas(client: Client, source_id: str, count: int = 1) -> tuple[list[str], str]:
    """(ids of the replicas asked for, the operation)"""
    before = {one["id"] for one in client.ask("GET", "/instances")["instances"]}
    body = {"instance": {"name": "replica", "replica_of": source_id, "replica_count": count}}
    answer = client.raw("POST", "/instances", body)
    assert answer.status_code == 200, answer.text
    there = [one["id"] for one in client.ask("GET", "/instances")["instances"]]
    return [one for one in there if one not in before], operation_of(answer)


def make_replicas(client: Client, source_id: str, count: int = 1) -> list[str]:
    replicas, operation = ask_replicas(client, source_id, count)
    client.wait_operation(operation)
    for replica in replicas:
        client.wait_healthy(replica)
    return replicas


def rows(client: Client, instance_id: str, password: str) -> Any:
    with mysql(client.show(instance_id), "u", password, "d") as connection:
        return query(connection, "SELECT COUNT(*), MAX(n) FROM t")


def writable(client: Client, instance_id: str, password: str, number: int) -> bool:
    with mysql(client.show(instance_id), "u", password, "d") as connection:
        try:
            query(connection, f"INSERT INTO t VALUES ({number})")
        except pymysql.OperationalError as error:
            if error.args[0] != ER.OPTION_PREVENTS_STATEMENT:
                raise
            return False
        return True


def replicas_of(client: Client, instance_id: str) -> set[str]:
    return {one["id"] for one in client.show(instance_id).get("replicas", ())}


def sampler(client: Client, members: list[str], password: str) -> Sampler:
    """Of these instances."""
    doors = {
        one: functools.partial(mysql, client.show(one), "u", password, "d", read_timeout=1, ssl_disabled=True)
        for one in members
    }
    return Sampler(lambda: doors)


def lost(client: Client, instance_id: str, password: str, watch: Sampler) -> set[int]:
    """What was acknowledged, and is not there."""
    with mysql(client.show(instance_id), "u", password, "d") as connection:
        return set(watch.acknowledged) - {number for (number,) in query(connection, "SELECT n FROM samples")}


def test_the_life_of_a_set(stack: Stack, password: str) -> None:
    client = stack.client()
    with stack.nothing_left():
        source = make_source(client, password)
        first, second = make_replicas(client, source, 2)
        assert sorted(client.show(one)["name"] for one in (first, second)) == ["replica-1", "replica-2"]
        assert replicas_of(client, source) == {first, second}
        assert client.show(first)["replica_of"]["id"] == source
        assert client.ask("GET", "/backups")["backups"] == []
        assert stack.inventory()["objects"] == []
        assert writable(client, source, password, 101)
        for one in (first, second):
            assert not writable(client, one, password, 102)
            wait_for(lambda one=one: rows(client, one, password) == [(101, 101)], 30, "the new row")

        client.ask("DELETE", f"/instances/{source}", status=403)
        client.ask("POST", f"/instances/{first}/databases", {"databases": [{"name": "x"}]}, status=400)
        with sampler(client, [source, first, second], password) as watch:
            watch.wait_more(10)
            client.wait_operation(client.act(first, {"promote_to_replica_source": {}}))
            watch.wait_more(10)  # to the new source
        assert watch.violations == []
        assert replicas_of(client, first) == {source, second}
        assert "replica_of" not in client.show(first)
        assert client.show(source)["replica_of"]["id"] == first
        assert lost(client, first, password, watch) == set()
        assert not writable(client, source, password, 103)

        answer = client.raw("PUT", f"/instances/{second}", {"instance": {"replica_of": None}})
        assert answer.status_code == 202
        client.wait_operation(operation_of(answer))
        assert replicas_of(client, first) == {source}
        assert writable(client, second, password, 104)
        assert writable(client, first, password, 105)

        # The last replica goes, and nobody waits for it.
        client.deleted(source)
        assert writable(client, first, password, 106)
        client.deleted(first, second)


def test_replicas_that_can_not_be_made_leave_nothing(embedded_stack: Stack, password: str) -> None:
    stack = embedded_stack
    client = stack.client()
    with stack.nothing_left():
        source = make_source(client, password)
        with stack.faults.holding("guest.begin-replica-2.execute.before") as held:
            replicas, operation = ask_replicas(client, source, 2)
            held.reached()
            assert client.show(source)["status"] == "BACKUP"
            assert client.show(replicas[0])["status"] == "BUILD"
            assert writable(client, source, password, 101)
            client.do(operation, "cancel")
            # Nobody waits for the one that is held: its machine goes.
            client.wait_operation(operation, "REVERTED")
        assert {client.show(one)["status"] for one in replicas} == {"ERROR"}
        assert client.show(source)["status"] == "ACTIVE"
        assert "replicas" not in client.show(source)
        assert writable(client, source, password, 102)
        client.deleted(*replicas, source)


def test_a_dead_source_is_ejected(embedded_stack: Stack, password: str) -> None:
    """What was acknowledged is there, and the old source does not come back to be written to."""
    stack = embedded_stack
    client = stack.client()
    with stack.nothing_left():
        source = make_source(client, password)
        replicas = make_replicas(client, source, 3)
        assert len(replicas) == 3
        first = replicas[0]
        client.ask("POST", f"/instances/{first}/action", {"eject_replica_source": {}}, status=400)
        client.ask("POST", f"/instances/{source}/action", {"eject_replica_source": {}}, status=400)
        with sampler(client, [source, *replicas], password) as watch:
            watch.wait_more(50)
            die(stack, source)
            age(stack, source)
            client.wait_operation(client.act(source, {"eject_replica_source": {}}))
            watch.wait_more(10)  # to the new source
        assert watch.violations == []
        (new,) = (one for one in replicas if "replica_of" not in client.show(one))
        others = set(replicas) - {new}
        assert replicas_of(client, new) == others
        assert lost(client, new, password, watch) == set()
        shown = client.show(source)
        assert (shown["status"], "replica_of" in shown, "ejected" in shown["fault"]["message"]) == (
            "ERROR",
            False,
            True,
        )
        assert (stack.agent(source), stack.database_server(source)) == (None, None)
        for other in others:
            assert not writable(client, other, password, 1)
        client.deleted(source, *others)
        assert writable(client, new, password, 0)
        client.deleted(new)


def test_a_source_that_dies_while_it_is_backed_up_is_ejected(images: pathlib.Path, password: str) -> None:
    """The backup is broken off; what it sent is removed."""
    # Time enough for an agent to be started, and no more to wait for one that is dead.
    with EmbeddedStack(images, {"messaging": {"pending_timeout": 30}}) as stack, stack.nothing_left():
        client = stack.client()
        source = make_source(client, password)
        (replica,) = make_replicas(client, source)
        with stack.faults.holding("guest.stream.send") as held:
            backup, backing_up = client.back_up(source)
            held.reached()
            assert writable(client, source, password, 101)
            die(stack, source)
            age(stack, source)
            client.wait_operation(client.act(source, {"eject_replica_source": {}}))
        client.wait_operation(backing_up, "REVERTED")
        client.wait_backup(backup, "FAILED")
        assert client.show(source)["status"] == "ERROR"
        assert rows(client, replica, password) == [(101, 101)]
        assert writable(client, replica, password, 102)
        client.delete_backup(backup)
        client.deleted(source, replica)
