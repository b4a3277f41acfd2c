# SPDX-License-Identifier: Apache-2.0
"""What is old, or belongs to nothing, goes out of SQL. The operation's own row stays, as audit."""

import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.db import modules, parked
from dbflow.db.models import (
    BackupStrategy,
    Conductor,
    Health,
    IdempotencyKey,
    Instance,
    InstanceTls,
    Operation,
    Sample,
    utcnow,
)
from dbflow.db.session import Database
from dbflow.operations import State
from dbflow.persistence.tables import LOGBOOKS

_BATCH = 500
_KEYS_FOR = datetime.timedelta(days=1)
_CONDUCTORS_FOR = datetime.timedelta(hours=1)
_HEALTH_FOR = datetime.timedelta(minutes=5)
"""A heartbeat that was on its way when its instance went may still be written down."""


class Purge:
    """Of one database."""

    def __init__(self, flow_retention: float, database: Database) -> None:
        """``flow_retention`` in seconds after the operation's end."""
        self._retention, self._database = datetime.timedelta(seconds=flow_retention), database

    def purge(self) -> None:
        """Forget flows that ended long ago or are nobody's, answered keys, silent conductors, and the health,
        modules, certificates and backup strategies of instances that are gone. Parked operations keep their flows:
        they can be retried."""
        now = utcnow()
        while self._purge_flows(now - self._retention) == _BATCH:
            pass
        with self._database.write() as session:
            session.execute(sa.delete(IdempotencyKey).where(IdempotencyKey.created < now - _KEYS_FOR))
            session.execute(sa.delete(Conductor).where(Conductor.seen < now - _CONDUCTORS_FOR))
            _purge_health(session, now - _HEALTH_FOR)
            modules.purge(session)
            _purge_certificates(session)
            _purge_strategies(session)
        self._purge_samples()

    def _purge_flows(self, ended: datetime.datetime) -> int:
        """One batch; how many. The database itself removes the flows and steps of a logbook with it."""
        old = (
            sa.select(LOGBOOKS.c.uuid)
            .outerjoin(Operation, Operation.id == LOGBOOKS.c.uuid)
            .outerjoin(Instance, Instance.id == Operation.target_id)
            .where(
                sa.or_(
                    sa.and_(Operation.finished < ended, sa.or_(Operation.state != State.FAILED, parked.for_nothing())),
                    sa.and_(Operation.id.is_(None), LOGBOOKS.c.created_at < ended),
                )
            )
            .limit(_BATCH)
        )
        with self._database.write() as session:
            found = session.scalars(old).all()
            session.execute(sa.delete(LOGBOOKS).where(LOGBOOKS.c.uuid.in_(found)))
        return len(found)

    def _purge_samples(self) -> None:
        """Those that a delete left behind. They are looked for without a lock, and what is found is removed by its key
        in small transactions: the table is large, and conductors write to it all the time."""
        sampled = sa.select(Sample.instance_id).distinct().subquery()
        gone = (
            sa.select(sampled.c.instance_id)
            .outerjoin(Instance, Instance.id == sampled.c.instance_id)
            .where(sa.or_(Instance.id.is_(None), Instance.deleted.is_(True)))
            .limit(_BATCH)
        )
        with self._database.read() as session:
            found = session.scalars(gone).all()
        for instance_id in found:
            with self._database.write() as session:
                session.execute(sa.delete(Sample).where(Sample.instance_id == instance_id))


def _purge_health(session: Session, heard: datetime.datetime) -> None:
    alive = sa.exists().where(Instance.id == Health.instance_id, Instance.deleted.is_(False))
    session.execute(sa.delete(Health).where(Health.seen < heard, ~alive))


def _purge_certificates(session: Session) -> None:
    gone = sa.select(InstanceTls.instance_id).join(Instance, Instance.id == InstanceTls.instance_id)
    for instance_id in session.scalars(gone.where(Instance.deleted.is_(True)).limit(_BATCH)).all():
        session.execute(sa.delete(InstanceTls).where(InstanceTls.instance_id == instance_id))


def _purge_strategies(session: Session) -> None:
    gone = sa.select(BackupStrategy).join(Instance, Instance.id == BackupStrategy.instance_id)
    for strategy in session.scalars(gone.where(Instance.deleted.is_(True)).limit(_BATCH)).all():
        session.delete(strategy)
