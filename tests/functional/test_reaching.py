# SPDX-License-Identifier: Apache-2.0
"""Stopped on purpose, started by a restart; and who may reach an instance."""

import contextlib

import pymysql
import pytest

from tests.functional.stack import Stack, mysql, new_password, query


def test_stopped_and_started(embedded_stack: Stack) -> None:
    client, password = embedded_stack.client(), new_password()
    admin = embedded_stack.admin()
    with embedded_stack.nothing_left():
        user = {"name": "u", "password": password, "databases": [{"name": "d"}]}
        instance = client.created("stopped", databases=[{"name": "d"}], users=[user])
        with contextlib.closing(mysql(instance, "u", password, "d")) as connection:
            query(connection, "CREATE TABLE t AS SELECT 1 AS n")
        stop = f"/mgmt/instances/{instance['id']}/action"
        client.ask("POST", stop, {"stop": {}}, status=401)
        answer = admin.raw("POST", stop, {"stop": {}})
        client.wait_operation(answer.links["operation"]["url"].rpartition("/")[2])
        shown = client.show(instance["id"])
        assert (shown["status"], shown["operating_status"]) == ("ACTIVE", "SHUTDOWN")
        with pytest.raises(pymysql.OperationalError):
            mysql(instance, "u", password, "d")
        client.ask("GET", f"/instances/{instance['id']}/users", status=422)
        agent = embedded_stack.agent(instance["id"])
        assert agent is not None
        agent.kill()  # the next one must not start what was stopped on purpose
        agent.wait(30)
        client.wait_operation(client.act(instance["id"], {"restart": {}}))
        client.wait_healthy(instance["id"])
        with contextlib.closing(mysql(instance, "u", password, "d")) as connection:
            assert query(connection, "SELECT n FROM t") == [(1,)]
        client.deleted(instance["id"])


def test_access(embedded_stack: Stack) -> None:
    client = embedded_stack.client()
    with embedded_stack.nothing_left():
        instance = client.created("reached", access={"is_public": False, "allowed_cidrs": ["10.1.0.0/16"]})
        answer = client.raw("PUT", f"/instances/{instance['id']}", {"instance": {"access": {"is_public": True}}})
        client.wait_operation(answer.links["operation"]["url"].rpartition("/")[2])
        shown = client.wait_healthy(instance["id"])
        assert shown["access"] == {"is_public": True, "allowed_cidrs": ["10.1.0.0/16"]}
        client.deleted(instance["id"])


def test_reboot(embedded_stack: Stack) -> None:
    """Also of an agent that stands still."""
    client, password = embedded_stack.client(), new_password()
    with embedded_stack.nothing_left():
        user = {"name": "u", "password": password, "databases": [{"name": "d"}]}
        instance = client.created("rebooted", databases=[{"name": "d"}], users=[user])
        with contextlib.closing(mysql(instance, "u", password, "d")) as connection:
            query(connection, "CREATE TABLE t AS SELECT 1 AS n")
        before, agent = embedded_stack.database_server(instance["id"]), embedded_stack.agent(instance["id"])
        assert agent is not None
        agent.suspend()
        reboot = embedded_stack.admin().raw("POST", f"/mgmt/instances/{instance['id']}/action", {"reboot": {}})
        client.wait_operation(reboot.links["operation"]["url"].rpartition("/")[2])
        client.wait_healthy(instance["id"])
        assert not agent.is_running()
        assert embedded_stack.database_server(instance["id"]) != before
        with contextlib.closing(mysql(instance, "u", password, "d")) as connection:
            assert query(connection, "SELECT n FROM t") == [(1,)]
        client.deleted(instance["id"])
