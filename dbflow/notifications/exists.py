# SPDX-License-Identifier: Apache-2.0
"""trove.instance.exists: once a period, of each instance that runs."""

import datetime
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.cloud.base import Flavor
from dbflow.db.models import DatastoreVersion, Instance
from dbflow.db.session import Database
from dbflow.notifications import usage
from dbflow.notifications.outbox import TASKMANAGER, Outbox
from dbflow.notifications.periods import Periods
from dbflow.status import Task

_BATCH = 500


class Exists:
    """Of one database."""

    def __init__(
        self, seconds: int, database: Database, outbox: Outbox, flavors: Callable[[], Sequence[Flavor]]
    ) -> None:
        """``seconds`` of a period; 0: never."""
        self._periods = Periods("exists", seconds)
        self._database, self._outbox, self._flavors = database, outbox, flavors

    def tell(self) -> int:
        """One look whether a period has ended: how many events."""
        end = self._periods.over(self._database)
        if end is None:
            return 0
        names = {flavor.id: flavor.name for flavor in self._flavors()}
        with self._database.write() as session:
            begin = self._periods.take(session, end)
            return 0 if begin is None else self._write(session, begin, end, names)

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
