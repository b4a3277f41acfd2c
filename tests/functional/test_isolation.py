# SPDX-License-Identifier: Apache-2.0
"""What the administrator of one database can do to another: nothing."""

import contextlib
import os
import pathlib

import pymysql

from tests.functional.stack import EmbeddedStack, mysql, query


def test_root_of_one_instance_writes_no_file_of_another(embedded_stack: EmbeddedStack) -> None:
    client = embedded_stack.client()
    with embedded_stack.nothing_left():
        attacker, victim = client.created("attacker"), client.created("victim")
        servers = [embedded_stack.database_server(one["id"]) for one in (attacker, victim)]
        users = {server.uids().real for server in servers if server is not None}
        if os.geteuid() != 0:  # then all that we start is one user's, and files can't keep instances apart
            assert users == {os.geteuid()}
            client.deleted(attacker["id"], victim["id"])
            return
        assert len(users) == 2
        assert 0 not in users
        root = client.ask("POST", f"/instances/{attacker['id']}/root", status=200)["user"]
        target = pathlib.Path(embedded_stack.cloud) / "volumes" / victim["id"] / "data" / "data" / "planted.log"
        with mysql(attacker, root["name"], root["password"]) as connection:
            for statement in (
                f"SET GLOBAL general_log_file = '{target}'",
                "SET GLOBAL general_log = 1",
                "SELECT 'planted'",
                f"SELECT 'planted' INTO OUTFILE '{target}'",
            ):
                with contextlib.suppress(pymysql.Error):
                    query(connection, statement)
        assert target.parent.is_dir()
        assert not target.exists()
        client.wait_healthy(victim["id"])
        client.deleted(attacker["id"], victim["id"])
