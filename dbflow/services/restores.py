# SPDX-License-Identifier: Apache-2.0
"""What a new instance may be made from: a backup, or a chain of a full one and the differences to it."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.backupmanifest import NAME, BadManifest, Manifest, digest
from dbflow.db.models import Backup
from dbflow.objectstore.base import NoSuchObject, StoreError, StoreUnavailable
from dbflow.services.backup_rows import load, of_reference
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest, Conflict, Forbidden, NotFound, Unavailable
from dbflow.status import USABLE


def check(
    session: Session, caller: Caller, reference: str, version_id: str, volume_size: int, *, lock: bool = False
) -> list[Backup]:
    """The chain of the backup that ``restorePoint`` names, the full one first. Locked, nobody deletes one of them
    before the new instance says that it is being made from it."""
    try:
        last = load(session, caller, of_reference(reference), lock=lock)
    except NotFound as error:
        raise NotFound(f"{error} (restorePoint.backupRef)") from None
    chain = [last]
    while chain[0].parent_id is not None:
        query = sa.select(Backup).where(Backup.id == chain[0].parent_id, Backup.deleted == sa.false())
        parent = session.scalar(query.with_for_update() if lock else query)
        if parent is None:
            raise Conflict(f"Backup {chain[0].id} can't be restored: its parent {chain[0].parent_id} is gone.")
        chain.insert(0, parent)
    for backup in chain:
        if backup.state not in USABLE or backup.operation_id is not None:
            raise Conflict(f"Backup {backup.id} is not completed. (restorePoint.backupRef)")
    if last.datastore_version_id != version_id:
        raise BadRequest(f"Backup {last.id} is of another datastore version. (datastore.version)")
    # The first of a chain may have had more data than the last, and it is extracted first.
    size = max(backup.size or 0.0 for backup in chain)
    if size > volume_size:
        raise Forbidden(
            f"Backup {last.id} is too large for the volume: {size:.2f} GiB need more than {volume_size} GiB."
        )
    return chain


def check_objects(services: Services, chain: list[Backup]) -> None:
    """NotFound when a manifest is gone, Conflict when it is not the one that was written. Segments are verified as
    they are read."""
    for backup in chain:
        data = read(services, backup.project_id, backup.container, f"{backup.prefix}{NAME}")
        if backup.checksum != digest(data):
            raise Conflict(f"Backup {backup.id} is damaged: its manifest is not the one that was written.")


def manifest_at(services: Services, project_id: str, location: str) -> tuple[str, str, Manifest, str]:
    """(container, prefix, manifest, its SHA-256) of the project's backup whose manifest is at a location of our
    store."""
    try:
        container, name = services.objects.of(project_id).parse(location)
    except StoreUnavailable as error:
        raise Unavailable(str(error), {"Retry-After": "5"}) from None
    except StoreError as error:
        raise BadRequest(f"restore_from.remote_location: {error}") from None
    prefix, _, last = name.rpartition("/")
    if last != NAME:
        raise BadRequest(f"restore_from.remote_location: it must end with /{NAME}.")
    if not prefix.startswith(f"{project_id}/"):
        raise NotFound("restore_from.remote_location: it cannot be found among the project's backups.")
    data = read(services, project_id, container, name)
    try:
        return container, f"{prefix}/", Manifest.of_bytes(data), digest(data)
    except BadManifest as error:
        raise Conflict(f"restore_from.remote_location: {error}") from None


def read(services: Services, project_id: str, container: str, name: str) -> bytes:
    """A manifest of a project's; the errors are for clients."""
    try:
        return services.objects.of(project_id).read(container, name)
    except NoSuchObject:
        raise NotFound(f"Backup file {name} cannot be found in the object store.") from None
    except StoreUnavailable as error:
        raise Unavailable(str(error), {"Retry-After": "5"}) from None
    except StoreError as error:
        raise BadRequest(str(error)) from None
