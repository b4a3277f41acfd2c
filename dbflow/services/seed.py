# SPDX-License-Identifier: Apache-2.0
"""Making datastore versions known."""

import sqlalchemy as sa

from dbflow.db.models import Datastore, DatastoreVersion, new_id
from dbflow.db.session import Database
from dbflow.services import parameters


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
        datastore = session.scalars(sa.select(Datastore).where(Datastore.name == name)).first()
        if datastore is None:
            datastore = Datastore(id=new_id(), name=name)
            session.add(datastore)
            session.flush()
        version = session.scalars(
            sa.select(DatastoreVersion).where(
                DatastoreVersion.datastore_id == datastore.id,
                DatastoreVersion.name == version_name,
                DatastoreVersion.version == version_number,
            )
        ).first()
        if version is None:
            version = DatastoreVersion(
                id=new_id(), datastore_id=datastore.id, name=version_name, version=version_number, manager=manager
            )
            session.add(version)
        datastore.deleted = version.deleted = False
        version.manager, version.image_id, version.active = manager, image, True
        session.flush()
        parameters.make_known(session, version)
        if default:
            datastore.default_version_id = version.id
        return version.id
