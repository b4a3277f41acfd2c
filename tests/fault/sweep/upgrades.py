# SPDX-License-Identifier: Apache-2.0
"""Upgrades to the next release with its real server, and machines made anew."""

import contextlib
from typing import Any, ClassVar

import requests

from tests.fault.sweep.points import SUCCESS
from tests.fault.sweep.scenarios import ROWS, Scenario
from tests.functional.stack import query
from tests.functional.stack.rootfs import RELEASE, offer

OLD = "10.11"
STEP = "instance.drop_point"
UNDONE = {0, 1, 2}
"""Boots of a machine that has its old image again: it is made anew of that also when nobody knows whether it ever had
the new one."""


class _Upgraded(Scenario):
    """What an upgrade is tried on: an instance of the old release, each time."""

    needs_rootfs: ClassVar[bool] = True
    data: Any = None
    upgraded = False

    def prepare(self) -> None:
        offer(self.stack)
        if self.upgraded:
            self.away()
        self.upgraded = False
        super().prepare()
        self.data = self.look()[1]

    def look(self) -> tuple[str, Any]:
        """(the server's release, what it has)"""
        with self.connection() as connection:
            ((version,),) = query(connection, "SELECT VERSION()")
            return ".".join(version.split(".")[:2]), query(connection, "SELECT count(*), sum(n) FROM t")

    def ask(self) -> None:
        body = {"instance": {"datastore_version": RELEASE}}
        with contextlib.suppress(requests.RequestException):
            answer = self.client.raw("PATCH", f"/instances/{self.instance_id}", body)
            assert answer.status_code == 202, answer.text

    def both(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The newest upgrade, and the dropping of its backup point."""
        found = [self._newest(kind) for kind in ("instance.upgrade", STEP)]
        return found[0], found[1]

    def _newest(self, kind: str) -> dict[str, Any]:
        found = self.client.ask("GET", f"/operations?kind={kind}&target_id={self.instance_id}")["operations"]
        assert found, "the operation was not recorded"
        newest: dict[str, Any] = found[0]
        return newest

    def left(self) -> list[str]:
        """Violations: what is left of backup points."""
        data = self.stack.cloud / "volumes" / self.instance_id / "data"
        found = [path.name for path in data.iterdir() if "point" in path.name or "replaced" in path.name]
        return [f"left on the volume: {found}"] if found else []

    def is_of(self, release: str) -> list[str]:
        """Violations of what must be true of an instance of that release."""
        violations = self.healthy()
        found, data = self.look()
        if found != release:
            violations.append(f"the server is of {found} instead of {release}")
        if data != self.data or data[0][0] != ROWS:
            violations.append(f"the data is {data} instead of {self.data}")
        shown = self.client.show(self.instance_id)["datastore"]["version"]
        return violations + ([] if shown == release else [f"shown as {shown} instead of {release}"])


class Upgrade(_Upgraded):
    """The next release with all the data; or the old one with it, and no backup point either way."""

    kind: ClassVar[str] = "instance.upgrade"

    def operation(self) -> dict[str, Any]:
        """Done when nothing is left to be dropped."""
        upgrade, drop = self.both()
        parked = upgrade["state"] == "FAILED"
        return upgrade | {"done": upgrade["done"] and (drop["done"] or parked)}

    def boots(self, ends: str) -> set[int]:
        return {1} if ends == SUCCESS else UNDONE

    def database_starts(self, ends: str) -> set[int]:
        """For the upgrade alone, and for everybody; to see what it has, once more when the agent dies meanwhile; and
        the old one again."""
        return {2} if ends == SUCCESS else {0, 1, 2, 3, 4}

    def check(self, ends: str) -> list[str]:
        self.upgraded = ends == SUCCESS
        return self.is_of(RELEASE if self.upgraded else OLD) + self.left()


class DropPoint(_Upgraded):
    """The backup point is gone, or a fault says that it is not."""

    kind: ClassVar[str] = STEP

    def operation(self) -> dict[str, Any]:
        """Done when both are."""
        upgrade, drop = self.both()
        return drop | {"done": upgrade["done"] and drop["done"]}

    def boots(self, ends: str) -> set[int]:
        return {1}

    def database_starts(self, ends: str) -> set[int]:
        return {2}

    def check(self, ends: str) -> list[str]:
        self.upgraded = True
        violations = self.is_of(RELEASE)
        fault = self.client.show(self.instance_id).get("fault")
        if ends == SUCCESS:
            return violations + self.left() + ([f"fault {fault}"] if fault else [])
        return violations + ([] if fault else ["no fault"])


class Rebuild(Scenario):
    """Another machine, the same data."""

    kind: ClassVar[str] = "instance.rebuild"

    def ask(self) -> None:
        path, body = f"/mgmt/instances/{self.instance_id}/action", {"rebuild": {"image_id": "own"}}
        with contextlib.suppress(requests.RequestException):
            answer = self.stack.admin().raw("POST", path, body)
            assert answer.status_code == 202, answer.text

    def boots(self, ends: str) -> set[int]:
        return {1} if ends == SUCCESS else UNDONE

    def database_starts(self, ends: str) -> set[int]:
        return {1} if ends == SUCCESS else {0, 1, 2}

    def check(self, ends: str) -> list[str]:
        return self.healthy()
