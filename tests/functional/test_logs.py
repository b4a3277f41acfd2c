# SPDX-License-Identifier: Apache-2.0
"""Logs of a real server, switched on, published and discarded through the API."""

import contextlib
from typing import Any

from dbflow.objectstore.directory import Directory
from tests.functional.stack import Client, Stack, mysql, new_password, query


def _act(client: Client, instance_id: str, name: str, **wanted: int) -> dict[str, Any]:
    shown: dict[str, Any] = client.ask("POST", f"/instances/{instance_id}/log", {"name": name, **wanted})["log"]
    return shown


def _published(store: Directory, log: dict[str, Any]) -> str:
    """All of it."""
    names = [name for name, _ in store.sizes(log["container"], log["prefix"])]
    return b"".join(store.read(log["container"], name) for name in names).decode()


def test_logs(embedded_stack: Stack) -> None:
    client, admin, password = embedded_stack.client(), embedded_stack.admin(), new_password()
    store = Directory(str(embedded_stack.objects))
    with embedded_stack.nothing_left():
        instance_id = client.created("logged", users=[{"name": "u", "password": password}])["id"]
        listed = client.ask("GET", f"/instances/{instance_id}/log")["logs"]
        assert {one["name"]: one["status"] for one in listed} == {"general": "Disabled", "slow_query": "Disabled"}
        _act(client, instance_id, "general", enable=1)
        with contextlib.closing(mysql(client.show(instance_id), "u", password)) as connection:
            query(connection, "SELECT 'in the log'")
        made = new_password()
        client.ask(
            "POST", f"/instances/{instance_id}/users", {"users": [{"name": "later", "password": made}]}, status=202
        )
        ready = _act(client, instance_id, "general")
        assert (ready["status"], ready["pending"] > 0, ready["container"]) == ("Ready", True, "None")
        published = _act(client, instance_id, "general", publish=1)
        assert published["published"] > 0
        assert "in the log" in _published(store, published)
        sent = _published(store, published)
        assert [word for word in (password, made, "later", "IDENTIFIED") if word in sent] == []
        assert b'"log_name": "general"' in store.read(published["container"], published["metafile"])
        discarded = _act(client, instance_id, "general", discard=1, disable=1)
        assert (discarded["status"], discarded["published"]) == ("Disabled", 0)
        assert list(store.sizes(published["container"], f"{instance_id}/")) == []

        client.ask("POST", f"/instances/{instance_id}/log", {"name": "error"}, status=403)
        assert _act(admin, instance_id, "error", publish=1)["published"] > 0
        _act(admin, instance_id, "error", discard=1)
        client.deleted(instance_id)
