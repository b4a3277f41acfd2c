# SPDX-License-Identifier: Apache-2.0
"""What one conductor of all does: fill the board from SQL, see to deadlines, keep the cloud's servers up, look for
orphans, for guests that the broker has forgotten or has again, and for sources without replicas, renew certificates,
purge what is old, delete failed backups, send notifications."""

import datetime
import logging
import threading
import time
from collections.abc import Callable

import sqlalchemy as sa
from oslo_config import cfg
from sqlalchemy.orm import aliased

from conductor.certificates import CertificateKeeper
from conductor.channels import ChannelKeeper
from conductor.deadlines import Deadlines
from conductor.purge import Purge
from conductor.replicas import ReplicaKeeper
from conductor.retention import Retention
from conductor.telling import Telling
from dbflow import objectstore
from dbflow.cloud.base import Cloud, CloudError
from dbflow.crypto import Keyring
from dbflow.db.models import Operation, utcnow
from dbflow.db.session import Database
from dbflow.jobboard import Board, BoardUnavailable
from dbflow.leftovers import Leftovers
from dbflow.messaging.census import Census
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.messaging.errors import BrokerUnavailable
from dbflow.notifications.outbox import Outbox
from dbflow.operations import ENDED, State
from dbflow.orphans import Orphanage, OrphanBook

LOG = logging.getLogger(__name__)

_GRACE = datetime.timedelta(seconds=2)
"""Who accepted an operation posts it itself right after; only later ones are left behind."""
_PURGE_EVERY = 300.0
_REPLICAS_EVERY = 15.0
_DEADLINES_EVERY = 5.0
_FILL_BATCH = 1000
"""Jobs posted in a round."""

Duty = Callable[[], object]


class Every:
    """A duty that has its time."""

    def __init__(self, seconds: float, duty: Duty) -> None:
        """Never, when ``seconds`` is 0."""
        self._seconds, self._duty, self._due = seconds, duty, 0.0

    def __call__(self) -> None:
        if self._seconds and time.monotonic() >= self._due:
            self._due = time.monotonic() + self._seconds
            self._duty()


class Leader:
    """The duties, round after round, for as long as this conductor leads."""

    def __init__(
        self, conf: cfg.ConfigOpts, database: Database, keyring: Keyring, cloud: Cloud, dispatcher: Dispatcher
    ) -> None:
        options = conf.conductor
        self._interval: float = options.outbox_interval
        self._database = database
        outbox = Outbox.from_conf(conf)
        deadlines = Deadlines(options.operation_deadline, database, keyring, outbox)
        self._deadlines = Every(_DEADLINES_EVERY, deadlines.enforce)
        census = Census(conf.messaging, dispatcher)
        leftovers = Leftovers(database, objectstore.load(conf), conf.object_store.url_lifetime)
        self._orphanage = Orphanage(database, cloud, census, leftovers)
        self._book = OrphanBook(database, options.orphan_grace)
        self._slow: list[Duty] = [
            cloud.keep,
            Every(options.orphan_interval, ChannelKeeper(database, census, self._orphanage, dispatcher).keep),
            Every(options.orphan_interval, self.look_for_orphans),
            Every(_PURGE_EVERY, Purge(options.flow_retention, database).purge),
            Every(_REPLICAS_EVERY, ReplicaKeeper(database, keyring).keep),
            Every(conf.tls.check_interval, CertificateKeeper(conf, database, keyring).keep),
            Every(_PURGE_EVERY, Retention(conf.backups.failed_retention, database, keyring).keep),
        ]
        self._telling = Telling(conf, database, cloud, outbox) if outbox.on else None
        self._orphans: int | None = None
        self.unposted: int | None = None
        """How many operations were not on the board at the last look."""
        self._term: Board | None = None
        self._terms = threading.Lock()

    def lead(self, board: Board, stop: threading.Event) -> None:
        """Until ``stop`` is set or the board's session is lost. A cloud that is slow holds up its own duties only."""
        LOG.info("leading")
        with self._terms:
            self._term, self._orphans, self.unposted = board, None, None

        def leads() -> bool:
            return not stop.is_set() and not board.lost.is_set()

        beside, telling = [self._slow], self._telling
        if telling is not None:
            beside.append([lambda: telling.round(leads)])
        for duties in beside:
            threading.Thread(target=self._go_round, args=(leads, stop, duties), daemon=True).start()
        self._go_round(leads, stop, [lambda: self.fill(board), self._deadlines])

    def _go_round(self, leads: Callable[[], bool], stop: threading.Event, duties: list[Duty]) -> None:
        while leads():
            for duty in duties:
                try:
                    duty()
                except (BoardUnavailable, BrokerUnavailable, CloudError, sa.exc.SQLAlchemyError) as error:
                    LOG.warning("leader's duty put off: %s", error)
                except Exception:
                    LOG.exception("leader's duty")
            stop.wait(self._interval)

    def look_for_orphans(self) -> None:
        """Report what carries the name of an instance that does not need it."""
        term = self._term
        found = self._book.write(self._orphanage.find())
        with self._terms:
            if term is self._term:  # a look may outlive the session in which it was begun
                self._orphans = found

    def orphans(self, board: Board | None) -> int | None:
        """How many are reported; None where this conductor has not looked since it leads by that board's session."""
        with self._terms:
            return self._orphans if board is not None and self._term is board else None

    def fill(self, board: Board) -> int:
        """Post every operation that should be on the board and is not; returns how many."""
        posted = board.posted()
        missing = [operation_id for operation_id in self._runnable() if operation_id not in posted]
        self.unposted = len(missing)
        waiting = self._load(missing)
        for operation in waiting:
            board.post(operation)
        if waiting:
            LOG.info("posted %d operations that were not on the board", len(waiting))
        return len(waiting)

    def _runnable(self) -> list[str]:
        """Ids only: thousands may wait, and hardly ever is one of them not on the board."""
        before = aliased(Operation)
        query = (
            sa.select(Operation.id)
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

    def _load(self, operation_ids: list[str]) -> list[Operation]:
        """As many of them as one round posts, the oldest first."""
        if not operation_ids:
            return []
        query = sa.select(Operation).where(Operation.id.in_(operation_ids[:_FILL_BATCH])).order_by(Operation.created)
        with self._database.read() as session:
            return list(session.scalars(query))
