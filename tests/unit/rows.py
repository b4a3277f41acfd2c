# SPDX-License-Identifier: Apache-2.0
"""A database with what every row of an instance refers to."""

import pathlib

from dbflow.db.models import Base, Datastore, DatastoreVersion
from dbflow.db.session import Database


def with_version(directory: pathlib.Path) -> Database:
    """SQLite, empty but for the datastore version ``v``; close it."""
    made = Database(f"sqlite:///{directory}/x.sqlite")
    Base.metadata.create_all(made.engine)
    with made.write() as session:
        session.add(Datastore(id="d", name="mariadb"))
        session.flush()
        session.add(DatastoreVersion(id="v", datastore_id="d", name="1", version="1", manager="mariadb"))
    return made
