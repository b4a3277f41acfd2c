# SPDX-License-Identifier: Apache-2.0
"""Backups that failed are kept for a while, for people to look at, and then deleted as if their owners had asked."""

import datetime

import sqlalchemy as sa

from dbflow import operations
from dbflow.crypto import Keyring
from dbflow.db.models import Backup, utcnow
from dbflow.db.session import Database
from dbflow.status import BackupState

_BATCH = 100


class Retention:
    """Of one database."""

    def __init__(self, seconds: float, database: Database, keyring: Keyring) -> None:
        """``seconds`` after the failure; 0: failed backups are kept for ever."""
        self._seconds, self._database, self._keyring = seconds, database, keyring

    def keep(self) -> int:
        """One round: how many are being deleted from now on. Their jobs are posted with those that wait."""
        if not self._seconds:
            return 0
        old = utcnow() - datetime.timedelta(seconds=self._seconds)
        query = (
            sa.select(Backup)
            .where(
                Backup.deleted == sa.false(),
                Backup.state == BackupState.FAILED,
                Backup.operation_id.is_(None),
                Backup.updated < old,
            )
            .limit(_BATCH)
            .with_for_update()
        )
        with self._database.write() as session:
            found = list(session.scalars(query))
            for backup in found:
                operation = operations.accept(
                    session,
                    self._keyring,
                    "backup.delete",
                    target_id=backup.id,
                    project_id=backup.project_id,
                    user_id=backup.user_id,
                    request_id=None,
                    arguments={"backup_ids": [backup.id]},
                )
                backup.operation_id = operation.id
        return len(found)
