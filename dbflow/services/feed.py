# SPDX-License-Identifier: Apache-2.0
"""Changes of operations as they happen."""

import contextlib
import time
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from dbflow.db.models import Operation
from dbflow.db.session import Database
from dbflow.operations import ENDED
from dbflow.persistence.steps import steps_of
from dbflow.services.fan import END, Fan, Parts, Seats


class Feed(Fan[str]):
    """Watches operations by their ids. Events: ("operation" | "step", what it is now), and ("end", {"at": …})."""

    name = "operation-feed"

    def __init__(self, database: Database, interval: float, seats: Seats) -> None:
        super().__init__(interval, seats)
        self._database = database

    def wait(self, operation_id: str, timeout: float, user_id: str) -> None:
        """Return when the operation has ended, or after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        step = max(0.01, min(timeout, self._interval))
        with contextlib.closing(self.watch(operation_id, step, user_id)) as viewing:
            for _ in viewing:
                if time.monotonic() >= deadline:
                    return

    def look(self, keys: Collection[str]) -> dict[str, Parts]:
        """The operation after its steps, so that its end comes after theirs."""
        with self._database.read() as session:
            found = session.execute(_OPERATIONS, {"ids": list(keys)}).all()
            return {
                row.id: {
                    **{
                        f"step {step.name}": ("step", {"name": step.name, **step.as_dict()})
                        for step in sorted(steps_of(session, row.flow_uuid), key=lambda step: step.name)
                    },
                    "operation": ("operation", _operation(row)),
                    **_end(row),
                }
                for row in found
            }


_OPERATIONS = sa.select(
    Operation.id,
    Operation.flow_uuid,
    Operation.state,
    Operation.requested,
    Operation.error,
    Operation.attempts,
    Operation.finished,
).where(Operation.id.in_(sa.bindparam("ids", expanding=True)))


def _operation(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "state": row.state,
        "done": row.state in ENDED,
        "requested": row.requested,
        "attempts": row.attempts,
        "error": row.error,
    }


def _end(row: Any) -> Parts:
    return {END: (END, {"at": row.finished and row.finished.isoformat()})} if row.state in ENDED else {}
