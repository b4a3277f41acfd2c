# SPDX-License-Identifier: Apache-2.0
"""Chains of backups."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.db.models import Backup


def descendants(session: Session, backup: Backup, *, lock: bool = False) -> Sequence[Backup]:
    """Those that are differences to it, and to those, parents first."""
    found: list[Backup] = []
    parents = [backup.id]
    while parents:
        query = sa.select(Backup).where(Backup.parent_id.in_(parents), Backup.deleted == sa.false())
        children = list(session.scalars(query.with_for_update() if lock else query))
        found += children
        parents = [child.id for child in children]
    return found
