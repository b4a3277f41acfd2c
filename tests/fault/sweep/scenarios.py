# SPDX-License-Identifier: Apache-2.0
"""For each kind of operation: what it is tried on, how it is asked for, and what is true when it has ended."""

import abc
import base64
import contextlib
import secrets
from typing import Any, ClassVar

import requests

from tests.fault.sweep.points import SUCCESS
from tests.functional.stack import Client, Stack, mysql, new_password, query
from tests.functional.stack.inventory import Inventory
from tests.waiting import wait_for

ROWS = 50
SETTLED = 20.0
"""Seconds until what was started again has found its place."""
NEW = "swept"
"""The name of what a create makes."""
PARTS = {
    "instances": 1,
    "servers": 1,
    "disks of servers": 1,
    "volumes": 1,
    "addresses": 1,
    "processes": 2,  # agent and database
    "health": 1,
    "queues": 1,
    "broker users": 1,
}


class Scenario(abc.ABC):
    """One kind of operation. ``kind`` registers it."""

    kind: ClassVar[str]
    known: ClassVar[dict[str, type["Scenario"]]] = {}
    needs_rootfs: ClassVar[bool] = False
    """Whether its stack must have the image of the next release."""
    most_agents: ClassVar[int] = 0
    """How many agents are started on the way to an end at which the instance is gone."""

    def __init_subclass__(cls) -> None:
        if hasattr(cls, "kind"):
            Scenario.known[cls.kind] = cls

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.password = new_password()
        self.instance_id = ""
        self.expected: Inventory = {}
        """What there must be after the operation: for most, what there was before."""

    @property
    def client(self) -> Client:
        """Of the stack as it is now: tokens stay, connections do not."""
        return self.stack.client()

    def make(self) -> None:
        """An instance with rows in it."""
        wanted = self.wanted()
        self.instance_id = self.client.created(f"swept-{self.kind}", **wanted)["id"]
        with self.connection() as connection:
            query(connection, "CREATE TABLE t (n INT PRIMARY KEY)")
            query(connection, f"INSERT INTO t SELECT seq FROM seq_1_to_{ROWS}")

    def wanted(self) -> dict[str, Any]:
        """Of every create."""
        user = {"name": "u", "password": self.password, "databases": [{"name": "d"}]}
        return {"databases": [{"name": "d"}], "users": [user]}

    def connection(self) -> Any:
        """To the instance, as its user."""
        return mysql(self.client.show(self.instance_id), "u", self.password, "d")

    def prepare(self) -> None:
        """Before each point: there is an instance, as ever."""
        if not self.instance_id:
            self.make()
        self.expected = self.stack.settled_inventory()

    def watched(self) -> contextlib.AbstractContextManager[list[str]]:
        """Around all that is done after :meth:`prepare`: violations of what must be true at every moment, there after
        the block."""
        return contextlib.nullcontext([])

    @abc.abstractmethod
    def ask(self) -> None:
        """Ask for the operation. The connection may break: then it is found by looking."""

    def find(self) -> None:
        """Called when the API answers again: see what was made."""
        self.operation()

    def boots(self, ends: str) -> set[int]:
        """How often its machine may boot."""
        return {0}

    def database_starts(self, ends: str) -> set[int]:
        """How often the database may be started when no agent dies."""
        return {0}

    @abc.abstractmethod
    def check(self, ends: str) -> list[str]:
        """Violations of what must be true, now that it has ended like that."""

    def operation(self) -> dict[str, Any]:
        """The newest operation of the kind on the instance."""
        found = self.client.ask("GET", f"/operations?kind={self.kind}&target_id={self.instance_id}")["operations"]
        assert found, "the operation was not recorded"
        newest: dict[str, Any] = found[0]
        return newest

    def act(self, action: dict[str, Any]) -> None:
        """POST an action."""
        self.post(f"/instances/{self.instance_id}/action", action)

    def post(self, path: str, body: Any) -> None:
        """POST; a server that dies with the request in hand is part of the game."""
        self.post_as(self.client, path, body)

    def post_as(self, client: Client, path: str, body: Any, *also: int) -> None:
        """The same, as somebody else, who may also be answered with ``also``: it was undone already."""
        try:
            answer = client.raw("POST", path, body)
        except requests.RequestException:
            return
        assert answer.status_code in {200, 202, *also}, answer.text

    def healthy(self) -> list[str]:
        """The instance answers and holds its rows."""
        self.client.wait_healthy(self.instance_id)
        with self.connection() as connection:
            rows = query(connection, "SELECT count(*) FROM t")
        return [] if rows == [(ROWS,)] else [f"rows: {rows}"]

    def away(self) -> list[str]:
        """Delete the instance: nothing must stand in the way of it."""
        self.client.wait_operation(self.client.delete(self.instance_id))
        self.instance_id = ""
        return []

    def whole(self, parts: dict[str, int]) -> list[str]:
        """What a new instance is made of, each once. Its guest may still be on its way back to a broker that was
        started again."""

        def surplus() -> dict[str, int]:
            more = {place: len(lines) - len(self.expected[place]) for place, lines in self.stack.inventory().items()}
            return {place: count for place, count in more.items() if count != parts.get(place, 0)}

        with contextlib.suppress(AssertionError):
            wait_for(lambda: not surplus(), SETTLED, "a whole instance")
        return [f"made {count} of {place}" for place, count in surplus().items()]

    def leave(self) -> None:
        """Delete all that served so many points."""
        if self.instance_id:
            self.away()


