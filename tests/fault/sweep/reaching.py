# SPDX-License-Identifier: Apache-2.0
"""Operations that let an instance be reached, or not."""

import contextlib
from typing import Any

import requests

from tests.fault.sweep.points import SUCCESS
from tests.fault.sweep.scenarios import Scenario
from tests.functional.stack import Client


def _send(client: Client, method: str, path: str, body: Any) -> None:
    """A server that dies with the request in hand is part of the game."""
    with contextlib.suppress(requests.RequestException):
        answer = client.raw(method, path, body)
        assert answer.status_code == 202, answer.text


class UpdateAccess(Scenario):
    """For everybody, and for nobody outside."""

    kind = "instance.update_access"
    public = False

    def ask(self) -> None:
        body = {"instance": {"access": {"is_public": not self.public}}}
        _send(self.client, "PUT", f"/instances/{self.instance_id}", body)

    def check(self, ends: str) -> list[str]:
        self.public ^= ends == SUCCESS
        shown = self.client.show(self.instance_id)["access"]
        return self.healthy() + ([] if shown == {"is_public": self.public} else [f"access {shown}"])


class Reboot(Scenario):
    """Another machine boot, the same database."""

    kind = "instance.reboot"

    def ask(self) -> None:
        _send(self.stack.admin(), "POST", f"/mgmt/instances/{self.instance_id}/action", {"reboot": {}})

    def boots(self, ends: str) -> set[int]:
        return {1} if ends == SUCCESS else {0, 1}

    def database_starts(self, ends: str) -> set[int]:
        return self.boots(ends)

    def check(self, ends: str) -> list[str]:
        return self.healthy()


class Stop(Scenario):
    """Down when it succeeded, and up again by a restart; else up."""

    kind = "instance.stop"

    def ask(self) -> None:
        _send(self.stack.admin(), "POST", f"/mgmt/instances/{self.instance_id}/action", {"stop": {}})

    def database_starts(self, ends: str) -> set[int]:
        return {0} if ends == SUCCESS else {0, 1}

    def check(self, ends: str) -> list[str]:
        if ends != SUCCESS:
            return self.healthy()
        shown = self.client.show(self.instance_id)
        found = [] if (shown["status"], shown["operating_status"]) == ("ACTIVE", "SHUTDOWN") else [f"shown {shown}"]
        if self.stack.database_server(self.instance_id) is not None:
            found.append("the database runs")
        self.client.wait_operation(self.client.act(self.instance_id, {"restart": {}}))
        return found + self.healthy()
