# SPDX-License-Identifier: Apache-2.0
"""Making datastore versions known."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.db.models import Datastore, DatastoreVersion, new_id
from dbflow.db.session import Database
from dbflow.services import parameters
from dbflow.services.contention import contended


@contended
def ensure_datastore(
    database: Database,
    name: str,
    version_name: str,
    version_number: str,
    manager: str,
    image: str | None,
    default: bool = True,
) -> str:
    """Make a version (and its datastore) known, or bring it up to date; returns the version's id."""
    with database.write() as session:
        datastore = make_datastore(session, name)
        version = find_version(session, datastore.id, version_name, version_number)
        version = version or new_version(datastore.id, version_name, version_number)
        version.manager, version.image_id, version.active = manager, image, True
        keep_version(session, version)
        if default:
            datastore.default_version_id = version.id
        return version.id


def make_datastore(session: Session, name: str) -> Datastore:
    """The datastore of that name, locked: found, found deleted and there again, or made."""
    datastore = session.scalar(sa.select(Datastore).where(Datastore.name == name).with_for_update())
    if datastore is None:
        datastore = Datastore(id=new_id(), name=name)
        session.add(datastore)
        session.flush()
    datastore.deleted = False
    return datastore


def find_version(session: Session, datastore_id: str, name: str, number: str) -> DatastoreVersion | None:
    """The version of that name and number, deleted or not, locked."""
    query = sa.select(DatastoreVersion).where(
        DatastoreVersion.datastore_id == datastore_id,
        DatastoreVersion.name == name,
        DatastoreVersion.version == number,
    )
    return session.scalar(query.with_for_update())


def new_version(datastore_id: str, name: str, number: str) -> DatastoreVersion:
    """One that nobody knows yet: its manager is still to be said."""
    return DatastoreVersion(id=new_id(), datastore_id=datastore_id, name=name, version=number)


def keep_version(session: Session, version: DatastoreVersion) -> None:
    """There from now on, and its parameters with it."""
    version.deleted = False
    session.add(version)
    session.flush()
    parameters.make_known(session, version)
