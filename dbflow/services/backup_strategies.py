# SPDX-License-Identifier: Apache-2.0
"""Where, and how, backups are made when a request does not say: for a project, or for one of its instances."""

from typing import Any

import sqlalchemy as sa

from dbflow import quota
from dbflow.db.models import BackupStrategy
from dbflow.services import instances
from dbflow.services.backing_up import must_be_container
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.errors import NotFound


def every(services: Services, project_id: str, instance_id: str | None) -> list[BackupStrategy]:
    """The project's, or only that of an instance."""
    query = sa.select(BackupStrategy).where(BackupStrategy.project_id == project_id)
    if instance_id is not None:
        query = query.where(BackupStrategy.instance_id == instance_id)
    with services.database.read() as session:
        return list(session.scalars(query.order_by(BackupStrategy.instance_id)))


@contended
def create(services: Services, caller: Caller, wanted: dict[str, Any]) -> BackupStrategy:
    """Make it, in the place of the one that there was."""
    instance_id = wanted.get("instance_id") or ""
    must_be_container(wanted["swift_container"])
    with services.database.write() as session:
        project_id = caller.project_id
        if instance_id:
            project_id = instances.load(session, caller, instance_id).project_id
        # The row is not there to be locked: of two that make it at once, the second must find it.
        quota.lock(session, project_id)
        return session.merge(
            BackupStrategy(
                project_id=project_id,
                instance_id=instance_id,
                container=wanted["swift_container"],
                strategy=wanted.get("strategy"),
            )
        )


@contended
def delete(services: Services, project_id: str, instance_id: str | None) -> None:
    """The instance's, or the project's own. NotFound."""
    with services.database.write() as session:
        found = session.get(BackupStrategy, (project_id, instance_id or ""))
        if found is None:
            raise NotFound("Backup strategy cannot be found.")
        session.delete(found)
