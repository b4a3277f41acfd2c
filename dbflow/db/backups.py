# SPDX-License-Identifier: Apache-2.0
"""Chains of backups."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.db.models import Backup


def descendants(session: Session, backup: Backup, *, lock: bool = False) -> list[Backup]:
    """Those that are differences to it, and to those, parents first."""
    return descendants_of_each(session, [backup], lock=lock)[backup.id]


def descendants_of_each(session: Session, backups: Sequence[Backup], *, lock: bool = False) -> dict[str, list[Backup]]:
    """Id -> the descendants of that backup."""
    children: dict[str, list[Backup]] = {}
    asked: set[str] = set()
    parents = {backup.id for backup in backups}
    while parents:
        query = sa.select(Backup).where(Backup.parent_id.in_(parents), Backup.deleted == sa.false())
        found = session.scalars(query.with_for_update() if lock else query).all()
        for child in found:
            children.setdefault(str(child.parent_id), []).append(child)
        asked |= parents
        parents = {child.id for child in found} - asked
    return {backup.id: _below(backup.id, children) for backup in backups}


def _below(backup_id: str, children: dict[str, list[Backup]]) -> list[Backup]:
    found, parents = [], [backup_id]
    while parents:
        generation = [child for parent in parents for child in children.get(parent, ())]
        found += generation
        parents = [child.id for child in generation]
    return found
