# SPDX-License-Identifier: Apache-2.0
"""dbaas.quota: once a period, what each project may have and has of each resource."""

from typing import Any

import sqlalchemy as sa
from oslo_config import cfg
from sqlalchemy.orm import Session

from dbflow import quota
from dbflow.db.models import Backup, Instance, Quota, utcnow
from dbflow.db.session import Database
from dbflow.notifications.outbox import TASKMANAGER, Outbox
from dbflow.notifications.periods import Periods
from dbflow.notifications.usage import isotime


class Quotas:
    """Of one database."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, outbox: Outbox) -> None:
        self._conf, self._database, self._outbox = conf, database, outbox
        self._periods = Periods("quota", conf.notifications.quota_interval)

    def tell(self) -> int:
        """One look whether a period has ended: how many events."""
        end = self._periods.over(self._database)
        if end is None:
            return 0
        # Counted before the period is locked: of many projects that takes long.
        with self._database.read() as session:
            payloads = [one for project_id in _projects(session) for one in self._of(session, project_id)]
        with self._database.write() as session:
            if self._periods.take(session, end) is None:
                return 0
            self._outbox.put_all(session, TASKMANAGER, "dbaas.quota", payloads, {})
        return len(payloads)

    def _of(self, session: Session, project_id: str) -> list[dict[str, Any]]:
        allowed, used = quota.limits(session, self._conf, project_id), quota.usage(session, project_id)
        counted = isotime(utcnow())
        return [
            {
                "tenant_id": project_id,
                "resource": resource,
                "in_use": used[resource],
                "reserved": 0,
                "limit": allowed[resource],
                "updated": counted,
            }
            for resource in quota.RESOURCES
        ]


def _projects(session: Session) -> list[str]:
    """Those that have anything, or had, or have limits of their own."""
    owners = (sa.select(table.project_id) for table in (Instance, Backup, Quota))
    return sorted(session.scalars(sa.union(*owners)))
