# SPDX-License-Identifier: Apache-2.0
"""trove.instance.exists: once a period, of each instance that runs.

Until when it was told is a row, which who tells it locks: two leaders tell it once. Periods lie one after the other
without a gap; while nobody leads, one grows.
"""

import datetime
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.cloud.base import Flavor
from dbflow.db.models import AuditPeriod, DatastoreVersion, Instance, utcnow
from dbflow.db.session import Database
from dbflow.notifications import usage
from dbflow.notifications.outbox import TASKMANAGER, Outbox
from dbflow.status import Task

_NAME = "exists"
_BATCH = 500
_EPOCH = datetime.datetime(1970, 1, 1)


class Exists:
    """Of one database."""

    def __init__(
        self, seconds: int, database: Database, outbox: Outbox, flavors: Callable[[], Sequence[Flavor]]
    ) -> None:
        """``seconds`` of a period; 0: never."""
        self._seconds, self._database, self._outbox, self._flavors = seconds, database, outbox, flavors

    def tell(self) -> int:
        """One look whether a period has ended: how many events."""
        if not self._seconds:
            return 0
        end = self._last_boundary()
        with self._database.read() as session:
            told = session.get(AuditPeriod, _NAME)
        if told is not None and told.until >= end:
            return 0
        names = {flavor.id: flavor.name for flavor in self._flavors()}
        with self._database.write() as session:
            period = session.get(AuditPeriod, _NAME, with_for_update=True, populate_existing=True)
            if period is None:  # nothing is known of what was before
                session.add(AuditPeriod(name=_NAME, until=end))
                return 0
            if period.until >= end:
                return 0
            begin, period.until = period.until, end
            return self._write(session, begin, end, names)

    def _last_boundary(self) -> datetime.datetime:
        period = datetime.timedelta(seconds=self._seconds)
        return _EPOCH + (utcnow() - _EPOCH) // period * period

    def _write(self, session: Session, begin: datetime.datetime, end: datetime.datetime, names: dict[str, str]) -> int:
        period = {"audit_period_beginning": usage.isotime(begin), "audit_period_ending": usage.isotime(end)}
        count, last = 0, ""
        while rows := session.execute(_running(end, last)).all():
            payloads = [
                usage.traits(self._outbox, instance, manager, type_name=names.get(instance.flavor_id))
                | {"display_name": instance.name}
                | period
                for instance, manager in rows
            ]
            self._outbox.put_all(session, TASKMANAGER, "trove.instance.exists", payloads, {})
            count, last = count + len(rows), rows[-1][0].id
        return count


def _running(before: datetime.datetime, last: str) -> sa.Select[Instance, str]:
    """The next ones after ``last``: that have a server, and were there before the period ended."""
    return (
        sa.select(Instance, DatastoreVersion.manager)
        .join(DatastoreVersion, DatastoreVersion.id == Instance.datastore_version_id)
        .where(
            Instance.id > last,
            Instance.deleted == sa.false(),
            Instance.server_id.is_not(None),
            Instance.task != Task.DELETING,
            Instance.created < before,
        )
        .order_by(Instance.id)
        .limit(_BATCH)
    )
