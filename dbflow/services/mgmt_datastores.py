# SPDX-License-Identifier: Apache-2.0
"""Versions of datastores, as administrators make and change them."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow import datastores
from dbflow.db.models import Backup, Configuration, Datastore, DatastoreVersion, Instance
from dbflow.db.session import Database
from dbflow.services import images
from dbflow.services.contention import contended
from dbflow.services.context import Services
from dbflow.services.errors import BadRequest, NotFound
from dbflow.services.seed import find_version, keep_version, make_datastore, new_version

_MADE: dict[str, tuple[Any, Any]] = {
    "instances": (Instance.datastore_version_id, Instance.deleted.is_(False)),
    "backups": (Backup.datastore_version_id, Backup.deleted.is_(False)),
    "configuration groups": (Configuration.datastore_version_id, sa.true()),
}
"""What is made of versions: of which one it is, and what of it is there."""
_PLAIN = ("name", "registry_ext", "repl_strategy", "packages", "image_tags", "active")


@dataclasses.dataclass(frozen=True)
class Known:
    """A version and its datastore."""

    version: DatastoreVersion
    datastore: Datastore

    @property
    def default(self) -> bool:
        """Whether an instance is made of it that names no version."""
        return self.datastore.default_version_id == self.version.id


def page(services: Services, limit: int, marker: str | None) -> tuple[Sequence[Known], str | None]:
    """By id; and the next page's marker."""
    query = _every().order_by(DatastoreVersion.id).limit(limit + 1)
    if marker is not None:
        query = query.where(DatastoreVersion.id > marker)
    with services.database.read() as session:
        found = [Known(version, datastore) for version, datastore in session.execute(query)]
    return found[:limit], found[limit - 1].version.id if len(found) > limit else None


def one(services: Services, version_id: str) -> Known:
    """NotFound."""
    with services.database.read() as session:
        return _one(session, version_id)


@contended
def create(services: Services, wanted: Mapping[str, Any]) -> None:
    """Make a version known, and its datastore if that is new. BadRequest when there is one of that name and number, or
    no plug-in of that name."""
    _must_be_manager(wanted["datastore_manager"])
    _must_have_image(wanted.get("image"), wanted.get("image_tags"))
    images.must_exist(services, wanted.get("image"), wanted.get("image_tags") or ())
    name = wanted["name"]
    number = wanted.get("version") or name
    with services.database.write() as session:
        datastore = make_datastore(session, wanted["datastore_name"])
        version = find_version(session, datastore.id, name, number)
        if version is not None and not version.deleted:
            raise _there_already(name, number)
        version = version or new_version(datastore.id, name, number)
        version.image_tags, version.packages = [], []
        version.registry_ext = version.repl_strategy = None
        _change(Known(version, datastore), wanted)
        keep_version(session, version)


def update(services: Services, version_id: str, wanted: Mapping[str, Any]) -> None:
    """See :func:`change`. BadRequest too when the cloud has no such image."""
    images.must_exist(services, wanted.get("image"), wanted.get("image_tags") or ())
    change(services.database, version_id, wanted)


@contended
def change(database: Database, version_id: str, wanted: Mapping[str, Any]) -> None:
    """What is not named stays. Instances that are there keep what they are made of. NotFound; BadRequest when there is
    one of that name, no plug-in of that name, or neither image nor tags are left."""
    if "datastore_manager" in wanted:
        _must_be_manager(wanted["datastore_manager"])
    with database.write() as session:
        known = _one(session, version_id, lock=True)
        if "name" in wanted and wanted["name"] != known.version.name:
            _must_be_free(session, known.version, wanted["name"])
        _change(known, wanted)
        if wanted.keys() & {"image", "image_tags"}:
            _must_have_image(known.version.image_id, known.version.image_tags)


@contended
def delete(services: Services, version_id: str) -> None:
    """BadRequest while there are instances, backups or configuration groups of it."""
    with services.database.write() as session:
        known = _one(session, version_id, lock=True)
        for what, (version, there) in _MADE.items():
            count = session.scalar(sa.select(sa.func.count()).where(version == version_id, there))
            if count:
                raise BadRequest(f"The datastore version {version_id} is in use by {count} {what}.")
        known.version.deleted, known.version.active = True, False
        if known.default:
            known.datastore.default_version_id = None


@contended
def delete_datastore(services: Services, reference: str) -> None:
    """By id or name. BadRequest while it has versions."""
    with services.database.write() as session:
        named = sa.or_(Datastore.id == reference, Datastore.name == reference)
        datastore = session.scalar(sa.select(Datastore).where(named, Datastore.deleted.is_(False)).with_for_update())
        if datastore is None:
            raise NotFound(f"Datastore '{reference[:255]}' cannot be found.")
        versions = sa.select(DatastoreVersion.id).where(
            DatastoreVersion.datastore_id == datastore.id, DatastoreVersion.deleted.is_(False)
        )
        if session.scalar(versions.limit(1)) is not None:
            raise BadRequest(f"The datastore {datastore.name} has versions; delete them first.")
        datastore.deleted, datastore.default_version_id = True, None


def _every() -> sa.Select[DatastoreVersion, Datastore]:
    return (
        sa.select(DatastoreVersion, Datastore)
        .join(Datastore, Datastore.id == DatastoreVersion.datastore_id)
        .where(DatastoreVersion.deleted.is_(False))
    )


def _one(session: Session, version_id: str, *, lock: bool = False) -> Known:
    query = _every().where(DatastoreVersion.id == version_id)
    found = session.execute(query.with_for_update() if lock else query).one_or_none()
    if found is None:
        raise NotFound(f"Datastore version '{version_id[:255]}' cannot be found.")
    return Known(*found)


def _change(known: Known, wanted: Mapping[str, Any]) -> None:
    version, datastore = known.version, known.datastore
    for name in wanted.keys() & set(_PLAIN):
        setattr(version, name, wanted[name])
    if "image" in wanted:
        version.image_id = wanted["image"]
    elif wanted.get("image_tags"):
        version.image_id = None  # which would count first
    if "datastore_manager" in wanted:
        version.manager = wanted["datastore_manager"]
    if "default" in wanted:
        if wanted["default"]:
            datastore.default_version_id = version.id
        elif known.default:
            datastore.default_version_id = None


def _must_be_manager(name: str) -> None:
    if name not in datastores.managers():
        known = ", ".join(sorted(datastores.managers()))
        raise BadRequest(f"datastore_manager: there is no plug-in {name[:80]!r}; installed: {known}.")


def _must_have_image(image: str | None, tags: Sequence[str] | None) -> None:
    if not image and not tags:
        raise BadRequest("image: an image or image tags must be specified.")


def _must_be_free(session: Session, version: DatastoreVersion, name: str) -> None:
    if find_version(session, version.datastore_id, name, version.version) is not None:
        raise _there_already(name, version.version)


def _there_already(name: str, number: str) -> BadRequest:
    return BadRequest(f"A datastore version with the name {name!r} and the number {number!r} already exists.")
