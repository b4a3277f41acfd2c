# SPDX-License-Identifier: Apache-2.0
"""Machines that move to another host."""

import contextlib
from typing import ClassVar

import requests

from tests.fault.sweep.points import SUCCESS
from tests.fault.sweep.scenarios import Scenario


class Migrate(Scenario):
    """To and fro between two hosts; where it is, all of it is, and nowhere else."""

    kind: ClassVar[str] = "instance.migrate"
    host = ""

    def prepare(self) -> None:
        super().prepare()
        self.host = self.shown()

    def shown(self) -> str:
        """The host, as administrators see it."""
        server = self.stack.admin().ask("GET", f"/mgmt/instances/{self.instance_id}")["instance"]["server"]
        host: str = server["host"]
        return host

    def ask(self) -> None:
        with contextlib.suppress(requests.RequestException):
            path, body = f"/mgmt/instances/{self.instance_id}/action", {"migrate": {}}
            answer = self.stack.admin().raw("POST", path, body)
            assert answer.status_code == 202, answer.text

    def boots(self, ends: str) -> set[int]:
        return {1} if ends == SUCCESS else {0, 2}

    def database_starts(self, ends: str) -> set[int]:
        return {1} if ends == SUCCESS else {0, 1, 2}

    def check(self, ends: str) -> list[str]:
        violations, now = self.healthy(), self.shown()
        if (now != self.host) != (ends == SUCCESS):
            violations.append(f"on host {now}, it was on {self.host}")
        places = [path.parent.name for path in self.stack.cloud.glob(f"hosts/*/{self.instance_id}")]
        if places != [now]:
            violations.append(f"on host {now}, its disk on {places}")
        agent = self.stack.agent(self.instance_id)
        if agent is None or not agent.is_running():
            violations.append("no agent")
        return violations
