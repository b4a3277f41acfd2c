# SPDX-License-Identifier: Apache-2.0
"""Datastores and their versions, each named by id or by name."""

import dataclasses

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.db.models import Datastore, DatastoreVersion
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest, NotFound


@dataclasses.dataclass(slots=True)
class Kind:
    """A datastore with the versions that the caller may see."""

    id: str
    name: str
    default_version_id: str | None
    versions: list[DatastoreVersion]


def every(services: Services, caller: Caller) -> list[Kind]:
    """All datastores, by name."""
    with services.database.read() as session:
        found = session.scalars(_there().order_by(Datastore.name)).all()
        return [_with_versions(session, caller, datastore) for datastore in found]


def one(services: Services, caller: Caller, reference: str) -> Kind:
    """A datastore by id or name; NotFound."""
    with services.database.read() as session:
        return _with_versions(session, caller, _datastore(session, reference))


def version(services: Services, caller: Caller, datastore: str | None, reference: str) -> DatastoreVersion:
    """A version by id, or by name or number within its datastore; NotFound."""
    with services.database.read() as session:
        known = _visible(caller)
        if datastore is None:
            known = known.where(DatastoreVersion.id == reference)
        else:
            known = known.where(DatastoreVersion.datastore_id == _datastore(session, datastore).id, _named(reference))
        found = session.scalars(known.limit(1)).first()
        if found is None:
            raise NotFound(f"Datastore version '{reference[:255]}' cannot be found.")
        return found


def for_create(session: Session, wanted: dict[str, str | None]) -> DatastoreVersion:
    """The version that a create body's ``datastore`` means.

    NotFound for the datastore, BadRequest for the version, as Trove answers.
    """
    if not wanted.get("type"):
        datastores = session.scalars(_there().limit(2)).all()
        if len(datastores) != 1:
            raise BadRequest("Please specify datastore. (datastore.type)")
        datastore = datastores[0]
    else:
        datastore = _datastore(session, str(wanted["type"]))
    query = sa.select(DatastoreVersion).where(
        DatastoreVersion.datastore_id == datastore.id, DatastoreVersion.deleted.is_(False)
    )
    name, number = wanted.get("version"), wanted.get("version_number")
    if name:
        query = query.where(_named(name))
    if number:
        query = query.where(DatastoreVersion.version == number)
    if not name and not number:
        query = query.where(DatastoreVersion.id == datastore.default_version_id)
    found = session.scalars(query.order_by(DatastoreVersion.created.desc()).limit(1)).first()
    if found is None:
        asked = str(name or number or "(default)")[:255]
        raise BadRequest(f"Datastore version '{asked}' cannot be found. (datastore.version)")
    if not found.active:
        raise BadRequest(f"Datastore version '{found.name}' is not active. (datastore.version)")
    return found


def scope(session: Session, datastore: str | None, version: str | None) -> tuple[str | None, str | None]:
    """(datastore's id, version's id) of what is for one datastore, one version of it, or (None) for any. Errors as
    :func:`for_create` has them."""
    if datastore is None:
        if version is not None:
            raise BadRequest("Please specify datastore. (datastore.type)")
        return None, None
    found = _datastore(session, datastore)
    if version is None:
        return found.id, None
    query = sa.select(DatastoreVersion.id).where(
        DatastoreVersion.datastore_id == found.id, DatastoreVersion.deleted.is_(False), _named(version)
    )
    version_id = session.scalar(query.order_by(DatastoreVersion.created.desc()).limit(1))
    if version_id is None:
        raise BadRequest(f"Datastore version '{version[:255]}' cannot be found. (datastore.version)")
    return found.id, version_id


def _named(reference: str) -> sa.ColumnElement[bool]:
    return sa.or_(
        DatastoreVersion.id == reference, DatastoreVersion.name == reference, DatastoreVersion.version == reference
    )


def _there() -> sa.Select[Datastore]:
    return sa.select(Datastore).where(Datastore.deleted.is_(False))


def _datastore(session: Session, reference: str) -> Datastore:
    found = session.scalars(
        _there().where(sa.or_(Datastore.id == reference, Datastore.name == reference)).limit(1)
    ).first()
    if found is None:
        raise NotFound(f"Datastore '{reference[:255]}' cannot be found. (datastore.type)")
    return found


def _visible(caller: Caller) -> sa.Select[DatastoreVersion]:
    query = sa.select(DatastoreVersion).where(DatastoreVersion.deleted.is_(False)).order_by(DatastoreVersion.name)
    return query if caller.is_admin else query.where(DatastoreVersion.active.is_(True))


def _with_versions(session: Session, caller: Caller, datastore: Datastore) -> Kind:
    versions = session.scalars(_visible(caller).where(DatastoreVersion.datastore_id == datastore.id)).all()
    default = datastore.default_version_id
    shown = default if any(version.id == default for version in versions) else None
    return Kind(datastore.id, datastore.name, shown, list(versions))
