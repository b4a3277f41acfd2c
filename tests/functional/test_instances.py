# SPDX-License-Identifier: Apache-2.0
"""The life of a database: made, used, changed, removed; on both sets of parts, with real servers."""

from tests.functional.stack import Stack, mysql, new_password, query

SHOP = [{"name": "shop", "character_set": "utf8mb4"}, {"name": "log"}]


def test_a_database_lives(stack: Stack) -> None:
    client, password = stack.client(), new_password("'\"\\`$%ä")
    user = {"name": "app", "password": password, "databases": [{"name": "shop"}]}
    with stack.nothing_left():
        instance = client.created("life", databases=SHOP, users=[user])
        instance_id = instance["id"]
        with mysql(instance, "app", password, "shop") as connection:
            query(connection, "CREATE TABLE note (text VARCHAR(99))")
            query(connection, "INSERT INTO note VALUES ('kept')")
            ((small,),) = query(connection, "SELECT @@innodb_buffer_pool_size")

        client.wait_operation(client.act(instance_id, {"restart": {}}))
        assert client.show(instance_id)["status"] == "ACTIVE"
        with mysql(instance, "app", password, "shop") as connection:
            assert query(connection, "SELECT text FROM note") == [("kept",)]

        client.wait_operation(client.act(instance_id, {"resize": {"flavorRef": "3"}}))
        resized = client.show(instance_id)
        assert (resized["status"], resized["flavor"]["id"], resized["ip"]) == ("ACTIVE", "3", instance["ip"])
        with mysql(instance, "app", password, "shop") as connection:
            ((large,),) = query(connection, "SELECT @@innodb_buffer_pool_size")
            assert large > small
            assert query(connection, "SELECT text FROM note") == [("kept",)]

        client.wait_operation(client.act(instance_id, {"resize": {"volume": {"size": 2}}}))
        assert client.show(instance_id)["volume"]["size"] == 2
        assert client.wait_healthy(instance_id)["volume"]["size"] == 2

        client.deleted(instance_id)


def test_restart_restarts_the_server(stack: Stack) -> None:
    client = stack.client()
    with stack.nothing_left():
        instance_id = client.created("again")["id"]
        before = stack.database_server(instance_id)
        client.wait_operation(client.act(instance_id, {"restart": {}}))
        after = stack.database_server(instance_id)
        assert before is not None
        assert after is not None
        assert before.pid != after.pid
        client.deleted(instance_id)


def test_sdk(stack: Stack) -> None:
    """openstacksdk as it comes."""
    client = stack.client()
    with stack.nothing_left(), client.sdk() as sdk:
        made = sdk.database.create_instance(name="sdk", flavor="1", volume={"size": 1})
        client.wait_status(made.id, "ACTIVE")
        assert [one.name for one in sdk.database.instances()] == ["sdk"]
        sdk.database.create_database(made.id, name="of_sdk")
        assert [one.name for one in sdk.database.databases(made.id)] == ["of_sdk"]
        client.deleted(made.id)
        assert list(sdk.database.instances()) == []
