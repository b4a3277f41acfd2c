# SPDX-License-Identifier: Apache-2.0
"""The objects of backups. Guests read and write them; what is here makes the rights, looks and removes."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from sqlalchemy.orm import Session

from dbflow.backupkeys import KeyMissing, backup_key, known_project_key, project_key
from dbflow.backupmanifest import NAME, BadManifest, Manifest
from dbflow.db.models import Backup, Datastore, DatastoreVersion, utcnow
from dbflow.fencing import Fence
from dbflow.objectstore.base import READ, WRITE, NoSuchObject, ObjectStore, StoreError, TooLarge
from dbflow.status import BackupState
from flows.tasks.base import LocalTask
from flows.tasks.tries import MANY


class ObjectTask(LocalTask):
    """Base of the tasks here. A stream of hours must not be in vain since the store is away at its end: the control
    plane waits for it as guests do, for ten minutes and more."""

    tries: ClassVar[int] = MANY


class OpenUpload(ObjectTask):
    """Make the container, and the guest's right to write the backup."""

    default_provides = "upload"

    def execute(self, backup_id: str) -> dict[str, Any]:
        """Return what guest.tasks.backup.MakeBackup takes as ``upload``."""
        with self.context.fence.write() as session:
            backup = session.get_one(Backup, backup_id)
            secret = project_key(session, self.context.keyring, backup.project_id)
            about = _about(session, backup)
            backup.state, backup.updated = BackupState.BUILDING, utcnow()
        objects, options = self.context.objects.of(backup.project_id), self.context.conf.backups
        objects.make_container(backup.container)
        return {
            "store": objects.grant(backup.container, backup.prefix, (WRITE,)).for_guest(),
            "backup_key": backup_key(secret, backup.prefix),
            "label": backup.prefix,
            "segment_size": options.segment_size,
            "level": options.compression_level,
            "patience": options.store_patience,
            "about": about,
        }

    def revert(self, backup_id: str, **_: Any) -> None:
        """Remove what came into the store."""
        with self.context.fence.database.read() as session:
            backup = session.get_one(Backup, backup_id)
        objects = self.context.objects.of(backup.project_id)
        remove_segments(objects, backup)
        objects.delete(backup.container, f"{backup.prefix}{NAME}")


class KeepBackup(ObjectTask):
    """See that all of the backup is in the store, and record it."""

    def execute(self, backup_id: str, made: Mapping[str, Any]) -> None:
        """``made``: what guest.tasks.backup.MakeBackup returned. What an interrupted stream left is removed."""
        with self.context.fence.write() as session:
            backup = session.get_one(Backup, backup_id)
            backup.state, backup.updated = BackupState.SAVING, utcnow()
        objects = self.context.objects.of(backup.project_id)
        manifest = _manifest(objects, backup, made["checksum"])
        _look_through(objects, backup, manifest)
        with self.context.fence.write() as session:
            backup = session.get_one(Backup, backup_id)
            backup.location = objects.location(backup.container, f"{backup.prefix}{NAME}")
            backup.checksum, backup.size, backup.position = made["checksum"], manifest.data_size, manifest.position
            backup.stored = manifest.stored
            backup.updated = utcnow()


class OpenDownload(ObjectTask):
    """Make the guest's right to read the backup."""

    default_provides = "download"

    def execute(self, backup_ids: Sequence[str]) -> dict[str, Any]:
        """Return what guest.tasks.backup.RestoreBackup takes as ``download``."""
        with self.context.fence.database.read() as session:
            chain = [session.get_one(Backup, backup_id) for backup_id in backup_ids]
            try:
                secret = known_project_key(session, self.context.keyring, chain[0].project_id)
            except KeyMissing as error:
                raise StoreError(str(error)) from None
        return {
            "patience": self.context.conf.backups.store_patience,
            "chain": [self._link(backup, secret) for backup in chain],
        }

    def _link(self, backup: Backup, secret: bytes) -> dict[str, Any]:
        objects = self.context.objects.of(backup.project_id)
        return {
            "strategy": backup.strategy,
            "backup_id": backup.id,
            "store": objects.grant(backup.container, backup.prefix, (READ,)).for_guest(),
            "backup_key": backup_key(secret, backup.prefix),
            "label": backup.prefix,
            "checksum": backup.checksum,
        }


