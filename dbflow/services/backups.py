# SPDX-License-Identifier: Apache-2.0
"""Backups: list, show, create, delete."""

import dataclasses
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow import datastores, operations, verbs
from dbflow.datastores import Feature, Strategy
from dbflow.db.models import (
    Backup,
    BackupStrategy,
    Datastore,
    DatastoreVersion,
    Instance,
    Operation,
    new_id,
)
from dbflow.objectstore import base as store
from dbflow.services import announcing, instances
from dbflow.services.actions import must_be_ready, must_not_be_stopped
from dbflow.services.backup_rows import families, load, missing, of_reference, refusals
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.create import reserve
from dbflow.services.errors import BadRequest, Conflict, Unprocessable, Unsupported
from dbflow.status import BackupState


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
def create(services: Services, caller: Caller, wanted: dict[str, Any]) -> tuple[str, str]:
    """Record a backup and its operation; returns the ids of both. ``wanted`` is the ``backup`` of a body that fits
    the schema."""
    if not wanted.get("instance"):
        raise BadRequest("Validation error: backup 'instance' is a required property")
    _check_driver(services, wanted.get("storage_driver"))
    try:
        with services.database.write() as session:
            instance = instances.load(session, caller, of_reference(wanted["instance"]), lock=True)
            parent = _parent(session, caller, instance, wanted)
            must_be_ready(session, instance)
            must_not_be_stopped(session, instance)
            reserve(services, session, instance.project_id, {"backups": 1})
            backup = _backup(services, session, caller, instance, parent, wanted)
            session.add(backup)
            operation = _accept(services, session, caller, instance, backup, parent)
            operations.lock_instance(session, instance.id, operation)
    except operations.Busy as error:
        raise Unprocessable(str(error)) from None
    services.post_accepted(operation)
    return backup.id, operation.id


def _check_driver(services: Services, wanted: str | None) -> None:
    """Trove's clients say "swift" for whatever its store is; "cinder" means snapshots of volumes."""
    if wanted in (None, "swift", services.objects.name):
        return
    if wanted == "cinder":
        raise Unsupported("storage_driver: backups by snapshots of volumes are not supported.")
    raise BadRequest(f"storage_driver: {wanted[:80]!r} is not known.")


def _parent(session: Session, caller: Caller, instance: Instance, wanted: dict[str, Any]) -> Backup | None:
    """The backup that the new one is to be the difference to."""
    if wanted.get("parent_id"):
        parent = load(session, caller, of_reference(wanted["parent_id"]), lock=True)
        if parent.instance_id != instance.id:
            raise BadRequest(f"parent_id: backup {parent.id} is of another instance.")
        if parent.datastore_version_id != instance.datastore_version_id:
            raise BadRequest(f"parent_id: backup {parent.id} is of another datastore version.")
        if parent.state != BackupState.COMPLETED or parent.operation_id is not None:
            raise Conflict(f"parent_id: backup {parent.id} is not completed.")
        if parent.strategy != Strategy.PHYSICAL:
            raise BadRequest(f"parent_id: a {parent.strategy} backup can't be the base of an incremental one.")
        return parent
    if not wanted.get("incremental"):
        return None
    last = (
        sa.select(Backup)
        .where(
            Backup.instance_id == instance.id,
            Backup.datastore_version_id == instance.datastore_version_id,
            Backup.deleted == sa.false(),
            Backup.state == BackupState.COMPLETED,
            Backup.operation_id.is_(None),
            Backup.strategy == Strategy.PHYSICAL,
        )
        .order_by(Backup.created.desc())
        .limit(1)
    )
    return session.scalar(last.with_for_update())


def _backup(
    services: Services,
    session: Session,
    caller: Caller,
    instance: Instance,
    parent: Backup | None,
    wanted: dict[str, Any],
) -> Backup:
    container, strategy = _where_and_how(services, session, instance, wanted)
    if parent is not None:
        if wanted.get("strategy") not in (None, parent.strategy):
            raise BadRequest(f"strategy: an incremental backup is {parent.strategy}, as its parent is.")
        strategy = Strategy(parent.strategy)
    manager = session.scalar(
        sa.select(DatastoreVersion.manager).where(DatastoreVersion.id == instance.datastore_version_id)
    )
    datastore = datastores.load(str(manager))
    if not datastore.supports(Feature.BACKUP):
        raise Unsupported(f"{datastore.name} has no backups.")
    if strategy is not None and strategy not in datastore.strategies:
        raise BadRequest(f"strategy: {datastore.name} has no {strategy} backups.")
    backup_id = new_id()
    return Backup(
        id=backup_id,
        name=wanted["name"],
        description=wanted.get("description"),
        project_id=instance.project_id,
        user_id=caller.user_id,
        instance_id=instance.id,
        parent_id=parent.id if parent is not None else None,
        strategy=strategy or datastore.strategies[0],
        datastore_version_id=instance.datastore_version_id,
        container=container,
        prefix=f"{instance.project_id}/{backup_id}/",
    )


def _where_and_how(
    services: Services, session: Session, instance: Instance, wanted: dict[str, Any]
) -> tuple[str, Strategy | None]:
    """Container and strategy: the request's, the instance's, the project's, the configured ones."""
    query = (
        sa.select(BackupStrategy)
        .where(BackupStrategy.project_id == instance.project_id, BackupStrategy.instance_id.in_(["", instance.id]))
        .order_by(BackupStrategy.instance_id.desc())
    )
    known = list(session.scalars(query))
    containers = (wanted.get("swift_container"), *(one.container for one in known))
    strategies = (wanted.get("strategy"), *(one.strategy for one in known))
    container = next((one for one in containers if one), services.conf.object_store.container)
    must_be_container(container)
    strategy = next((one for one in strategies if one), None)
    return container, Strategy(strategy) if strategy else None


def must_be_container(name: str) -> None:
    """BadRequest for a name that no object store takes."""
    try:
        store.must_be_container(name)
    except store.StoreError as error:
        raise BadRequest(f"swift_container: {error}") from None


def _accept(
    services: Services, session: Session, caller: Caller, instance: Instance, backup: Backup, parent: Backup | None
) -> Operation:
    operation = operations.accept(
        session,
        services.keyring,
        "backup.create",
        target_id=instance.id,
        project_id=instance.project_id,
        user_id=caller.user_id,
        request_id=caller.request_id,
        arguments={
            "backup_id": backup.id,
            "strategy": backup.strategy,
            "parent": parent.position if parent is not None else None,
        },
    )
    start = {
        "name": backup.name,
        "instance_id": instance.id,
        "description": backup.description,
        "parent_id": backup.parent_id,
    }
    announcing.operation(services, session, caller, operation, start, backup_id=backup.id)
    session.flush()
    backup.operation_id = backup.made_by = operation.id
    if caller.once is not None:
        caller.once.accepted(session, operation.id, backup.id)
    return operation


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
