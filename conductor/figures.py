# SPDX-License-Identifier: Apache-2.0
"""What the conductors of a process tell Prometheus: of themselves, and, where one of them leads, of the whole."""

import datetime
import logging
import threading
import time
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from conductor.service import ConductorService
from dbflow.db import parked
from dbflow.db.models import Health, Instance, Notification, Operation, utcnow
from dbflow.db.session import Database
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.metrics import Metrics
from dbflow.operations import State

LOG = logging.getLogger(__name__)
_EVERY = 10.0
"""Seconds between two looks into SQL."""
_STALE = 60.0
"""Seconds after which what was seen there is not told any more."""
_NOT_OVER = [state for state in State if state not in (State.SUCCESS, State.REVERTED)]

Values = Mapping[tuple[str, ...], float]


class Figures:
    """Of some conductors of one process. What is asked for is in memory: an answer waits for no server."""

    def __init__(
        self, conductors: Sequence[ConductorService], dispatcher: Dispatcher, database: Database, silent_after: float
    ) -> None:
        """``silent_after``: seconds without a heartbeat after which a guest counts as silent."""
        self._conductors, self._dispatcher, self._database = conductors, dispatcher, database
        self._silent_after = datetime.timedelta(seconds=silent_after)
        self._seen: dict[str, Values] = {}
        self._seen_at = 0.0

    def tell(self, metrics: Metrics) -> None:
        """All of them from now on."""
        gauge = metrics.gauge
        gauge("dbflow_claims_held", "Operations that are claimed here.", [], self._claims)
        gauge("dbflow_leader", "1 where a conductor leads.", [], lambda: {(): float(self._leader is not None)})
        gauge("dbflow_broker_connected", "1 while the broker is there.", [], self._broker)
        gauge("dbflow_messages", "Messages of guests, by what became of them.", ["fate"], self._messages)
        gauge("dbflow_jobs", "Jobs on the board; told by the leader.", ["state"], self._jobs)
        gauge("dbflow_operations_unposted", "Operations that were not on the board; by the leader.", [], self._unposted)
        about = "Operations that have not come to a good end; by the leader."
        gauge("dbflow_operations", about, ["kind", "state"], lambda: self._of_sql("operations"))
        about = "Guests, heard of lately or silent; by the leader."
        gauge("dbflow_guests", about, ["state"], lambda: self._of_sql("guests"))
        about = "Notifications that wait to be sent; by the leader."
        gauge("dbflow_notifications_waiting", about, [], lambda: self._of_sql("notifications"))
        gauge("dbflow_orphans", "What no instance needs and is there; by the leader.", [], self._orphans)

    def keep(self) -> None:
        """Look into SQL now and then, in a thread of its own, while one of the conductors leads."""
        threading.Thread(target=self._go_round, name="figures", daemon=True).start()

    def look(self) -> None:
        """Into SQL, if one of the conductors leads."""
        if self._leader is None:
            self._seen = {}
            return
        with self._database.read() as session:
            by = (Operation.kind, Operation.state)
            query = (
                sa.select(*by, sa.func.count())
                .outerjoin(Instance, Instance.id == Operation.target_id)
                .where(Operation.state.in_(_NOT_OVER), sa.not_(parked.for_nothing()))
                .group_by(*by)
            )
            operations: Values = {(kind, state): count for kind, state, count in session.execute(query)}
            heard = sa.func.coalesce(
                sa.func.sum(sa.case((Health.seen >= utcnow() - self._silent_after, 1), else_=0)), 0
            )
            guests = session.execute(
                sa.select(sa.func.count(), heard)
                .select_from(Instance)
                .outerjoin(Health, Health.instance_id == Instance.id)
                .where(Instance.deleted.is_(False), Instance.server_id.is_not(None))
            ).one()
            notifications = session.scalar(sa.select(sa.func.count()).select_from(Notification)) or 0
        self._seen = {
            "operations": operations,
            "guests": {("heard",): float(guests[1]), ("silent",): float(guests[0] - guests[1])},
            "notifications": {(): float(notifications)},
        }
        self._seen_at = time.monotonic()

    @property
    def _leader(self) -> ConductorService | None:
        return next((one for one in self._conductors if one.leads), None)

    def _of_sql(self, what: str) -> Values:
        if self._leader is None or time.monotonic() - self._seen_at > _STALE:
            return {}
        return self._seen.get(what, {})

    def _claims(self) -> Values:
        return {(): sum(one.flows for one in self._conductors)}

    def _broker(self) -> Values:
        return {(): float(self._dispatcher.ready)}

    def _messages(self) -> Values:
        return {(fate,): count for fate, count in self._dispatcher.stats.copy().items()}

    def _jobs(self) -> Values:
        leader = self._leader
        counted = leader.jobs() if leader is not None else None
        return {("waiting",): counted[0], ("claimed",): counted[1]} if counted is not None else {}

    def _unposted(self) -> Values:
        leader = self._leader
        found = leader.unposted if leader is not None else None
        return {(): found} if found is not None else {}

    def _orphans(self) -> Values:
        leader = self._leader
        found = leader.orphans if leader is not None else None
        return {(): found} if found is not None else {}

    def _go_round(self) -> None:
        while True:
            try:
                self.look()
            except sa.exc.SQLAlchemyError as error:
                LOG.warning("figures put off: %s", type(error).__name__)
            time.sleep(_EVERY)
