# SPDX-License-Identifier: Apache-2.0
"""Ask a guest how it is."""

import dataclasses
import time
from typing import Any, ClassVar

from guest.tasks.base import GuestTask


class Ping(GuestTask):
    """Is the agent there?"""

    reads_only: ClassVar[bool] = True
    deadline: ClassVar[float] = 120.0

    def execute(self, instance_id: str) -> str:
        """The instance id of the machine that answers."""
        return self.datastore.machine.instance_id


class Status(GuestTask):
    """How is the database server?"""

    reads_only: ClassVar[bool] = True
    deadline: ClassVar[float] = 15.0

    def execute(self, instance_id: str) -> dict[str, Any]:
        """{"service_status": "HEALTHY", "version": "10.11.19", "position": "0-1-7", "load": {"questions": 12.0},
        "locked_out": False, "restart_required": False (None: not known), "at": seconds since 1970}"""
        at = time.time()
        health = dataclasses.asdict(self.datastore.lifecycle.health())
        return health | {"service_status": str(health["service_status"]), "at": at}


class LastLook(Status):
    """The same, where all is done, so that nothing has failed when nobody answers."""

    unanswered: ClassVar[frozenset[str]] = frozenset({"execute"})
