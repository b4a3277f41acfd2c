# SPDX-License-Identifier: Apache-2.0
"""The operations of configuration groups: the values are on the servers when they succeeded, else those of before."""

import contextlib
from typing import Any, ClassVar

import requests

from tests.fault.sweep.points import SUCCESS
from tests.fault.sweep.scenarios import ROWS, Scenario
from tests.functional.stack import Stack, mysql, query
from tests.functional.stack.client import operation_of

USUAL = 40
"""max_connections without a group."""
Values = dict[str, Any]


class Configured(Scenario):
    """Base: an instance, and a group for it."""

    values: ClassVar[Values] = {"max_connections": 77, "back_log": 66}
    """One that a running server takes, and one that it does not."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self.group_id = ""

    def make(self) -> None:
        super().make()
        body = {"name": "swept", "values": self.values, "datastore": {"type": "mariadb"}}
        self.group_id = self.client.ask("POST", "/configurations", {"configuration": body})["configuration"]["id"]

    def away(self) -> list[str]:
        found = super().away()
        self.client.ask("DELETE", f"/configurations/{self.group_id}", status=202)
        return found

    def change(self, method: str, path: str, body: Values) -> None:
        """The answer may say that it was refused already: then that is how it ended."""
        with contextlib.suppress(requests.RequestException):
            answer = self.client.raw(method, path, body)
            assert answer.status_code in {200, 202, 422}, answer.text

    def put(self, configuration: str | None, instance_id: str) -> None:
        """Attach or detach, to the end."""
        answer = self.client.raw("PUT", f"/instances/{instance_id}", {"instance": {"configuration": configuration}})
        assert answer.status_code == 202, answer.text
        self.client.wait_operation(operation_of(answer))

    def has(self, instance_id: str, group: str | None, max_connections: int, restart: bool) -> list[str]:
        """Violations of: the instance has that group and that value, and waits for a restart or not."""
        shown = self.client.show(instance_id)
        with contextlib.closing(mysql(shown, "u", self.password, "d")) as connection:
            ((value,),) = query(connection, "SELECT @@GLOBAL.max_connections")
            ((rows,),) = query(connection, "SELECT count(*) FROM t")
        status = "RESTART_REQUIRED" if restart else "ACTIVE"
        wanted = {"configuration": group, "status": status, "max_connections": max_connections, "rows": ROWS}
        found = {
            "configuration": shown.get("configuration", {}).get("id"),
            "status": shown["status"],
            "max_connections": value,
            "rows": rows,
        }
        return [f"{name} {found[name]} instead of {wanted[name]}" for name in wanted if found[name] != wanted[name]]


class Attach(Configured):
    """Attached or not; and detached again."""

    kind = "instance.attach_configuration"

    def ask(self) -> None:
        self.change("PUT", f"/instances/{self.instance_id}", {"instance": {"configuration": self.group_id}})

    def check(self, ends: str) -> list[str]:
        if ends != SUCCESS:
            return self.has(self.instance_id, None, USUAL, restart=False)
        found = self.has(self.instance_id, self.group_id, 77, restart=True)
        self.put(None, self.instance_id)
        return found + self.has(self.instance_id, None, USUAL, restart=False)


class Detach(Configured):
    """Detached or not; and attached again."""

    kind = "instance.detach_configuration"

    def make(self) -> None:
        super().make()
        self.put(self.group_id, self.instance_id)

    def ask(self) -> None:
        self.change("PUT", f"/instances/{self.instance_id}", {"instance": {"configuration": None}})

    def check(self, ends: str) -> list[str]:
        if ends != SUCCESS:
            return self.has(self.instance_id, self.group_id, 77, restart=True)
        found = self.has(self.instance_id, None, USUAL, restart=False)
        self.put(self.group_id, self.instance_id)
        return found


class Apply(Configured):
    """To and fro between the values of a group that two instances have: both have the new ones, or neither."""

    kind = "configuration.apply"
    values: ClassVar[Values] = {"max_connections": 77}
    others: ClassVar[Values] = {"max_connections": 78, "back_log": 66}

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self.ids: list[str] = []
        self.now, self.wanted_next = self.values, self.others

    def make(self) -> None:
        super().make()
        first = self.instance_id
        Scenario.make(self)
        self.ids, self.instance_id = [first, self.instance_id], first
        for instance_id in self.ids:
            self.put(self.group_id, instance_id)

    def ask(self) -> None:
        body = {"configuration": {"values": self.wanted_next}}
        self.change("PUT", f"/configurations/{self.group_id}", body)

    def operation(self) -> dict[str, Any]:
        found = self.client.ask("GET", f"/operations?kind={self.kind}&target_id={self.group_id}")["operations"]
        assert found, "the operation was not recorded"
        newest: dict[str, Any] = found[0]
        return newest

    def check(self, ends: str) -> list[str]:
        if ends == SUCCESS:
            self.now, self.wanted_next = self.wanted_next, self.now
        shown = self.client.ask("GET", f"/configurations/{self.group_id}")["configuration"]["values"]
        found = [] if shown == self.now else [f"the group has {shown} instead of {self.now}"]
        for instance_id in self.ids:
            found += self.has(instance_id, self.group_id, self.now["max_connections"], "back_log" in self.now)
        return found

    def away(self) -> list[str]:
        for instance_id in self.ids[1:]:
            self.client.wait_operation(self.client.delete(instance_id))
        return super().away()
