# SPDX-License-Identifier: Apache-2.0
"""What is read of an instance: one statement for any number of them, whatever there is in the table."""

import datetime
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.db.models import Datastore, DatastoreVersion, Health, Instance
from dbflow.services.errors import BadRequest

_COLUMNS = (
    Instance.id,
    Instance.name,
    Instance.project_id,
    Instance.task,
    Instance.created,
    Instance.updated,
    Instance.flavor_id,
    Instance.volume_size,
    Instance.region,
    Instance.locality,
    Instance.access,
    Instance.addresses,
    Instance.hostname,
    Instance.server_id,
    Instance.volume_id,
    Instance.replica_of_id,
    Instance.fault,
    Datastore.name.label("datastore"),
    DatastoreVersion.name.label("version"),
    DatastoreVersion.version.label("version_number"),
    Health.service_status,
    Health.seen,
    Health.volume_used,
    Health.volume_total,
)
_ALL = (
    sa.select(*_COLUMNS)
    .select_from(Instance)
    .join(DatastoreVersion, DatastoreVersion.id == Instance.datastore_version_id)
    .join(Datastore, Datastore.id == DatastoreVersion.datastore_id)
    .outerjoin(Health, Health.instance_id == Instance.id)
    .where(Instance.deleted.is_(False))
)
_ONE = _ALL.where(Instance.id == sa.bindparam("id"))
_PAGE = (
    _ALL.where(Instance.project_id == sa.bindparam("project"))
    .order_by(Instance.created.desc(), Instance.id.desc())
    .limit(sa.bindparam("limit"))
)
_PAGE_AFTER = _PAGE.where(
    Instance.created <= sa.bindparam("created", type_=Instance.created.type),
    sa.or_(
        Instance.created < sa.bindparam("created", type_=Instance.created.type), Instance.id < sa.bindparam("marker")
    ),
)
_MARKER = sa.select(Instance.created).where(
    Instance.id == sa.bindparam("marker"), Instance.project_id == sa.bindparam("project")
)
_REPLICAS = sa.select(Instance.replica_of_id, Instance.id).where(
    Instance.replica_of_id.in_(sa.bindparam("ids", expanding=True)), Instance.deleted.is_(False)
)

InstanceRow = sa.Row[Any]
"""The columns above, by name."""


def one(session: Session, instance_id: str) -> InstanceRow | None:
    """The instance of that id, if it is not deleted."""
    return session.execute(_ONE, {"id": instance_id}).one_or_none()


def page(session: Session, project_id: str, limit: int, marker: str | None) -> list[InstanceRow]:
    """The newest instances of a project after ``marker`` (an instance id, which may be deleted by now)."""
    if marker is None:
        return list(session.execute(_PAGE, {"project": project_id, "limit": limit}).all())
    created: datetime.datetime | None = session.execute(_MARKER, {"marker": marker, "project": project_id}).scalar()
    if created is None:
        raise BadRequest("marker: no such instance.")
    after = {"project": project_id, "limit": limit, "created": created, "marker": marker}
    return list(session.execute(_PAGE_AFTER, after).all())


def replicas(session: Session, ids: Sequence[str]) -> dict[str, list[str]]:
    """Source id -> ids of its replicas."""
    found: dict[str, list[str]] = {}
    if ids:
        for source, replica in session.execute(_REPLICAS, {"ids": ids}):
            found.setdefault(str(source), []).append(replica)
    return found
