# SPDX-License-Identifier: Apache-2.0
"""Registering a backup whose objects are in our store and whose row is not here: ``restore_from``.

Such a backup was made by the control plane of another region that shares the store and the project's key, or by this
one before it lost its database. Its objects are not ours: they stay when it is deleted.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow import backupkeys
from dbflow.backupmanifest import Manifest
from dbflow.datastores import Strategy
from dbflow.db.models import Backup, Datastore, DatastoreVersion, new_id
from dbflow.services import restores
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.create import reserve
from dbflow.services.errors import BadRequest, Conflict
from dbflow.status import USABLE, BackupState


@contended
def register(services: Services, caller: Caller, wanted: dict[str, Any]) -> str:
    """Record the backup that ``restore_from`` tells of; returns its id."""
    asked = wanted["restore_from"]
    container, prefix, manifest, checksum = restores.manifest_at(services, caller.project_id, asked["remote_location"])
    if prefix != f"{caller.project_id}/{manifest.backup_id}/" or manifest.project_id != caller.project_id:
        raise Conflict("restore_from.remote_location: the manifest there is of another backup.")
    strategy = _strategy(manifest)
    if manifest.data_size > float(asked["size"]):
        raise BadRequest(f"restore_from.size: the backup has {manifest.data_size:.2f} GiB.")
    with services.database.write() as session:
        version = _version(session, asked["local_datastore_version_id"], manifest)
        _must_have_key(services, session, caller.project_id)
        reserve(services, session, caller.project_id, {"backups": 1})
        # Two at once take turns from here.
        _must_be_unknown(session, container, prefix)
        backup = Backup(
            id=new_id(),
            name=wanted["name"],
            description=wanted.get("description"),
            project_id=caller.project_id,
            user_id=caller.user_id,
            parent_id=_parent(session, caller, manifest),
            state=BackupState.RESTORED,
            strategy=strategy,
            datastore_version_id=version.id,
            container=container,
            prefix=prefix,
            registered=True,
            location=asked["remote_location"],
            checksum=checksum,
            size=manifest.data_size,
            stored=manifest.stored,
            position=manifest.position,
        )
        session.add(backup)
        if caller.once is not None:
            caller.once.accepted(session, None, backup.id)
    return backup.id


def _strategy(manifest: Manifest) -> Strategy:
    try:
        return Strategy(manifest.strategy)
    except ValueError:
        raise Conflict(f"restore_from: {manifest.strategy[:80]!r} backups are not known here.") from None


def _version(session: Session, version_id: str, manifest: Manifest) -> DatastoreVersion:
    found = session.get(DatastoreVersion, version_id)
    if found is None or found.deleted or not found.active:
        raise BadRequest(f"Datastore version '{version_id}' cannot be found. (local_datastore_version_id)")
    datastore = session.scalar(sa.select(Datastore.name).where(Datastore.id == found.datastore_id))
    if datastore != manifest.datastore:
        raise BadRequest(f"local_datastore_version_id: the backup is of {manifest.datastore}.")
    return found


def _must_have_key(services: Services, session: Session, project_id: str) -> None:
    try:
        backupkeys.known_project_key(session, services.keyring, project_id)
    except backupkeys.KeyMissing as error:
        raise Conflict(f"restore_from: {error} It can't be read here.") from None


def _must_be_unknown(session: Session, container: str, prefix: str) -> None:
    """Two rows of the same objects would not know of each other when one is deleted or restored."""
    known = sa.select(Backup.id).where(
        Backup.container == container, Backup.prefix == prefix, Backup.deleted == sa.false()
    )
    found = session.scalar(known.limit(1))
    if found is not None:
        raise Conflict(f"restore_from: it is backup {found} already.")


def _parent(session: Session, caller: Caller, manifest: Manifest) -> str | None:
    """Our row of the backup that this one is the difference to. Locked: nobody deletes it meanwhile."""
    if manifest.parent_id is None:
        return None
    prefix = f"{manifest.project_id}/{manifest.parent_id}/"
    known = sa.select(Backup).where(
        Backup.project_id == caller.project_id, Backup.prefix == prefix, Backup.deleted == sa.false()
    )
    found = session.scalar(known.limit(1).with_for_update())
    if found is None:
        raise Conflict(f"restore_from: it is the difference to backup {manifest.parent_id}; register that one first.")
    if found.state not in USABLE or found.operation_id is not None:
        raise Conflict(f"restore_from: it is the difference to backup {found.id}, which is not completed.")
    return found.id
