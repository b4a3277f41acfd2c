# SPDX-License-Identifier: Apache-2.0
"""Configuration groups: make, list, show, change, delete."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow import operations
from dbflow.db.models import Configuration, Datastore, DatastoreVersion, Health, Instance, Operation, new_id, utcnow
from dbflow.services import announcing, datastores, instances, parameters
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest, NotFound, Unprocessable
from dbflow.services.flavors import size_of
from dbflow.status import Task, public_status


@dataclasses.dataclass(slots=True)
class Group:
    """A group with what it is for, and how many instances have it."""

    configuration: Configuration
    version: DatastoreVersion
    datastore: str
    instances: int = 0


_GROUPS = (
    sa.select(Configuration, DatastoreVersion, Datastore.name)
    .join(DatastoreVersion, DatastoreVersion.id == Configuration.datastore_version_id)
    .join(Datastore, Datastore.id == DatastoreVersion.datastore_id)
)


def missing(reference: str) -> NotFound:
    """The error for a group that is not there or not this caller's."""
    return NotFound(f"Configuration {reference[:255]} cannot be found.")


def load(session: Session, caller: Caller, reference: str, *, lock: bool = False) -> Configuration:
    """A group by its id, a link that ends in it, or a name that only it has."""
    wanted = reference.rstrip("/").rsplit("/", 1)[-1]
    by_id = instances.is_uuid(wanted)
    query = sa.select(Configuration).where((Configuration.id if by_id else Configuration.name) == wanted).limit(2)
    if not (by_id and caller.is_admin):
        query = query.where(Configuration.project_id == caller.project_id)
    found = session.scalars(query.with_for_update() if lock else query).all()
    if len(found) != 1:
        raise missing(wanted)
    return found[0]


def page(services: Services, caller: Caller, limit: int, marker: str | None) -> tuple[list[Group], str | None]:
    """The project's groups, newest first, and the marker of the next page."""
    query = _GROUPS.where(Configuration.project_id == caller.project_id)
    query = query.order_by(Configuration.created.desc(), Configuration.id.desc()).limit(limit + 1)
    with services.database.read() as session:
        if marker is not None:
            last = session.get(Configuration, marker)
            if last is None or last.project_id != caller.project_id:
                raise BadRequest("marker: no such configuration.")
            earlier = sa.or_(Configuration.created < last.created, Configuration.id < last.id)
            query = query.where(Configuration.created <= last.created, earlier)
        found = [Group(*row) for row in session.execute(query)]
    return found[:limit], found[limit - 1].configuration.id if len(found) > limit else None


def show(services: Services, caller: Caller, reference: str) -> Group:
    """One group, with the number of its instances."""
    with services.database.read() as session:
        group = load(session, caller, reference)
        count = session.scalar(sa.select(sa.func.count()).select_from(_attached(group.id).subquery()))
        row = session.execute(_GROUPS.where(Configuration.id == group.id)).one()
        return Group(*row, instances=count or 0)


def _attached(configuration_id: str) -> sa.Select[Instance]:
    of_group = (Instance.configuration_id == configuration_id) & Instance.deleted.is_(False)
    return sa.select(Instance).where(of_group).order_by(Instance.id)


def attached(
    services: Services, caller: Caller, reference: str, limit: int, marker: str | None
) -> tuple[Sequence[Instance], str | None]:
    """Its instances by id, and the marker of the next page."""
    with services.database.read() as session:
        query = _attached(load(session, caller, reference).id).limit(limit + 1)
        found = session.scalars(query if marker is None else query.where(Instance.id > marker)).all()
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def usable(session: Session, caller: Caller, reference: str, project_id: str, version_id: str) -> Configuration:
    """A group for an instance of that project and version; locked, so that it stays as it is."""
    try:
        group = load(session, caller, reference, lock=True)
        # An administrator finds everybody's: no project's group is another's.
        if group.project_id != project_id:
            raise missing(reference)
    except NotFound as error:
        raise NotFound(f"{error} (configuration)") from None
    if group.operation_id is not None:
        raise Unprocessable(str(operations.Busy(group.id, group.operation_id, "Configuration")))
    if group.datastore_version_id != version_id:
        raise BadRequest(f"Configuration {group.id} is for another datastore version. (configuration)")
    return group


def settings_of(session: Session, instance: Instance) -> dict[str, Any]:
    """The values that an instance has from its group."""
    if instance.configuration_id is None:
        return {}
    return dict(session.get_one(Configuration, instance.configuration_id).settings)


