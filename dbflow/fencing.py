# SPDX-License-Identifier: Apache-2.0
"""The fence: of all the conductors that ever claimed an operation, only the newest may write for it.

A claim has an epoch, greater than that of every earlier claim of the same job. The claimer raises the operation's
epoch in SQL before it loads the flow; from then on every write of that flow checks it inside its own transaction.
A conductor that slept past its session therefore fails at its next write, whatever it was doing.
"""

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterator

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.orm import Session
from taskflow import exceptions

from dbflow.db.models import Operation, utcnow
from dbflow.db.session import Database
from dbflow.operations import ENDED, State


class StaleClaim(exceptions.ExecutionFailure):  # TaskFlow never retries this one, and never consumes the job for it
    """A newer claim exists: whoever sees this must stop, and leave the job alone."""


class AlreadyEnded(Exception):
    """The operation has ended; its job is a left-over and can be consumed."""


class NotRunnable(Exception):
    """The operation may not run now (suspended, or its predecessor has not ended)."""


_OPERATIONS = Operation.__table__
# Made once and without the ORM: it is part of every write of every flow.
_NEWEST = select(_OPERATIONS.c.epoch).where(_OPERATIONS.c.id == bindparam("id"))
_EPOCH = _NEWEST.with_for_update()


@dataclasses.dataclass
class Fence:
    """The right to write for one operation, as long as its epoch is the newest."""

    database: Database
    operation_id: str
    epoch: int
    stood: float = -math.inf
    """When it was last known to be the newest, by time.monotonic()."""

    def check(self, connection: Connection) -> None:
        """Raise StaleClaim unless this is the newest claim. Holds the operation's row until the transaction ends, so a
        newer claim waits for the commit (and sees what it wrote) or is seen here. Not by a shared lock: the ending
        writes the row too, and would deadlock with a cancel that waits for it."""
        self._compare(time.monotonic(), connection.scalar(_EPOCH, {"id": self.operation_id}))

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction of this claim."""
        with self.database.write() as session:
            self.check(session.connection())
            yield session

    def confirm(self, within: float = 0.0) -> None:
        """Raise StaleClaim unless this is the newest claim now, or was ``within`` so many seconds before. For what
        can't be part of a transaction."""
        asked = time.monotonic()
        if asked - self.stood < within:
            return
        with self.database.look() as cursor:
            self.database.prepared(_NEWEST).run(cursor, [{"id": self.operation_id}])
            found = cursor.fetchone()
        self._compare(asked, found[0] if found else None)

    def _compare(self, asked: float, newest: int | None) -> None:
        if newest != self.epoch:
            raise StaleClaim(f"operation {self.operation_id}: claim {self.epoch} was overtaken by {newest}")
        self.stood = asked


def take(database: Database, operation_id: str, epoch: int | None, conductor: str) -> tuple[Fence, Operation]:
    """Raise the operation's epoch to that of a fresh claim, and return the fence with the operation's row.

    ``epoch``: the claim's token; None where the board is inside this process and claims can't overlap, then the
    next number is taken. Raises StaleClaim, AlreadyEnded or NotRunnable.
    """
    with database.write() as session:
        row = session.get(Operation, operation_id, with_for_update=True)
        if row is None or row.state in ENDED:
            raise AlreadyEnded(operation_id)
        if row.state == State.SUSPENDED or _waits(session, row):
            raise NotRunnable(operation_id)
        mine = row.epoch + 1 if epoch is None else epoch
        if mine <= row.epoch:
            raise StaleClaim(f"operation {operation_id}: claim {mine} is older than {row.epoch}")
        # The row is locked from its reading on, so nobody comes between.
        row.epoch, row.conductor, row.attempts = mine, conductor, row.attempts + 1
        row.state = State.RUNNING if row.state == State.ACCEPTED else row.state
        row.started = row.started or utcnow()
    return Fence(database, operation_id, mine), row


def _waits(session: Session, operation: Operation) -> bool:
    """Whether the operation's predecessor has not ended."""
    if operation.after_id is None:
        return False
    state = session.scalar(select(Operation.state).where(Operation.id == operation.after_id))
    return state is not None and state not in ENDED
