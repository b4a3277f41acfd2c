# SPDX-License-Identifier: Apache-2.0
"""Making backups: what of, where to, and how."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow import datastores, operations
from dbflow.datastores import Feature, Strategy
from dbflow.db.models import Backup, BackupStrategy, DatastoreVersion, Instance, Operation, new_id
from dbflow.objectstore import base as store
from dbflow.services import announcing, instances
from dbflow.services.actions import must_be_ready, must_not_be_stopped
from dbflow.services.backup_rows import load, of_reference
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.create import reserve
from dbflow.services.errors import BadRequest, Conflict, Unprocessable, Unsupported
from dbflow.status import BackupState


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