@contended
def create(services: Services, caller: Caller, wanted: dict[str, Any]) -> str:
    """Make a group; returns its id."""
    with services.database.write() as session:
        version = datastores.for_create(session, wanted.get("datastore") or {})
        made = Configuration(
            id=new_id(),
            name=wanted["name"],
            description=wanted.get("description"),
            project_id=caller.project_id,
            datastore_version_id=version.id,
            settings=parameters.checked(session, version.id, wanted["values"]),
        )
        session.add(made)
        datastore = session.get_one(Datastore, version.datastore_id).name
        start = {"name": made.name, "datastore": datastore, "datastore_version": version.name}
        announcing.at_once(services, session, caller, "configuration_create", start, configuration_id=made.id)
        if caller.once is not None:
            caller.once.accepted(session, None, made.id)
        return made.id


def patch(services: Services, caller: Caller, reference: str, wanted: dict[str, Any]) -> str | None:
    """Give some parameters other values; see :func:`replace`."""
    return _change(services, caller, reference, wanted, keep=True)


def replace(services: Services, caller: Caller, reference: str, wanted: dict[str, Any]) -> str | None:
    """Give it other values altogether, and perhaps another name and description.

    Returns the id of the operation that gives them to the instances; the group shows them when that has succeeded.
    None when there are no instances, and it is done.
    """
    return _change(services, caller, reference, wanted, keep=False)


@contended
def _change(services: Services, caller: Caller, reference: str, wanted: dict[str, Any], keep: bool) -> str | None:
    try:
        with services.database.write() as session:
            group = load(session, caller, reference, lock=True)
            if group.operation_id is not None:
                raise operations.Busy(group.id, group.operation_id, "Configuration")
            values = parameters.checked(session, group.datastore_version_id, wanted.get("values") or {})
            new = {
                "name": wanted.get("name", group.name),
                "description": wanted.get("description", group.description),
                "settings": {**group.settings, **values} if keep else values,
            }
            action, start = "configuration_edit", {"configuration_id": group.id}
            if not keep:
                action = "configuration_update"
                start |= {"name": new["name"], "description": new["description"]}
            operation = _apply(services, session, caller, group, new)
            if operation is None:
                for column, value in new.items():
                    setattr(group, column, value)
                group.updated = utcnow()
                announcing.at_once(services, session, caller, action, start)
                return None
            announcing.operation(services, session, caller, operation, start, action)
    except operations.Busy as error:
        raise Unprocessable(str(error)) from None
    services.post_accepted(operation)
    return operation.id


def _apply(
    services: Services, session: Session, caller: Caller, group: Configuration, new: dict[str, Any]
) -> Operation | None:
    """Have the new values given to all of the group's instances, if it has any and they change anything."""
    members = session.scalars(_attached(group.id).with_for_update()).all()
    if not members or new["settings"] == group.settings:
        return None
    for instance in members:
        if instance.operation_id is not None or instance.task not in (Task.NONE, Task.RESTART_REQUIRED):
            raise Unprocessable(
                f"Instance {instance.id}, which has this configuration, is not available for a change of it now "
                f"(its status is {public_status(instance.task)})."
            )
        health = session.get(Health, instance.id)
        silent = (utcnow() - health.seen).total_seconds() if health is not None else None
        if silent is None or silent > services.conf.messaging.heartbeat_expiry:
            raise Unprocessable(
                f"The guest of instance {instance.id}, which has this configuration, "
                + ("was never heard." if silent is None else f"was last heard {silent:.0f} s ago.")
            )
    arguments = {
        "name": new["name"],
        "description": new["description"],
        "overrides": new["settings"],
        "old_overrides": dict(group.settings),
        "instances": [
            {"id": one.id, **size_of(services.flavors, one), "restart_required": one.restart_required}
            for one in members
        ],
    }
    operation = instances.accept(services, session, caller, "configuration.apply", group, arguments)
    for instance in members:
        operations.lock_instance(session, instance.id, operation)
    group.operation_id = operation.id
    return operation


@contended
def delete(services: Services, caller: Caller, reference: str) -> None:
    """BadRequest while an instance has it."""
    with services.database.write() as session:
        group = load(session, caller, reference, lock=True)
        if session.scalar(_attached(group.id).limit(1)) is not None:
            raise BadRequest(f"Configuration {group.id} is attached to instances; detach it first.")
        session.delete(group)
        announcing.at_once(services, session, caller, "configuration_delete", {"configuration_id": group.id})
