# SPDX-License-Identifier: Apache-2.0
"""Guest agents and database servers that are killed."""

from typing import Any

import pymysql

from tests.functional.stack import Stack, mysql, new_password, query
from tests.waiting import wait_for

USER = "u"


def test_agent_killed_in_the_middle_of_an_install(stack: Stack) -> None:
    """It is started again, and the create goes on."""
    client, password = stack.client(), new_password()
    with stack.nothing_left():
        with stack.faults.holding("guest.install-datastore.execute.before") as held:
            instance_id, create = client.create("agentless", users=[{"name": USER, "password": password}])
            held.reached()
            agent = stack.agent(instance_id)
            assert agent is not None
            agent.kill()
        client.wait_operation(create)
        mysql(client.wait_status(instance_id, "ACTIVE"), USER, password).close()
        client.deleted(instance_id)


def test_agent_killed_while_idle(stack: Stack) -> None:
    client, password = stack.client(), new_password()
    with stack.nothing_left():
        instance = client.created("agentless", users=[{"name": USER, "password": password}])
        agent, server = stack.agent(instance["id"]), stack.database_server(instance["id"])
        assert agent is not None
        agent.kill()
        mysql(instance, USER, password).close()
        wait_for(lambda: stack.agent(instance["id"]) not in (None, agent), 60, "another agent")
        client.wait_operation(client.act(instance["id"], {"restart": {}}))
        assert server != stack.database_server(instance["id"])
        mysql(instance, USER, password).close()
        client.deleted(instance["id"])


def test_database_server_killed(stack: Stack) -> None:
    """Its agent brings it up again, with its data."""
    client, password = stack.client(), new_password()
    user = {"name": USER, "password": password, "databases": [{"name": "d"}]}
    with stack.nothing_left():
        instance = client.created("dead", databases=[{"name": "d"}], users=[user])
        with mysql(instance, USER, password, "d") as connection:
            query(connection, "CREATE TABLE t (n INT)")
        server = stack.database_server(instance["id"])
        assert server is not None
        server.kill()
        wait_for(lambda: stack.database_server(instance["id"]) not in (None, server), 60, "another server")
        client.wait_healthy(instance["id"])
        wait_for(lambda: _serves(instance, password), 60, "an answer")
        with mysql(instance, USER, password, "d") as connection:
            assert query(connection, "SHOW TABLES") == [("t",)]
        client.deleted(instance["id"])


def _serves(instance: dict[str, Any], password: str) -> bool:
    try:
        mysql(instance, USER, password).close()
    except pymysql.OperationalError:
        return False
    return True
