# SPDX-License-Identifier: Apache-2.0
"""Sources that wait for replicas that are no more: told so when they answer again."""

import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from dbflow import operations
from dbflow.crypto import Keyring
from dbflow.db.models import Instance, Operation, utcnow
from dbflow.db.session import Database
from dbflow.operations import ENDED
from dbflow.status import Task

KIND = "instance.settle_replicas"
_AGAIN = datetime.timedelta(seconds=60)
"""After an attempt."""
_BATCH = 100


class ReplicaKeeper:
    """Of one database. A source is told by whoever deletes its last replica; this is for those that did not answer
    then, and would let nobody write when they come back. It has the source to itself for that, so that none is asked
    while it is deleted: that would leave its queue behind."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database, self._keyring = database, keyring

    def keep(self) -> int:
        """One round: how many are being told from now on. Their jobs are posted with those that wait."""
        with self._database.read() as session:
            found = [one.id for one in session.scalars(_forsaken().limit(_BATCH)) if not _tried(session, one)]
        return sum(self._tell(source_id) for source_id in found)

    def _tell(self, source_id: str) -> bool:
        """Unless somebody has it by now. Found by its key, so that no row but its own is locked."""
        with self._database.write() as session:
            source = session.scalar(_forsaken().where(Instance.id == source_id).with_for_update())
            if source is None:
                return False
            operation = operations.accept(
                session,
                self._keyring,
                KIND,
                target_id=source.id,
                project_id=source.project_id,
                user_id=source.user_id,
                request_id=None,
                arguments={},
            )
            session.flush()
            source.operation_id = operation.id
        return True


def _forsaken() -> sa.Select[Instance]:
    replica = aliased(Instance)
    left = sa.exists().where(
        replica.replica_of_id == Instance.id, replica.deleted.is_(False), replica.task != Task.DELETING
    )
    return sa.select(Instance).where(
        Instance.replication.is_not(None),
        Instance.deleted.is_(False),
        Instance.operation_id.is_(None),
        Instance.replica_of_id.is_(None),
        ~left,
    )


def _tried(session: Session, source: Instance) -> bool:
    """Whether it is being told, or was a moment ago."""
    recent = sa.or_(Operation.state.not_in(ENDED), Operation.finished > utcnow() - _AGAIN)
    query = sa.select(sa.exists().where(Operation.target_id == source.id, Operation.kind == KIND, recent))
    return bool(session.scalar(query))
