# SPDX-License-Identifier: Apache-2.0
"""What is asked for, and what is true when it has ended. Whatever happened, the cloud holds what it held before."""

import contextlib
from typing import Any, ClassVar

import requests

from tests.fault.sweep.points import SUCCESS
from tests.fault.sweep.scenarios import Scenario
from tests.functional.stack import query
from tests.openstack.stack import CloudStack

NAME = "swept"
ROWS = 50


class InCloud(Scenario):
    """Of a stack whose instances are servers. Not among the sweep's own kinds."""

    of: ClassVar[str]
    """The kind of operation."""

    def __init__(self, stack: CloudStack) -> None:
        super().__init__(stack)
        self.cloud = stack

    def operation(self) -> dict[str, Any]:
        found = self.client.ask("GET", f"/operations?kind={self.of}&target_id={self.instance_id}")["operations"]
        assert found, "the operation was not recorded"
        newest: dict[str, Any] = found[0]
        return newest

    def make(self) -> None:
        made = self.client.created(NAME, flavor="2", **self.wanted())
        self.instance_id = made["id"]
        with self.connection() as connection:
            query(connection, "CREATE TABLE t (n INT PRIMARY KEY)")
            query(connection, f"INSERT INTO t SELECT seq FROM seq_1_to_{ROWS}")

    def connection(self) -> contextlib.AbstractContextManager[Any]:
        return self.cloud.mysql(self.client.show(self.instance_id), "u", self.password, "d")

    def gone(self) -> list[str]:
        """It is, and so is all that it was made of."""
        status = self.client.raw("GET", f"/instances/{self.instance_id}").status_code
        self.instance_id = ""
        return [] if status == 404 else [f"{status} instead of 404"]


class Create(InCloud):
    """A create that succeeded serves; one that was undone is an ERROR with its reason."""

    of = "instance.create"

    def prepare(self) -> None:
        self.instance_id = ""
        self.expected = self.stack.settled_inventory()

    def ask(self) -> None:
        self.post("/instances", {"instance": {"name": NAME, "flavorRef": "2", "volume": {"size": 1}, **self.wanted()}})

    def find(self) -> None:
        found = self.client.ask("GET", "/instances")["instances"]
        assert len(found) == 1, f"asked for one instance, there are {found}"
        self.instance_id = found[0]["id"]

    def check(self, ends: str) -> list[str]:
        shown = self.client.show(self.instance_id)
        if ends == SUCCESS:
            with self.connection() as connection:
                query(connection, "CREATE TABLE t (n INT)")
            found = []
        else:
            found = [] if shown["status"] == "ERROR" and "fault" in shown else [f"status {shown['status']}"]
            rows = {"instances": [self.instance_id]}
            self.stack.wait_inventory(self.expected | rows)
        return found + self.away()


class _Lasting(InCloud):
    """One instance for all points."""

    def check(self, ends: str) -> list[str]:
        self.client.wait_healthy(self.instance_id)
        with self.connection() as connection:
            rows = query(connection, "SELECT COUNT(*) FROM t")
        return [] if rows == [(ROWS,)] else [f"rows: {rows}"]


class ResizeFlavor(_Lasting):
    """Server and record have the one flavor or the other."""

    of = "instance.resize_flavor"
    flavor, wish = "2", "3"

    def ask(self) -> None:
        self.wish = "3" if self.flavor == "2" else "2"
        self.act({"resize": {"flavorRef": self.wish}})

    def check(self, ends: str) -> list[str]:
        found = super().check(ends)
        self.flavor = self.wish if ends == SUCCESS else self.flavor
        server = self.cloud.place.admin.compute.find_server(f"dbflow-{self.instance_id}", ignore_missing=False)
        real = self.cloud.place.admin.compute.get_server(server.id)
        named = {"2": "db.small", "3": "db.medium"}[self.flavor]
        if (real.status, real.flavor["original_name"]) != ("ACTIVE", named):
            found.append(f"server {real.status} {real.flavor['original_name']} instead of {named}")
        told = self.client.show(self.instance_id)["flavor"]["id"]
        return found + ([] if told == self.flavor else [f"flavor {told} instead of {self.flavor}"])


class ResizeVolume(_Lasting):
    """Volume, file system and record have the one size or the other."""

    of = "instance.resize_volume"
    size = 1

    def ask(self) -> None:
        self.act({"resize": {"volume": {"size": self.size + 1}}})

    def check(self, ends: str) -> list[str]:
        found = super().check(ends)
        (volume,) = self.cloud.place.admin.block_storage.volumes(name=f"dbflow-{self.instance_id}")
        told = self.client.show(self.instance_id)["volume"]["size"]
        if told != volume.size:
            found.append(f"{told} GiB told of a volume of {volume.size}")
        if ends == SUCCESS and volume.size != self.size + 1:
            found.append(f"{volume.size} GiB instead of {self.size + 1}")
        self.size = told
        return found


class Delete(InCloud):
    """Nothing is left; a delete that failed can be asked for again."""

    of = "instance.delete"

    def prepare(self) -> None:
        empty = self.stack.settled_inventory()
        self.make()
        self.expected = empty

    def ask(self) -> None:
        with contextlib.suppress(requests.RequestException):
            answer = self.client.raw("DELETE", f"/instances/{self.instance_id}")
            assert answer.status_code == 202, answer.text

    def check(self, ends: str) -> list[str]:
        return self.gone() if ends == SUCCESS else self.away()


SCENARIOS: tuple[type[InCloud], ...] = (Create, ResizeVolume, ResizeFlavor, Delete)
