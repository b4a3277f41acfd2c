# SPDX-License-Identifier: Apache-2.0
"""Replicas of a source."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.db.models import Instance
from dbflow.status import Task


def replicas_of(session: Session, source_id: str, *, lock: bool = False) -> Sequence[Instance]:
    """By id: those that are not deleted."""
    query = sa.select(Instance).where(Instance.replica_of_id == source_id, Instance.deleted.is_(False))
    query = query.order_by(Instance.id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.scalars(query).all()


def remaining(session: Session, source_id: str) -> int:
    """How many are there and are not being deleted."""
    query = sa.select(sa.func.count()).where(
        Instance.replica_of_id == source_id, Instance.deleted.is_(False), Instance.task != Task.DELETING
    )
    return int(session.scalar(query) or 0)
