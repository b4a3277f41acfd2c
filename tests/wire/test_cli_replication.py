# SPDX-License-Identifier: Apache-2.0
"""`openstack database instance …` of a source and its replicas, and what it does to the real servers."""

import pymysql
import pytest

from tests.functional.stack import Client, EmbeddedStack, mysql, new_password, query
from tests.functional.stack.death import age, die
from tests.waiting import wait_for
from tests.wire.cli import OpenStack, Refused


def says(member: Client, instance_id: str, password: str, statement: str) -> list[tuple[object, ...]]:
    with mysql(member.show(instance_id), "ann", password, "d") as connection:
        return list(query(connection, statement))


def wait_parts(member: Client, source: str, replicas: set[str]) -> None:
    """Until these are the replicas of that one, and everybody is well."""

    def settled() -> bool:
        shown = member.show(source)
        told = {one["id"] for one in shown.get("replicas", ())}
        return told == replicas and "replica_of" not in shown and shown["status"] == "ACTIVE"

    wait_for(settled, 120, f"{source} to be the source of {replicas}")
    for one in (source, *replicas):
        member.wait_healthy(one)


@pytest.mark.commands("database instance promote", "database instance detach", "database instance eject")
def test_a_set(server: EmbeddedStack, openstack: OpenStack, member: Client) -> None:
    before, password = server.settled_inventory(), new_password()
    made = openstack.table(
        "database instance create origin --flavor db.tiny --size 1 --databases d --users", f"ann:{password}"
    )
    origin = member.wait_healthy(made["id"])["id"]
    says(member, origin, password, "CREATE TABLE t (n INT)")

    made = openstack.table("database instance create twin --replica-of origin --replica-count 2")
    assert (made["name"], made["status"], made["replica_of"]) == ("twin-1", "BUILD", origin)
    names = {row["Name"]: row["ID"] for row in openstack.table("database instance list")}
    one, two = names["twin-1"], names["twin-2"]
    wait_parts(member, origin, {one, two})
    roles = {row["Name"]: row["Role"] for row in openstack.table("database instance list")}
    assert {name: roles[name] for name in ("origin", "twin-1", "twin-2")} == {
        "origin": "primary",
        "twin-1": "replica",
        "twin-2": "replica",
    }
    assert set(openstack.table("database instance show origin")["replicas"].split(", ")) == {one, two}
    with pytest.raises(Refused, match="HTTP 403"):
        openstack("database instance delete origin")
    with pytest.raises(Refused, match="HTTP 401"):
        openstack("database instance create third --replica-of twin-1")
    with pytest.raises(Refused, match=r"is heard.*HTTP 400"):
        openstack("database instance eject origin")

    says(member, origin, password, "INSERT INTO t VALUES (1)")
    openstack("database instance promote twin-1")
    wait_parts(member, one, {origin, two})
    assert says(member, one, password, "SELECT n FROM t") == [(1,)]
    says(member, one, password, "INSERT INTO t VALUES (2)")
    with pytest.raises(pymysql.OperationalError, match="read-only"):
        says(member, origin, password, "INSERT INTO t VALUES (3)")

    openstack("database instance detach twin-2")
    wait_parts(member, one, {origin})
    wait_parts(member, two, set())
    says(member, two, password, "INSERT INTO t VALUES (4)")

    openstack("database instance resize volume twin-1", 2)
    wait_for(lambda: {member.show(each)["volume"]["size"] for each in (one, origin)} == {2}, 60, "larger volumes")
    wait_parts(member, one, {origin})

    die(server, one)
    age(server, one)
    openstack("database instance eject twin-1")
    wait_parts(member, origin, set())
    assert says(member, origin, password, "SELECT n FROM t ORDER BY n") == [(1,), (2,)]
    says(member, origin, password, "INSERT INTO t VALUES (5)")
    assert openstack.table("database instance show twin-1")["status"] == "ERROR"
    assert says(member, two, password, "SELECT MAX(n) FROM t") == [(4,)]

    for name in ("origin", "twin-1", "twin-2"):
        openstack("database instance delete", name)
    server.wait_inventory(before)
