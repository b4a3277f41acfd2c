# SPDX-License-Identifier: Apache-2.0
"""Rows of backups, as other services load them too."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.db.models import Backup
from dbflow.services.context import Caller
from dbflow.services.errors import NotFound


def missing(backup_id: str) -> NotFound:
    """The error for a backup that is not there or not this caller's."""
    return NotFound(f"Backup {backup_id[:255]} cannot be found.")


def of_reference(reference: str) -> str:
    """The id at the end of an id or a link."""
    return reference.rstrip("/").rsplit("/", 1)[-1]


def load(session: Session, caller: Caller, backup_id: str, *, lock: bool = False) -> Backup:
    """The backup itself; ``lock`` keeps others from changing it."""
    query = sa.select(Backup).where(Backup.id == backup_id, Backup.deleted == sa.false())
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    found = session.scalar(query)
    if found is None or not (caller.is_admin or found.project_id == caller.project_id):
        raise missing(backup_id)
    return found
