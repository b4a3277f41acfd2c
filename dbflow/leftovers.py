# SPDX-License-Identifier: Apache-2.0
"""Objects of backups that are deleted: a guest that nobody could reach goes on with its stream, or a request of one
that was killed came late. Only what has a row is looked at: whatever else is in the store may be another dbflow's."""

import datetime
import logging
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from dbflow.db.models import Backup, utcnow
from dbflow.db.session import Database
from dbflow.objectstore import ObjectStore

LOG = logging.getLogger(__name__)
_MARGIN = 86400.0
"""Seconds: whoever was allowed to write at the end is given a day more."""


class Leftovers:
    """Of one database and store."""

    def __init__(self, database: Database, objects: ObjectStore, url_lifetime: float) -> None:
        """``url_lifetime``: seconds for which a guest may write."""
        self._database, self._objects = database, objects
        self._lately = datetime.timedelta(seconds=url_lifetime + _MARGIN)

    def find(self) -> set[str]:
        """Ids of the backups. StoreError."""
        return {backup.id for backup in self._deleted() if next(self._of(backup), None) is not None}

    def remove(self, backup_id: str) -> bool:
        """Delete what is left of a backup; whether it was deleted itself. StoreError."""
        for backup in self._deleted(Backup.id == backup_id):
            objects = self._objects.of(backup.project_id)
            for name in list(self._of(backup)):
                objects.delete(backup.container, name)
            LOG.warning("removed objects of backup %s, which is deleted", backup.id)
            return True
        return False

    def _of(self, backup: Backup) -> Iterator[str]:
        objects = self._objects.of(backup.project_id)
        return (name for name, _ in objects.sizes(backup.container, backup.prefix))

    def _deleted(self, *conditions: sa.ColumnElement[bool]) -> list[Backup]:
        """Those whose objects are nobody's: of a registered one they were never ours, and may be by another row."""
        other = aliased(Backup)
        used = sa.exists().where(
            other.container == Backup.container, other.prefix == Backup.prefix, other.deleted == sa.false()
        )
        query = sa.select(Backup).where(
            Backup.deleted == sa.true(),
            Backup.registered == sa.false(),
            Backup.deleted_at > utcnow() - self._lately,
            ~used,
            *conditions,
        )
        with self._database.read() as session:
            return list(session.scalars(query))
