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
from dbflow.services.errors import BadRequest, Conflict, NotFound
from dbflow.status import BackupState


@contended
def register(services: Services, caller: Caller, wanted: dict[str, Any]) -> str:
    """Record the backup that ``restore_from`` tells of; returns its id."""
    asked = wanted["restore_from"]
    container, prefix, manifest, checksum = restores.manifest_at(services, asked["remote_location"])
    if manifest.project_id != caller.project_id:
        raise NotFound("restore_from.remote_location: it cannot be found among the project's backups.")
    if manifest.data_size > float(asked["size"]):
        raise BadRequest(f"restore_from.size: the backup has {manifest.data_size:.2f} GiB.")
    with services.database.write() as session:
        version = _version(session, asked["local_datastore_version_id"], manifest)
        _must_have_key(services, session, caller.project_id)
        reserve(services, session, caller.project_id, {"backups": 1})
        backup = Backup(
            id=new_id(),
            name=wanted["name"],
            description=wanted.get("description"),
            project_id=caller.project_id,
            user_id=caller.user_id,
            parent_id=_parent(session, caller, manifest),
            state=BackupState.RESTORED,
            strategy=Strategy(manifest.strategy),
            datastore_version_id=version.id,
            container=container,
            prefix=prefix,
            registered=True,
            location=asked["remote_location"],
            checksum=checksum,
            size=manifest.data_size,
            position=manifest.position,
        )
        session.add(backup)
    return backup.id


def _version(session: Session, version_id: str, manifest: Manifest) -> DatastoreVersion:
    found = session.get(DatastoreVersion, version_id)
    if found is None or not found.active:
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


def _parent(session: Session, caller: Caller, manifest: Manifest) -> str | None:
    """Our row of the backup that this one is the difference to."""
    if manifest.parent_id is None:
        return None
    prefix = f"{manifest.project_id}/{manifest.parent_id}/"
    known = sa.select(Backup.id).where(
        Backup.project_id == caller.project_id, Backup.prefix == prefix, Backup.deleted == sa.false()
    )
    found = session.scalar(known.limit(1))
    if found is None:
        raise Conflict(f"restore_from: it is the difference to backup {manifest.parent_id}; register that one first.")
    return found
