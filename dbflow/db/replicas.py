# SPDX-License-Identifier: Apache-2.0
"""Replicas of a source."""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.db.models import DatastoreVersion, Instance
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
    return _count(session, source_id, Task.DELETING)


def following(session: Session, source_id: str) -> int:
    """How many of them are not still being made."""
    return _count(session, source_id, Task.DELETING, Task.BUILDING)


def _count(session: Session, source_id: str, *without: Task) -> int:
    query = sa.select(sa.func.count()).where(
        Instance.replica_of_id == source_id, Instance.deleted.is_(False), Instance.task.not_in(without)
    )
    return int(session.scalar(query) or 0)


def make_source(session: Session, source_id: str, follower_ids: Sequence[str], before: Sequence[str] = ()) -> None:
    """From now on the followers are replicas of the source; the login of replicas is the one that they had. ``before``:
    who was of the set, too, and is no more."""
    everybody = [source_id, *follower_ids]
    had = Instance.id.in_([*everybody, *before])
    login = session.scalar(sa.select(Instance.replication).where(had, Instance.replication.is_not(None)).limit(1))
    _set(session, before, replication=None)
    _set(session, everybody, replica_of_id=source_id, replication=None)
    _set(session, [source_id], replica_of_id=None, replication=login if follower_ids else None)


def versions_of(session: Session, instance_ids: Sequence[str]) -> dict[str, list[int]]:
    """Instance -> the numbers of its datastore's version, which compare as versions do."""
    query = (
        sa.select(Instance.id, DatastoreVersion.version)
        .join(DatastoreVersion, DatastoreVersion.id == Instance.datastore_version_id)
        .where(Instance.id.in_(instance_ids))
    )
    return {one: [int(part) for part in re.findall(r"\d+", version)] for one, version in session.execute(query)}


def change_task(session: Session, instance_ids: Sequence[str], before: Task, after: Task) -> None:
    """Of those that have that task; one of them may be being deleted by now."""
    those = sa.and_(Instance.id.in_(instance_ids), Instance.task == before)
    session.execute(sa.update(Instance).where(those).values(task=after))


def _set(session: Session, instance_ids: Sequence[str], **columns: str | None) -> None:
    session.execute(sa.update(Instance).where(Instance.id.in_(instance_ids)).values(**columns))