def ping_module(client: Client) -> str:
    """The id of a module that changes nothing."""
    contents = base64.b64encode(b"message=swept").decode()
    body = {"name": f"swept-{secrets.token_hex(4)}", "module_type": "ping", "contents": contents}
    made: str = client.ask("POST", "/modules", {"module": body})["module"]["id"]
    return made


class Create(Scenario):
    """A create that succeeded serves; one that was undone left an ERROR with its reason, and no resource."""

    kind = "instance.create"
    most_agents = 1
    module_id = ""

    def prepare(self) -> None:
        self.module_id = self.module_id or ping_module(self.client)
        self.instance_id = ""
        self.expected = self.stack.settled_inventory()

    def ask(self) -> None:
        body = {"name": NEW, "flavorRef": "1", "volume": {"size": 1}, **self.wanted()}
        body["modules"] = [{"id": self.module_id}]
        self.post("/instances", {"instance": body})

    def find(self) -> None:
        found = [one for one in self.client.ask("GET", "/instances")["instances"] if one["name"] == NEW]
        assert len(found) == 1, f"asked for one instance, there are {found}"
        self.instance_id = found[0]["id"]

    def boots(self, ends: str) -> set[int]:
        return {1}

    def database_starts(self, ends: str) -> set[int]:
        return {1}

    def check(self, ends: str) -> list[str]:
        violations = []
        if ends == SUCCESS:
            self.client.wait_healthy(self.instance_id)
            with self.connection() as connection:
                query(connection, "CREATE TABLE t (n INT)")
            violations += self.whole(PARTS)
        else:
            shown = self.client.show(self.instance_id)
            if shown["status"] != "ERROR" or "fault" not in shown:
                violations.append(f"status {shown['status']}, fault {shown.get('fault')}")
            row: Inventory = {"instances": sorted([*self.expected["instances"], self.instance_id])}
            self.stack.wait_inventory(self.expected | row)
        return violations + self.away()


class Delete(Scenario):
    """What is deleted is gone; a delete that failed can be asked for again."""

    kind = "instance.delete"

    def prepare(self) -> None:
        self.expected = self.stack.settled_inventory()
        self.make()

    def ask(self) -> None:
        try:
            answer = self.client.raw("DELETE", f"/instances/{self.instance_id}")
        except requests.RequestException:
            return
        assert answer.status_code == 202, answer.text

    def check(self, ends: str) -> list[str]:
        if ends != SUCCESS:
            shown = self.client.show(self.instance_id)
            return ([] if shown["status"] == "ERROR" else [f"status {shown['status']}"]) + self.away()
        self.client.ask("GET", f"/instances/{self.instance_id}", status=404)
        self.instance_id = ""
        return []


class Restart(Scenario):
    """The same instance, answering."""

    kind = "instance.restart"

    def ask(self) -> None:
        self.act({"restart": {}})

    def database_starts(self, ends: str) -> set[int]:
        return {1} if ends == SUCCESS else {0, 1}

    def check(self, ends: str) -> list[str]:
        return self.healthy()


class ResizeFlavor(Scenario):
    """To and fro between two flavors."""

    kind = "instance.resize_flavor"
    flavor = "1"

    def ask(self) -> None:
        self.act({"resize": {"flavorRef": "2" if self.flavor == "1" else "1"}})

    def boots(self, ends: str) -> set[int]:
        return {1} if ends == SUCCESS else {0, 2}

    def database_starts(self, ends: str) -> set[int]:
        return {1} if ends == SUCCESS else {0, 1, 2}

    def check(self, ends: str) -> list[str]:
        if ends == SUCCESS:
            self.flavor = "2" if self.flavor == "1" else "1"
        violations = self.healthy()
        shown = self.client.show(self.instance_id)["flavor"]["id"]
        with self.connection() as connection:
            ((pool,),) = query(connection, "SELECT @@innodb_buffer_pool_size")
        self.pools.setdefault(self.flavor, pool)
        if shown != self.flavor:
            violations.append(f"flavor {shown} instead of {self.flavor}")
        if pool != self.pools[self.flavor] or len(set(self.pools.values())) != len(self.pools):
            violations.append(f"buffer pool {pool}, known: {self.pools}")
        return violations

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self.pools: dict[str, int] = {}


class ResizeVolume(Scenario):
    """A gigabyte more each time."""

    kind = "instance.resize_volume"
    size = 1

    def ask(self) -> None:
        self.act({"resize": {"volume": {"size": self.size + 1}}})

    def check(self, ends: str) -> list[str]:
        self.size += ends == SUCCESS
        shown = self.client.show(self.instance_id)["volume"]["size"]
        return self.healthy() + ([] if shown == self.size else [f"volume {shown} instead of {self.size}"])
