# SPDX-License-Identifier: Apache-2.0
"""Instances to back up, and whether what was made of their backups is the same."""

from typing import Any

from tests.functional.stack import Client, mysql, query


def make(client: Client, password: str, name: str = "source", *, large: int = 0) -> str:
    """An instance with a user and some rows; ``large``: KiB more, which no compression makes smaller."""
    user = {"name": "u", "password": password, "databases": [{"name": "d"}]}
    instance = client.created(name, databases=[{"name": "d"}], users=[user])
    with mysql(instance, "u", password, "d") as connection:
        query(connection, "CREATE TABLE t (n INT PRIMARY KEY, filler TEXT)")
        query(connection, "CREATE TABLE large (b BLOB)")
        if large:
            query(connection, f"INSERT INTO large SELECT random_bytes(1024) FROM seq_1_to_{large}")
    add(client, instance["id"], password, 1)
    instance_id: str = instance["id"]
    return instance_id


def add(client: Client, instance_id: str, password: str, number: int) -> None:
    """More rows."""
    with mysql(client.show(instance_id), "u", password, "d") as connection:
        query(connection, f"INSERT INTO t SELECT {number} * 1000 + seq, repeat(uuid(), 20) FROM seq_1_to_500")


def checksum(client: Client, instance_id: str, password: str) -> Any:
    """Of all that it has."""
    with mysql(client.show(instance_id), "u", password, "d") as connection:
        return query(connection, "SELECT count(*), max(n) FROM t"), query(
            connection, "CHECKSUM TABLE t, large EXTENDED"
        )


def backed_up(client: Client, instance_id: str, name: str = "backup", **more: Any) -> str:
    """A backup of it: its id."""
    backup_id, operation = client.back_up(instance_id, name, **more)
    client.wait_operation(operation)
    client.wait_backup(backup_id)
    return backup_id


def restored(client: Client, backup_id: str, name: str = "restored") -> str:
    """An instance made of a backup: its id."""
    instance_id: str = client.created(name, restorePoint={"backupRef": backup_id})["id"]
    client.wait_healthy(instance_id)
    return instance_id