class DeleteSegments(ObjectTask):
    """Remove what backups consist of, one backup after the other."""

    def execute(self, backup_ids: Sequence[str]) -> None:
        """Fine with what is gone."""
        for backup in _ours(self.context.fence, backup_ids):
            remove_segments(self.context.objects.of(backup.project_id), backup)


class DeleteManifests(ObjectTask):
    """Remove the objects that say what the others are."""

    def execute(self, backup_ids: Sequence[str]) -> None:
        """Last, since only a manifest knows all segments of its backup."""
        for backup in _ours(self.context.fence, backup_ids):
            self.context.objects.of(backup.project_id).delete(backup.container, f"{backup.prefix}{NAME}")


def _ours(fence: Fence, backup_ids: Sequence[str]) -> Iterator[Backup]:
    """Those whose objects are dbflow's."""
    for backup_id in backup_ids:
        with fence.database.read() as session:
            backup = session.get_one(Backup, backup_id)
        if not (backup.registered or backup.deleted):
            yield backup


def _look_through(objects: ObjectStore, backup: Backup, manifest: Manifest) -> None:
    """StoreError unless every segment is there in its size."""
    missing = {
        f"{backup.prefix}{manifest.object_name(number)}": segment.size
        for number, segment in enumerate(manifest.segments)
    }
    wanted = {*missing, f"{backup.prefix}{NAME}"}
    for name, size in objects.sizes(backup.container, backup.prefix):
        if missing.get(name) == size:
            del missing[name]
        elif name not in wanted:
            objects.delete(backup.container, name)
    # A listing of Swift's may be behind.
    missing = {name: size for name, size in missing.items() if objects.size(backup.container, name) != size}
    if missing:
        raise StoreError(f"Backup {backup.id} is not whole: {len(missing)} of its objects are not in the store.")


def remove_segments(objects: ObjectStore, backup: Backup) -> None:
    """What a listing has, and what it may not have yet: those that the manifest names, if that is the one which was
    looked through when the backup was made. All but the manifest."""
    manifest, gone = f"{backup.prefix}{NAME}", set()
    for name, _ in objects.sizes(backup.container, backup.prefix):
        if name != manifest:
            objects.delete(backup.container, name)
            gone.add(name)
    with contextlib.suppress(NoSuchObject, BadManifest, TooLarge):
        known = Manifest.of_bytes(objects.read(backup.container, manifest), backup.checksum or "")
        for number in range(len(known.segments)):
            name = f"{backup.prefix}{known.object_name(number)}"
            if name not in gone:
                objects.delete(backup.container, name)


def _about(session: Session, backup: Backup) -> dict[str, Any]:
    """Members of the manifest that the guest does not know."""
    version = session.get_one(DatastoreVersion, backup.datastore_version_id)
    return {
        "backup_id": backup.id,
        "project_id": backup.project_id,
        "parent_id": backup.parent_id,
        "datastore": session.get_one(Datastore, version.datastore_id).name,
        "datastore_version": version.version,
        "created": backup.created.isoformat(timespec="seconds"),
    }


def _manifest(objects: ObjectStore, backup: Backup, checksum: str) -> Manifest:
    try:
        data = objects.read(backup.container, f"{backup.prefix}{NAME}")
        found = Manifest.of_bytes(data, checksum)
    except (BadManifest, NoSuchObject, TooLarge) as error:
        raise StoreError(f"Backup {backup.id} is not whole: {error}") from None
    if (found.backup_id, found.project_id) != (backup.id, backup.project_id):
        raise StoreError(f"Backup {backup.id} is not whole: its manifest is of another backup.")
    return found
