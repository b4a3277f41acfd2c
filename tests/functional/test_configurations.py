# SPDX-License-Identifier: Apache-2.0
"""Configuration groups on real servers: at create, attached, changed, refused, detached."""

import contextlib
from collections.abc import Iterator
from typing import Any

from tests.functional.stack import Client, Stack, mysql, new_password, query


class Group:
    """A configuration group of this test's project."""

    def __init__(self, client: Client, **values: Any) -> None:
        body = {"name": "group", "values": values, "datastore": {"type": "mariadb"}}
        self._client = client
        self.id: str = client.ask("POST", "/configurations", {"configuration": body})["configuration"]["id"]

    def show(self) -> dict[str, Any]:
        found: dict[str, Any] = self._client.ask("GET", f"/configurations/{self.id}")["configuration"]
        return found

    def patch(self, status: int = 200, **values: Any) -> None:
        self._client.ask("PATCH", f"/configurations/{self.id}", {"configuration": {"values": values}}, status=status)

    def replace(self, status: int = 202, **values: Any) -> None:
        self._client.ask("PUT", f"/configurations/{self.id}", {"configuration": {"values": values}}, status=status)

    def attach(self, instance_id: str, status: int = 202) -> None:
        self._client.ask("PUT", f"/instances/{instance_id}", {"instance": {"configuration": self.id}}, status=status)

    def detach(self, instance_id: str) -> None:
        self._client.ask("PUT", f"/instances/{instance_id}", {"instance": {"configuration": None}}, status=202)

    def delete(self, status: int = 202) -> None:
        self._client.ask("DELETE", f"/configurations/{self.id}", status=status)


class Database:
    """An instance with a user who asks it for its parameters."""

    def __init__(self, client: Client, name: str, **more: Any) -> None:
        self._client, self._password = client, new_password()
        self.id, self._made = client.create(name, users=[{"name": "u", "password": self._password}], **more)

    def made(self) -> "Database":
        self._client.wait_operation(self._made)
        return self

    def value(self, parameter: str) -> Any:
        with contextlib.closing(mysql(self._client.show(self.id), "u", self._password)) as connection:
            ((value,),) = query(connection, f"SELECT @@GLOBAL.{parameter}")
        return value

    def status(self) -> str:
        found: str = self._client.show(self.id)["status"]
        return found

    def restart(self) -> None:
        self._client.wait_operation(self._client.act(self.id, {"restart": {}}))


@contextlib.contextmanager
def databases(client: Client, *wanted: dict[str, Any]) -> Iterator[list[Database]]:
    """Made side by side, deleted at the end."""
    begun = [Database(client, f"configured-{number}", **one) for number, one in enumerate(wanted)]
    yield [one.made() for one in begun]
    client.deleted(*(one.id for one in begun))


def test_a_group_on_its_instances(stack: Stack) -> None:
    client = stack.client()
    with stack.nothing_left():
        group = Group(client, max_connections=61, back_log=71)
        with databases(client, {"configuration": group.id}, {}) as (first, second):
            assert (first.value("max_connections"), first.value("back_log"), first.status()) == (61, 71, "ACTIVE")
            usual = second.value("max_connections"), second.value("back_log")
            group.attach(second.id)
            assert (second.value("max_connections"), second.value("back_log")) == (61, usual[1])
            assert (second.status(), group.show()["instance_count"]) == ("RESTART_REQUIRED", 2)
            second.restart()
            assert (second.value("back_log"), second.status()) == (71, "ACTIVE")

            group.patch(max_connections=62, sort_buffer_size=1 << 20)
            assert [one.value("max_connections") for one in (first, second)] == [62, 62]
            assert [one.status() for one in (first, second)] == ["ACTIVE", "ACTIVE"]
            assert group.show()["values"] == {"max_connections": 62, "back_log": 71, "sort_buffer_size": 1 << 20}
            group.patch(status=422, max_connections=63, character_set_server="latin9000")
            assert [one.value("max_connections") for one in (first, second)] == [62, 62]
            assert "character_set_server" not in group.show()["values"]

            group.replace(back_log=72)
            assert [one.value("max_connections") for one in (first, second)] == [usual[0], usual[0]]
            assert [one.status() for one in (first, second)] == ["RESTART_REQUIRED", "RESTART_REQUIRED"]
            group.replace(back_log=71)
            assert [one.status() for one in (first, second)] == ["ACTIVE", "ACTIVE"], "as they were started"

            group.delete(status=400)
            group.detach(first.id)
            assert (first.status(), group.show()["instance_count"]) == ("RESTART_REQUIRED", 1)
            first.restart()
            assert (first.value("max_connections"), first.value("back_log")) == usual
        group.delete()


def test_what_a_server_refuses_is_refused(embedded_stack: Stack) -> None:
    client = embedded_stack.client()
    with embedded_stack.nothing_left():
        group, large = Group(client, character_set_server="latin9000"), Group(client, innodb_buffer_pool_size=1 << 40)
        with databases(client, {}) as (one,):
            before = one.value("character_set_server")
            for wrong, why in ((group, "latin9000"), (large, "MiB")):
                wrong.attach(one.id, status=422)
                shown = client.show(one.id)
                assert (shown["status"], "configuration" in shown, why in shown["fault"]["message"]) == (
                    "ACTIVE",
                    False,
                    True,
                )
            assert one.value("character_set_server") == before
            one.restart()
        instance_id, operation_id = client.create("refused", configuration=large.id)
        ended = client.wait_operation(operation_id, "REVERTED")
        assert "innodb_buffer_pool_size" in ended["error"]["message"]
        large.delete()
        client.deleted(instance_id)
        group.delete()


def test_a_resize_keeps_the_values_of_the_group(embedded_stack: Stack) -> None:
    client = embedded_stack.client()
    with embedded_stack.nothing_left():
        group = Group(client, max_connections=64)
        with databases(client, {"configuration": group.id}) as (one,):
            small = one.value("innodb_buffer_pool_size")
            client.wait_operation(client.act(one.id, {"resize": {"flavorRef": "3"}}))
            assert one.value("innodb_buffer_pool_size") > small
            assert one.value("max_connections") == 64
            group.detach(one.id)
            assert one.value("max_connections") > 64, "what follows from the new flavor"
        group.delete()
