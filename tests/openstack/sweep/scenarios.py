# SPDX-License-Identifier: Apache-2.0
"""What is asked for, and what is true when it has ended. Whatever happened, the cloud holds what it held before."""

import contextlib
from typing import Any, ClassVar

import requests

from tests.fault.sweep.points import SUCCESS
from tests.fault.sweep.scenarios import ROWS, Scenario
from tests.functional.stack import query
from tests.functional.stack.inventory import difference
from tests.openstack.stack import CloudStack

NAME = "swept"
CONTAINER = "database_backups"
"""Of backups that name none."""
PARTS = {
    "instances": 1,
    "servers": 1,
    "volumes": 1,
    "ports": 2,  # of the database, and of the guest
    "floating addresses": 1,
    "security groups": 3,  # of its ports, and its project's
    "health": 1,
    "queues": 1,
    "broker users": 1,
}


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

    def wanted(self) -> dict[str, Any]:
        """With all that Neutron has for it."""
        return {**super().wanted(), "access": {"is_public": True}}

    def make(self) -> None:
        made = self.client.created(NAME, flavor="2", **self.wanted())
        self.instance_id = made["id"]
        self.fill()

    def fill(self) -> None:
        """The rows that there must be from now on."""
        with self.connection() as connection:
            query(connection, "CREATE TABLE t (n INT PRIMARY KEY)")
            query(connection, f"INSERT INTO t SELECT seq FROM seq_1_to_{ROWS}")

    def whole(self, parts: dict[str, int]) -> list[str]:
        """Each once, and what has names has this instance's."""
        found = super().whole(parts)
        name = f"dbflow-{self.instance_id}"
        cloud = self.cloud.inventory_of_cloud()
        changed = difference({place: self.expected[place] for place in cloud}, cloud)
        return found + [f"{place}: {names}" for place, names in changed.items() if names[0] or name not in names[1]]

    def connection(self) -> contextlib.AbstractContextManager[Any]:
        return self.cloud.mysql(self.client.show(self.instance_id), "u", self.password, "d")

    def server(self) -> Any:
        """As Nova shows it to dbflow's user."""
        nova = self.cloud.place.admin.compute
        return nova.get_server(nova.find_server(f"dbflow-{self.instance_id}", ignore_missing=False).id)

    def gone(self) -> list[str]:
        """It is, and so is all that it was made of."""
        status = self.client.raw("GET", f"/instances/{self.instance_id}").status_code
        self.instance_id = ""
        return [] if status == 404 else [f"{status} instead of 404"]


class Create(InCloud):
    """A create that succeeded serves, and made everything once; one that was undone is an ERROR with its reason."""

    of = "instance.create"

    def prepare(self) -> None:
        self.instance_id = ""
        self.expected = self.stack.settled_inventory()

    def ask(self) -> None:
        wanted = {"flavorRef": "2", "volume": {"size": 1}, **self.wanted()}
        self.post("/instances", {"instance": {"name": NAME, **wanted}})

    def find(self) -> None:
        found = self.client.ask("GET", "/instances")["instances"]
        assert len(found) == 1, f"asked for one instance, there are {found}"
        self.instance_id = found[0]["id"]

    def check(self, ends: str) -> list[str]:
        if ends == SUCCESS:
            self.client.wait_healthy(self.instance_id)
            with self.connection() as connection:
                query(connection, "CREATE TABLE t (n INT)")
            found = self.whole(PARTS)
        else:
            shown = self.client.show(self.instance_id)
            found = [] if shown["status"] == "ERROR" and "fault" in shown else [f"status {shown['status']}"]
            rows = {"instances": [self.instance_id]}
            self.stack.wait_inventory(self.expected | rows)
        return found + self.away()


class ResizeFlavor(InCloud):
    """Server and record have the one flavor or the other, and the server was resized once."""

    of = "instance.resize_flavor"
    flavor, wish = "2", "3"
    resized = 0

    def prepare(self) -> None:
        super().prepare()
        self.resized = self._resized()

    def ask(self) -> None:
        self.wish = "3" if self.flavor == "2" else "2"
        self.act({"resize": {"flavorRef": self.wish}})

    def check(self, ends: str) -> list[str]:
        found = self.healthy()
        self.flavor = self.wish if ends == SUCCESS else self.flavor
        times = self._resized() - self.resized
        # What was confirmed is undone by a resize back.
        if times not in ({1} if ends == SUCCESS else {0, 1, 2}):
            found.append(f"resized {times} times")
        real = self.server()
        named = {"2": "db.small", "3": "db.medium"}[self.flavor]
        if (real.status, real.flavor["original_name"]) != ("ACTIVE", named):
            found.append(f"server {real.status} {real.flavor['original_name']} instead of {named}")
        told = self.client.show(self.instance_id)["flavor"]["id"]
        return found + ([] if told == self.flavor else [f"flavor {told} instead of {self.flavor}"])

    def _resized(self) -> int:
        """How often, as Nova remembers."""
        actions = self.cloud.place.admin.compute.server_actions(self.server().id)
        return [one.action for one in actions].count("resize")


class ResizeVolume(InCloud):
    """Volume, file system and record have the one size or the other."""

    of = "instance.resize_volume"
    size = 1

    def ask(self) -> None:
        self.act({"resize": {"volume": {"size": self.size + 1}}})

    def check(self, ends: str) -> list[str]:
        found = self.healthy()
        (volume,) = self.cloud.place.admin.block_storage.volumes(name=f"dbflow-{self.instance_id}")
        told = self.client.show(self.instance_id)["volume"]["size"]
        if told != volume.size:
            found.append(f"{told} GiB told of a volume of {volume.size}")
        if ends == SUCCESS and volume.size != self.size + 1:
            found.append(f"{volume.size} GiB instead of {self.size + 1}")
        self.size = told
        return found


class Restart(InCloud):
    """The same instance, answering."""

    of = "instance.restart"

    def ask(self) -> None:
        self.act({"restart": {}})

    def check(self, ends: str) -> list[str]:
        return self.healthy()


class Backup(InCloud):
    """A backup is COMPLETED with its objects, or FAILED with none; it can be deleted."""

    of = "backup.create"

    def ask(self) -> None:
        self._kept = CONTAINER in self.cloud.inventory_of_cloud()["containers"]
        self.post("/backups", {"backup": {"name": NAME, "instance": self.instance_id}})

    def check(self, ends: str) -> list[str]:
        found = self.healthy()
        (made,) = self.client.ask("GET", "/backups")["backups"]
        wanted = "COMPLETED" if ends == SUCCESS else "FAILED"
        if made["status"] != wanted:
            found.append(f"backup {made['status']} instead of {wanted}")
        objects = [name for name in self.cloud.inventory_of_cloud()["in containers"] if made["id"] in name]
        if bool(objects) != (ends == SUCCESS):
            found.append(f"objects of a backup that is {made['status']}: {objects}")
        self.client.delete_backup(made["id"])
        if not self._kept:  # it stays when it is empty
            self.cloud.place.admin.delete_container(CONTAINER)
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
        if ends == SUCCESS:
            return self.gone()
        status = self.client.show(self.instance_id)["status"]
        return ([] if status == "ERROR" else [f"status {status}"]) + self.away()


SCENARIOS: tuple[type[InCloud], ...] = (Create, ResizeVolume, ResizeFlavor, Restart, Backup, Delete)
