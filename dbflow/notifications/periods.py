# SPDX-License-Identifier: Apache-2.0
"""Events that are told once a period.

Until when they were told is a row, which who tells them locks: two leaders tell them once. Periods lie one after the
other without a gap; while nobody leads, one grows.
"""

import datetime

from sqlalchemy.orm import Session

from dbflow.db.models import AuditPeriod, utcnow
from dbflow.db.session import Database

_EPOCH = datetime.datetime(1970, 1, 1)


class Periods:
    """Of one kind of event; they end at multiples of their length."""

    def __init__(self, name: str, seconds: int) -> None:
        """``name`` of the row; ``seconds`` of a period, 0: there are none."""
        self._name, self._seconds = name, seconds

    def over(self, database: Database) -> datetime.datetime | None:
        """When the last one ended, if nobody has told of it yet."""
        if not self._seconds:
            return None
        length = datetime.timedelta(seconds=self._seconds)
        end = _EPOCH + (utcnow() - _EPOCH) // length * length
        with database.read() as session:
            told = session.get(AuditPeriod, self._name)
        return None if told is not None and told.until >= end else end

    def take(self, session: Session, end: datetime.datetime) -> datetime.datetime | None:
        """In the transaction that tells of the period which ends there: when it began. None when somebody else has
        told of it, or nothing is known of what was before."""
        period = session.get(AuditPeriod, self._name, with_for_update=True, populate_existing=True)
        if period is None:
            session.add(AuditPeriod(name=self._name, until=end))
            return None
        if period.until >= end:
            return None
        begin, period.until = period.until, end
        return begin
