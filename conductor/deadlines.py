# SPDX-License-Identifier: Apache-2.0
"""No operation takes for ever. One that has not ended within its deadline is cancelled, and so undone; one that has
not ended in as long a time again, or has no way back, is parked as FAILED with what is left named.

The time counts from when the operation was accepted, last cancelled, resumed or retried, and its predecessor had
ended. It stands still while the operation is suspended.
"""

import datetime
import logging
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from conductor.ending import finish
from conductor.leftovers import not_undone
from dbflow import verbs
from dbflow.crypto import BadSeal, Keyring
from dbflow.db.models import Operation, utcnow
from dbflow.db.session import Database
from dbflow.notifications.outbox import Outbox
from dbflow.operations import CANCEL, ENDED, State
from flows.registry import REGISTRY, UnknownOperation

LOG = logging.getLogger(__name__)


class Deadlines:
    """Of all operations."""

    def __init__(self, default: float, database: Database, keyring: Keyring, outbox: Outbox) -> None:
        """``default``: seconds for kinds that have no deadline of their own; 0: none."""
        self._default, self._database, self._keyring, self._outbox = default, database, keyring, outbox

    def enforce(self) -> None:
        """One round."""
        for operation_id, since, deadline in list(self._overdue()):
            try:
                self._look_at(operation_id, since, deadline)
            except (BadSeal, sa.exc.SQLAlchemyError) as error:  # a row that somebody holds, a key that is not here
                LOG.warning("operation %s: its deadline is put off: %s", operation_id, type(error).__name__)

    def _look_at(self, operation_id: str, since: datetime.datetime | None, deadline: float) -> None:
        """``since``: if that is another by now, somebody gave the operation new time meanwhile."""
        with self._database.write() as session:
            operation = session.get(Operation, operation_id, with_for_update=True)
            if operation is None or operation.state in (*ENDED, State.SUSPENDED) or operation.since != since:
                return
            self._expire(session, operation, deadline)

    def _overdue(self) -> Iterator[tuple[str, datetime.datetime | None, float]]:
        """(operation, since when its time counts, its deadline in seconds)"""
        before = aliased(Operation)
        query = (
            sa.select(Operation.id, Operation.kind, Operation.version, Operation.created, Operation.since)
            .add_columns(before.id, before.finished)
            .outerjoin(before, before.id == Operation.after_id)
            .where(Operation.state.not_in([*ENDED, State.SUSPENDED]))
        )
        now = utcnow()
        with self._database.read() as session:
            rows = session.execute(query).all()
        for operation_id, kind, version, created, since, predecessor, finished in rows:
            if predecessor is not None and finished is None:
                continue
            deadline = self._of(kind, version)
            began = max(when for when in (created, since, finished) if when is not None)
            if deadline and now - began > datetime.timedelta(seconds=deadline):
                yield operation_id, since, deadline

    def _of(self, kind: str, version: int) -> float:
        """0 for none, and for what this release does not know: another conductor's may."""
        try:
            own = REGISTRY.definition(kind, version).kind.deadline
        except UnknownOperation:
            return 0.0
        return self._default if own is None else own

    def _expire(self, session: Session, operation: Operation, deadline: float) -> None:
        definition = REGISTRY.definition(operation.kind, operation.version)
        error = f"it did not end within its deadline of {deadline:g} s"
        if definition.kind.cancellable and operation.requested != CANCEL:
            LOG.warning("operation %s: %s; cancelling it", operation.id, error)
            verbs.cancel(session, operation)
            operation.error = error
            return
        if operation.requested == CANCEL:
            error += ", nor was it undone in that time"
        error += not_undone(session, operation.flow_uuid)
        LOG.error("operation %s: %s; parking it", operation.id, error)
        operation.epoch += 1  # whoever runs it still may write no more
        session.flush()
        arguments = self._keyring.unseal(operation.arguments)
        finish(session, operation, definition, arguments, State.FAILED, error, self._outbox)
