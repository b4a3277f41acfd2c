# SPDX-License-Identifier: Apache-2.0
"""What one conductor of all does: fill the board from SQL, keep the cloud's servers up, purge what is old."""

import datetime
import logging
import threading
import time

import sqlalchemy as sa
from oslo_config import cfg
from sqlalchemy.orm import aliased

from dbflow.cloud.base import Cloud, CloudError
from dbflow.db.models import Conductor, IdempotencyKey, Operation, utcnow
from dbflow.db.session import Database
from dbflow.jobboard import Board, BoardUnavailable
from dbflow.operations import ENDED, State
from dbflow.persistence.tables import LOGBOOKS

LOG = logging.getLogger(__name__)

_GRACE = datetime.timedelta(seconds=2)
"""Who accepted an operation posts it itself right after; only later ones are left behind."""
_PURGE_EVERY = 300.0
_PURGE_BATCH = 500


class Leader:
    """The duties, round after round, for as long as this conductor leads."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, cloud: Cloud) -> None:
        self._conf, self._database, self._cloud = conf, database, cloud
        self._purged = 0.0

    def lead(self, board: Board, stop: threading.Event) -> None:
        """Until ``stop`` is set or the board's session is lost."""
        LOG.info("leading")
        while not stop.is_set() and not board.lost.is_set():
            self._round(board)
            stop.wait(self._conf.conductor.outbox_interval)

    def _round(self, board: Board) -> None:
        for duty in (lambda: self.fill(board), self._cloud.keep, self.purge):
            try:
                duty()
            except (BoardUnavailable, CloudError, sa.exc.SQLAlchemyError) as error:
                LOG.warning("leader's duty put off: %s", error)

    def fill(self, board: Board) -> int:
        """Post every operation that should be on the board and is not; returns how many."""
        posted = board.posted()
        waiting = [operation for operation in self._runnable() if operation.id not in posted]
        for operation in waiting:
            board.post(operation)
        if waiting:
            LOG.info("posted %d operations that were not on the board", len(waiting))
        return len(waiting)

    def _runnable(self) -> list[Operation]:
        before = aliased(Operation)
        query = (
            sa.select(Operation)
            .outerjoin(before, before.id == Operation.after_id)
            .where(
                Operation.state.not_in([*ENDED, State.SUSPENDED]),
                Operation.created < utcnow() - _GRACE,
                sa.or_(before.id.is_(None), before.state.in_(ENDED)),
            )
            .order_by(Operation.created)
        )
        with self._database.read() as session:
            return list(session.scalars(query))

    def purge(self) -> None:
        """Every five minutes: forget flows that ended ``flow_retention`` ago, answered keys, silent conductors."""
        if time.monotonic() - self._purged < _PURGE_EVERY:
            return
        self._purged = time.monotonic()
        now = utcnow()
        ended = now - datetime.timedelta(seconds=self._conf.conductor.flow_retention)
        with self._database.write() as session:
            old = session.scalars(
                sa.select(LOGBOOKS.c.uuid)
                .join(Operation, Operation.id == LOGBOOKS.c.uuid)
                .where(Operation.finished < ended, Operation.state != State.FAILED)
                .limit(_PURGE_BATCH)
            ).all()
            session.execute(sa.delete(LOGBOOKS).where(LOGBOOKS.c.uuid.in_(old)))
            session.execute(sa.delete(IdempotencyKey).where(IdempotencyKey.created < now - datetime.timedelta(days=1)))
            session.execute(sa.delete(Conductor).where(Conductor.seen < now - datetime.timedelta(hours=1)))
