# SPDX-License-Identifier: Apache-2.0
"""The operations of modules: what they write is in the database when they succeeded, else it is as before."""

import base64
import contextlib
from typing import Any, ClassVar

import requests

from tests.fault.sweep.points import SUCCESS
from tests.fault.sweep.scenarios import Scenario
from tests.functional.stack import Stack, query

SCRIPT = (
    "CREATE TABLE IF NOT EXISTS d.site (n INT PRIMARY KEY); REPLACE INTO d.site VALUES (%(n)d);\n"
    "-- undo\nDROP TABLE IF EXISTS d.site"
)


def encoded(contents: str) -> str:
    return base64.b64encode(contents.encode()).decode()


class _Modules(Scenario):
    """Base: an instance, and modules for it."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self.module_ids: list[str] = []

    def make(self) -> None:
        super().make()
        ping = self.make_module("ping", "message=swept", apply_order=1)
        self.module_ids = [ping, self.make_module("sql", SCRIPT % {"n": 1}, live_update=1)]

    def make_module(self, module_type: str, contents: str, **options: Any) -> str:
        """Its id. Other scenarios have modules of the same types in the same stack."""
        name = f"{self.kind}-{module_type}"
        body = {"name": name, "module_type": module_type, "contents": encoded(contents), **options}
        made: str = self.client.ask("POST", "/modules", {"module": body})["module"]["id"]
        return made

    @property
    def path(self) -> str:
        return f"/instances/{self.instance_id}/modules"

    @property
    def wanted_modules(self) -> dict[str, Any]:
        return {"modules": [{"id": one} for one in self.module_ids]}

    def request(self, method: str, path: str, body: Any = None) -> None:
        """The answer may say that it was refused already: then that is how it ended."""
        with contextlib.suppress(requests.RequestException):
            answer = self.client.raw(method, path, body)
            assert answer.status_code in {200, 202, 422}, answer.text

    def apply(self) -> None:
        answer = self.client.raw("POST", self.path, self.wanted_modules)
        assert answer.status_code == 200, answer.text
        self.client.wait_operation(self._of("instance.apply_modules"))

    def remove(self, module_id: str) -> None:
        answer = self.client.raw("DELETE", f"{self.path}/{module_id}")
        assert answer.status_code == 200, answer.text
        self.client.wait_operation(self._of("instance.remove_module"))

    def _of(self, kind: str) -> str:
        path = f"/operations?kind={kind}&target_id={self.instance_id}"
        found: str = self.client.ask("GET", path)["operations"][0]["id"]
        return found

    def has(self, *module_ids: str) -> list[str]:
        """Violations of: the instance has these and no others, by dbflow, by its guest and in its database."""
        violations = self.healthy()
        known = {one["id"]: one["md5"] for one in self.client.ask("GET", self.path)["modules"]}
        told = self.client.ask("GET", f"{self.path}?from_guest=1")["modules"]
        if {one["id"]: one["md5"] for one in told} != known or {one["status"] for one in told} - {"OK"}:
            violations.append(f"the guest has {told}, dbflow knows {known}")
        if set(known) != set(module_ids):
            violations.append(f"modules {known} instead of {module_ids}")
        with self.connection() as connection:
            there = bool(query(connection, "SHOW TABLES LIKE 'site'"))
        if there != (self.module_ids[1] in module_ids):
            violations.append(f"what the script makes is there: {there}")
        return violations

    def away(self) -> list[str]:
        found = super().away()
        for module_id in self.module_ids:
            self.client.ask("DELETE", f"/modules/{module_id}")
        return found


class ApplyModules(_Modules):
    """Both of two modules or none of them; and removed again."""

    kind: ClassVar[str] = "instance.apply_modules"

    def ask(self) -> None:
        self.request("POST", self.path, self.wanted_modules)

    def check(self, ends: str) -> list[str]:
        if ends != SUCCESS:
            return self.has()
        found = self.has(*self.module_ids)
        for module_id in self.module_ids:
            self.remove(module_id)
        return found


class RemoveModule(_Modules):
    """There or not; and applied again."""

    kind: ClassVar[str] = "instance.remove_module"

    def make(self) -> None:
        super().make()
        self.apply()

    def ask(self) -> None:
        self.request("DELETE", f"{self.path}/{self.module_ids[1]}")

    def check(self, ends: str) -> list[str]:
        if ends != SUCCESS:
            return self.has(*self.module_ids)
        found = self.has(self.module_ids[0])
        self.apply()
        return found


class Reapply(_Modules):
    """The instance has what the module is now, or (it is not undone, but broken off) one of what it was."""

    kind: ClassVar[str] = "module.reapply"
    number = 1

    def make(self) -> None:
        super().make()
        self.apply()

    def ask(self) -> None:
        self.number += 1
        path = f"/modules/{self.module_ids[1]}"
        self.client.ask("PUT", path, {"module": {"contents": encoded(SCRIPT % {"n": self.number})}})
        self.request("PUT", f"{path}/instances", {"reapply": {"force": 1}})

    def operation(self) -> dict[str, Any]:
        path = f"/operations?kind={self.kind}&target_id={self.module_ids[1]}"
        found = self.client.ask("GET", path)["operations"]
        assert found, "the operation was not recorded"
        newest: dict[str, Any] = found[0]
        return newest

    def check(self, ends: str) -> list[str]:
        violations = self.has(*self.module_ids)
        counts = self.client.ask("GET", f"/modules/{self.module_ids[1]}/instances?count_only=1")["instances"]
        if ends == SUCCESS and [one["current"] for one in counts] != [True]:
            violations.append(f"not what the module is now: {counts}")
        with self.connection() as connection:
            numbers = [number for (number,) in query(connection, "SELECT n FROM site ORDER BY n DESC LIMIT 1")]
        current = [one["current"] for one in counts] == [True]
        if (numbers == [self.number]) != current:
            violations.append(f"run {numbers}, current: {current}, of {self.number}")
        return violations
