# SPDX-License-Identifier: Apache-2.0
"""The logs of a server.

On the wire a log is {"name", "type" (USER, SYS), "status", "published" (bytes), "pending" (bytes)}. Failures are
NotFound for a log that there is not, StoreUnavailable, and DatastoreError.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, ClassVar

from guest.datastores.base import DatastoreError, Logs, Unsupported
from guest.streams.store import Store, StoreFailed
from guest.tasks.base import GuestTask


class StoreUnavailable(DatastoreError):
    """The object store does not work now."""


_PATIENCE = 30.0
"""Seconds for which an object store that does not work is tried."""


class LogTask(GuestTask):
    """Base of the tasks here."""

    deadline: ClassVar[float] = 60.0

    @property
    def logs(self) -> Logs:
        """Of the machine's plug-in."""
        if self.datastore.logs is None:
            raise Unsupported("This datastore has no logs to look at.")
        return self.datastore.logs

    def told(self, name: str) -> dict[str, Any]:
        """How a log is now."""
        return dataclasses.asdict(self.logs.one(name))


class ListLogs(LogTask):
    """How every log is."""

    reads_only: ClassVar[bool] = True

    def execute(self, instance_id: str) -> list[dict[str, Any]]:
        """Of users and of the system."""
        return [dataclasses.asdict(log) for log in self.logs.every()]


class EnableLog(LogTask):
    """Switch a user's log on."""

    def execute(self, instance_id: str, name: str) -> dict[str, Any]:
        """How it is then."""
        self.logs.enable(name)
        return self.told(name)


class DisableLog(LogTask):
    """Switch a user's log off."""

    runs_on_a_full_volume: ClassVar[bool] = True

    def execute(self, instance_id: str, name: str) -> dict[str, Any]:
        """How it is then."""
        self.logs.disable(name)
        return self.told(name)


class PublishLog(LogTask):
    """Send what is new in a log to the object store, or a part of it: other tasks wait for it."""

    deadline: ClassVar[float] = 600.0

    def execute(
        self, instance_id: str, name: str, store: Mapping[str, Any], directory: str, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        """``store``: the right to write; ``directory``: of the objects; ``headers`` that each is to keep. Returns how
        the log is then."""
        objects = Store(store, _PATIENCE)

        def send(part: str, data: bytes, lines: int) -> None:
            objects.put(f"{directory}/{part}", data, {**headers, "X-Object-Meta-Lines": str(lines)})

        try:
            self.logs.publish(name, send)
            told = self.told(name)
            objects.put(f"{directory}_metafile", json.dumps({"log_name": name, **told}).encode(), headers)
        except StoreFailed as error:
            raise StoreUnavailable(str(error)) from None
        return told


class DiscardLog(LogTask):
    """Forget what was sent, so that it can be thrown away."""

    def execute(self, instance_id: str, name: str) -> dict[str, Any]:
        """How the log is then, and ``before``: objects of such names, in the order of names, are not needed."""
        before = self.logs.discard(name)
        return {**self.told(name), "before": before}
