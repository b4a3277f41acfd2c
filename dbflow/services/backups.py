# SPDX-License-Identifier: Apache-2.0
"""Backups: list, show, delete."""

import dataclasses

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow import operations, verbs
from dbflow.db.models import Backup, Datastore, DatastoreVersion, Instance, Operation
from dbflow.services import announcing, instances
from dbflow.services.backup_rows import families, load, missing, refusals
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.errors import Unprocessable


@dataclasses.dataclass(slots=True)
class Seen:
    """A backup with its datastore, as it is shown."""

    backup: Backup
    version: DatastoreVersion
    datastore: str


_SEEN = (
    sa.select(Backup, DatastoreVersion, Datastore.name)
    .join(DatastoreVersion, DatastoreVersion.id == Backup.datastore_version_id)
    .join(Datastore, Datastore.id == DatastoreVersion.datastore_id)
    .where(Backup.deleted == sa.false(), Backup.internal == sa.false())
)


@dataclasses.dataclass(frozen=True)
class Filters:
    """Which backups; None: any."""

    project_id: str | None
    instance_id: str | None = None
    datastore: str | None = None
    """By name or id."""


def page(services: Services, filters: Filters, limit: int, offset: int) -> tuple[list[Seen], int | None]:
    """The backups changed last, and the offset of the next page."""
    query = _SEEN
    if filters.project_id is not None:
        query = query.where(Backup.project_id == filters.project_id)
    if filters.instance_id is not None:
        query = query.where(Backup.instance_id == filters.instance_id)
    if filters.datastore is not None:
        query = query.where(sa.or_(Datastore.name == filters.datastore, Datastore.id == filters.datastore))
    query = query.order_by(Backup.updated.desc(), Backup.id).offset(offset).limit(limit + 1)
    with services.database.read() as session:
        found = [Seen(*row) for row in session.execute(query)]
    return found[:limit], offset + limit if len(found) > limit else None


def of_instance(
    services: Services, caller: Caller, instance_id: str, limit: int, offset: int
) -> tuple[list[Seen], int | None]:
    """Of an instance, which may be deleted: its backups outlive it."""
    with services.database.read() as session:
        owner = session.scalar(sa.select(Instance.project_id).where(Instance.id == instance_id))
    if owner is None or not (caller.is_admin or owner == caller.project_id):
        raise instances.missing(instance_id)
    return page(services, Filters(project_id=owner, instance_id=instance_id), limit, offset)


def show(services: Services, caller: Caller, backup_id: str) -> Seen:
    """One backup. An administrator sees every project's."""
    with services.database.read() as session:
        row = session.execute(_SEEN.where(Backup.id == backup_id)).one_or_none()
    if row is None or not (caller.is_admin or row[0].project_id == caller.project_id):
        raise missing(backup_id)
    return Seen(*row)


@contended
def delete(services: Services, caller: Caller, backup_id: str) -> str:
    """Delete a backup and those that are differences to it; returns the operation's id. Deleting twice is the same
    delete, which goes on if it was suspended. Unprocessable while one of them is being made, or an instance is being
    made from one."""
    with services.database.write() as session:
        backup = load(session, caller, backup_id, lock=True)
        running = session.get(Operation, backup.operation_id) if backup.operation_id is not None else None
        if running is not None and running.kind == "backup.delete" and running.target_id == backup.id:
            to_post = running if running.state == operations.State.SUSPENDED else None
            verbs.resume(session, running)
        else:
            to_post = running = _begin_delete(services, session, caller, backup)
    if to_post is not None:
        services.post_accepted(to_post)
    return running.id


def _begin_delete(services: Services, session: Session, caller: Caller, backup: Backup) -> Operation:
    known = families(session, [backup], lock=True)
    for why in refusals(session, known).values():
        raise Unprocessable(f"Backup {backup.id} can't be deleted: {why}.")
    going = known[backup.id]
    operation = operations.accept(
        session,
        services.keyring,
        "backup.delete",
        target_id=backup.id,
        project_id=backup.project_id,
        user_id=caller.user_id,
        request_id=caller.request_id,
        # The differences first: nothing is left whose base is gone.
        arguments={"backup_ids": [one.id for one in reversed(going)]},
    )
    announcing.operation(services, session, caller, operation, {"backup_id": backup.id})
    session.flush()
    for one in going:
        one.operation_id = operation.id
    return operation
