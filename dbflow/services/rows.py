# SPDX-License-Identifier: Apache-2.0
"""What is read of an instance: one statement for any number of them, whatever there is in the table."""

import datetime
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.db.models import Configuration, Datastore, DatastoreVersion, Health, Instance
from dbflow.services.errors import BadRequest

_INSTANCE, _VERSION = Instance.__table__.c, DatastoreVersion.__table__.c
_DATASTORE, _HEALTH = Datastore.__table__.c, Health.__table__.c
_CONFIGURATION = Configuration.__table__.c
_REPLICA = Instance.__table__.alias("replica")
# Tables, not mapped classes: a list is the hottest request, and loading through the mapper doubles its time.
_COLUMNS = (
    _INSTANCE.id,
    _INSTANCE.name,
    _INSTANCE.project_id,
    _INSTANCE.task,
    _INSTANCE.created,
    _INSTANCE.updated,
    _INSTANCE.flavor_id,
    _INSTANCE.volume_size,
    _INSTANCE.region,
    _INSTANCE.locality,
    _INSTANCE.access,
    _INSTANCE.addresses,
    _INSTANCE.hostname,
    _INSTANCE.server_id,
    _INSTANCE.volume_id,
    _INSTANCE.replica_of_id,
    _INSTANCE.fault,
    _INSTANCE.configuration_id,
    sa.select(_CONFIGURATION.name)
    .where(_CONFIGURATION.id == _INSTANCE.configuration_id)
    .scalar_subquery()
    .label("configuration"),
    _DATASTORE.name.label("datastore"),
    _VERSION.name.label("version"),
    _VERSION.version.label("version_number"),
    _HEALTH.service_status,
    _HEALTH.seen,
    _HEALTH.volume_used,
    _HEALTH.volume_total,
    # Deleted ones too: asked for "deleted" as well, SQLite would walk that index, through every instance there is.
    sa.exists().where(_REPLICA.c.replica_of_id == _INSTANCE.id).label("had_replicas"),
)
EVERY = (
    sa.select(*_COLUMNS)
    .select_from(Instance.__table__)
    # Outer joins, though every instance has both: MariaDB would begin with the few versions, and then sort them all.
    .outerjoin(DatastoreVersion.__table__, _VERSION.id == _INSTANCE.datastore_version_id)
    .outerjoin(Datastore.__table__, _DATASTORE.id == _VERSION.datastore_id)
    .outerjoin(Health.__table__, _HEALTH.instance_id == _INSTANCE.id)
)
"""Deleted ones too."""
_ALL = EVERY.where(_INSTANCE.deleted == sa.false())  # "IS false" would keep MariaDB off the index
_ONE = _ALL.where(_INSTANCE.id == sa.bindparam("id"))
_PAGE = (
    _ALL.where(_INSTANCE.project_id == sa.bindparam("project"))
    .order_by(_INSTANCE.created.desc(), _INSTANCE.id.desc())
    .limit(sa.bindparam("limit"))
    # Left to itself MariaDB walks all instances by their age down to the page.
    .with_hint(Instance.__table__, "FORCE INDEX (instances_of_project)", "mysql")
    .with_hint(Instance.__table__, "FORCE INDEX (instances_of_project)", "mariadb")
)
_PAGE_AFTER = _PAGE.where(
    _INSTANCE.created <= sa.bindparam("created", type_=_INSTANCE.created.type),
    sa.or_(
        _INSTANCE.created < sa.bindparam("created", type_=_INSTANCE.created.type), _INSTANCE.id < sa.bindparam("marker")
    ),
)
_MARKER = sa.select(_INSTANCE.created).where(
    _INSTANCE.id == sa.bindparam("marker"), _INSTANCE.project_id == sa.bindparam("project")
)
_REPLICAS = sa.select(_INSTANCE.replica_of_id, _INSTANCE.id, _INSTANCE.deleted).where(
    _INSTANCE.replica_of_id.in_(sa.bindparam("ids", expanding=True))
)

InstanceRow = Any
"""The columns above, by name."""


def one(session: Session, instance_id: str) -> InstanceRow | None:
    """The instance of that id, if it is not deleted."""
    return session.connection().execute(_ONE, {"id": instance_id}).one_or_none()


def page(session: Session, project_id: str, limit: int, marker: str | None) -> list[InstanceRow]:
    """The newest instances of a project after ``marker`` (an instance id, which may be deleted by now)."""
    connection = session.connection()
    if marker is None:
        return list(connection.execute(_PAGE, {"project": project_id, "limit": limit}).all())
    created: datetime.datetime | None = connection.execute(_MARKER, {"marker": marker, "project": project_id}).scalar()
    if created is None:
        raise BadRequest("marker: no such instance.")
    after = {"project": project_id, "limit": limit, "created": created, "marker": marker}
    return list(connection.execute(_PAGE_AFTER, after).all())


def replicas(session: Session, instances: Iterable[InstanceRow]) -> dict[str, list[str]]:
    """Source id -> ids of its replicas; asks only where there are any."""
    found: dict[str, list[str]] = {}
    if ids := [row.id for row in instances if row.had_replicas]:
        for source, replica, deleted in session.connection().execute(_REPLICAS, {"ids": ids}):
            if not deleted:
                found.setdefault(str(source), []).append(replica)
    return found
