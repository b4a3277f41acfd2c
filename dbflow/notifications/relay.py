# SPDX-License-Identifier: Apache-2.0
"""From the outbox to the broker, the oldest first; what was sent is forgotten, and what can't be sent is kept for a
while. Whoever dies in between has a successor that sends again what was sent last, with the same message id."""

import datetime
import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import sqlalchemy as sa
from oslo_config import cfg

from dbflow import faults
from dbflow.db.models import Notification, utcnow
from dbflow.db.session import Database
from dbflow.notifications.sending import NotSent

LOG = logging.getLogger(__name__)
_BATCH = 100
_LONGEST_REST = 15.0


class Sends(Protocol):
    """See dbflow.notifications.sending."""

    def send(self, message: dict[str, Any], context: dict[str, Any]) -> None:
        """Return when the broker has it. NotSent."""


class Relay:
    """Of one database."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, sender: Sends) -> None:
        options = conf.notifications
        self._retention = datetime.timedelta(seconds=options.retention)
        self._most: int = options.most_kept
        self._database, self._sender = database, sender
        self._turn = threading.Lock()
        self._failed, self._rest_until = 0, 0.0

    def send(self, wanted: Callable[[], bool]) -> int:
        """Send what there is, for as long as it is ``wanted``; how many. After a failure there is a pause."""
        if time.monotonic() < self._rest_until or not self._turn.acquire(blocking=False):
            return 0
        sent = 0
        try:
            while wanted() and (last := self._send_batch()):
                sent += last
            self._failed = 0
        except NotSent as error:
            self._failed += 1
            self._rest_until = time.monotonic() + min(_LONGEST_REST, 0.5 * 2**self._failed)
            LOG.warning("notifications are kept until they can be sent: %s", error)
        finally:
            self._turn.release()
        return sent

    def _send_batch(self) -> int:
        with self._database.read() as session:
            rows = session.scalars(sa.select(Notification).order_by(Notification.id).limit(_BATCH)).all()
        sent: list[int] = []
        try:
            for row in rows:
                faults.point("notification.kept")
                self._sender.send(_message(row), row.context)
                sent.append(row.id)
                faults.point("notification.sent")
        finally:
            self._forget(sent)
        return len(sent)

    def drop(self) -> int:
        """What is too old, or too much: how many."""
        newest, old = sa.func.max(Notification.id), Notification.created < utcnow() - self._retention
        with self._database.read() as session:
            too_many = (session.scalar(sa.select(newest)) or 0) - self._most
            edge = max(too_many, session.scalar(sa.select(newest).where(old)) or 0)
        dropped, query = 0, sa.select(Notification.id).where(Notification.id <= edge).order_by(Notification.id)
        while ids := self._some(query):
            self._forget(ids)
            dropped += len(ids)
        if dropped:
            LOG.error("%d notifications were dropped that could not be sent for too long", dropped)
        return dropped

    def _some(self, query: "sa.Select[int]") -> Sequence[int]:
        with self._database.read() as session:
            return session.scalars(query.limit(_BATCH)).all()

    def _forget(self, ids: Sequence[int]) -> None:
        """By their keys: a range would be locked, and with it the end of the table, where operations write."""
        if ids:
            with self._database.write() as session:
                session.execute(sa.delete(Notification).where(Notification.id.in_(ids)))


def _message(row: Notification) -> dict[str, Any]:
    """As oslo.messaging's Notifier makes them."""
    return {
        "message_id": row.message_id,
        "publisher_id": row.publisher_id,
        "event_type": row.event_type,
        "priority": "INFO",
        "payload": json.loads(row.payload),
        "timestamp": str(row.created),
    }
