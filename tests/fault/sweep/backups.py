# SPDX-License-Identifier: Apache-2.0
"""Operations on backups, and the one that makes an instance of them."""

import contextlib
from typing import Any, ClassVar

import requests

from tests.fault.sweep.points import SUCCESS
from tests.fault.sweep.scenarios import PARTS, ROWS, SETTLED, Scenario, ping_module
from tests.functional.stack import mysql, new_password, query
from tests.functional.stack.inventory import Inventory
from tests.waiting import wait_for

NAME, RESTORED = "swept backup", "swept restore"


class _Backups(Scenario):
    """What the scenarios here have in common: an instance with rows, which stays."""

    backup_id = ""

    def back_up(self, name: str, **more: Any) -> str:
        """A backup that is made for the operation to work on: its id."""
        body = {"backup": {"name": name, "instance": self.instance_id, **more}}
        made: str = self.client.ask("POST", "/backups", body, status=202)["backup"]["id"]
        self.client.wait_backup(made)
        return made

    def shown(self) -> dict[str, Any]:
        """The backup."""
        found: dict[str, Any] = self.client.ask("GET", f"/backups/{self.backup_id}")["backup"]
        return found

    def remove(self) -> None:
        """Delete the backup: nothing must stand in the way of it."""
        if self.backup_id:
            self.client.delete_backup(self.backup_id)
        self.backup_id = ""

    def leave(self) -> None:
        self.remove()
        super().leave()


class CreateBackup(_Backups):
    """A backup is COMPLETED with all its objects, or FAILED with none; the instance is as before."""

    kind: ClassVar[str] = "backup.create"

    def ask(self) -> None:
        self.post("/backups", {"backup": {"name": NAME, "instance": self.instance_id}})

    def find(self) -> None:
        found = [one for one in self.client.ask("GET", "/backups")["backups"] if one["name"] == NAME]
        assert len(found) == 1, f"asked for one backup, there are {found}"
        self.backup_id = found[0]["id"]

    def check(self, ends: str) -> list[str]:
        violations = self.healthy()
        shown, wanted = self.shown()["status"], "COMPLETED" if ends == SUCCESS else "FAILED"
        if shown != wanted:
            violations.append(f"backup {shown} instead of {wanted}")
        if ends != SUCCESS:  # the store may have had the last of a stream's requests when that was killed
            with contextlib.suppress(AssertionError):
                wait_for(lambda: not self._objects(), SETTLED, "the objects to go")
        there = self._objects()
        if bool(there) != (ends == SUCCESS):
            violations.append(f"objects of a backup that is {shown}: {there}")
        self.remove()
        return violations

    def _objects(self) -> list[str]:
        return [one for one in self.stack.inventory()["objects"] if self.backup_id in one]


class DeleteBackup(_Backups):
    """A backup and the difference to it are gone, with their objects; a delete that failed can be asked for again."""

    kind: ClassVar[str] = "backup.delete"

    def prepare(self) -> None:
        super().prepare()
        self.backup_id = self.back_up(NAME)
        self.back_up(f"{NAME} difference", parent_id=self.backup_id)

    def ask(self) -> None:
        try:
            answer = self.client.raw("DELETE", f"/backups/{self.backup_id}")
        except requests.RequestException:
            return
        assert answer.status_code == 202, answer.text

    def operation(self) -> dict[str, Any]:
        found = self.client.ask("GET", f"/operations?kind={self.kind}&target_id={self.backup_id}")["operations"]
        assert found, "the operation was not recorded"
        newest: dict[str, Any] = found[0]
        return newest

    def check(self, ends: str) -> list[str]:
        violations = self.healthy()
        if ends == SUCCESS:
            self.client.ask("GET", f"/backups/{self.backup_id}", status=404)
            self.backup_id = ""
        elif (shown := self.shown()["status"]) != "DELETE_FAILED":
            violations.append(f"backup {shown}")
        self.remove()
        return violations


class Restore(_Backups):
    """A restore that succeeded serves the rows; one that was undone left an ERROR with its reason, and no resource.
    The backup and its instance are as before."""

    kind: ClassVar[str] = "instance.restore"
    most_agents: ClassVar[int] = 1
    source_id = module_id = ""

    def prepare(self) -> None:
        if not self.source_id:
            self.make()
            self.source_id = self.instance_id
            self.backup_id = self.back_up(NAME)
            self.module_id = ping_module(self.client)
        self.instance_id = ""
        self.expected = self.stack.settled_inventory()

    def ask(self) -> None:
        body = {"name": RESTORED, "flavorRef": "1", "volume": {"size": 1}}
        user = {"name": "another", "password": new_password(), "databases": [{"name": "more"}]}
        more = {"restorePoint": {"backupRef": self.backup_id}, "databases": [{"name": "more"}], "users": [user]}
        more["modules"] = [{"id": self.module_id}]
        self.post("/instances", {"instance": {**body, **more}})

    def find(self) -> None:
        found = [one for one in self.client.ask("GET", "/instances")["instances"] if one["name"] == RESTORED]
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
            with mysql(self.client.show(self.instance_id), "u", self.password, "d") as connection:
                rows = query(connection, "SELECT count(*) FROM t")
            violations += [] if rows == [(ROWS,)] else [f"rows: {rows}"]
            violations += self.whole(PARTS)
        else:
            shown = self.client.show(self.instance_id)
            if shown["status"] != "ERROR" or "fault" not in shown:
                violations.append(f"status {shown['status']}, fault {shown.get('fault')}")
            row: Inventory = {"instances": sorted([*self.expected["instances"], self.instance_id])}
            self.stack.wait_inventory(self.expected | row)
        return violations + self.away()

    def leave(self) -> None:
        self.remove()
        if self.source_id:
            self.instance_id = self.source_id
            self.away()
