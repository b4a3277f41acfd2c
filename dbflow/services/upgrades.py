# SPDX-License-Identifier: Apache-2.0
"""Another version of the datastore, and another image, under the same data."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow import datastores, operations, verbs
from dbflow.datastores import Feature
from dbflow.db.models import Datastore, DatastoreVersion, Instance, Operation
from dbflow.db.replicas import replicas_of
from dbflow.operations import State
from dbflow.services import images, instances
from dbflow.services.actions import Plan, must_be_ready, must_not_be_stopped, must_not_lose, operate
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest, Unprocessable
from dbflow.services.flavors import size_of

_FIELD = "(datastore_version)"


@contended
def upgrade(services: Services, caller: Caller, instance_id: str, reference: str) -> str:
    """Upgrade to a version of the same datastore, by id, name or number; returns the operation's id. What comes after
    it, that its backup point is dropped, is accepted with it."""
    with services.database.read() as session:
        wanted = _wanted(session, instances.load(session, caller, instance_id), reference)
    image = images.of_version(services, wanted)  # before the transaction: the cloud may be slow
    try:
        with services.database.write() as session:
            instance = instances.load(session, caller, instance_id, lock=True)
            old = session.get_one(DatastoreVersion, instance.datastore_version_id)
            note = _path(old, wanted)
            _must_be_upgradable(services, session, instance, wanted)
            following = operations.Following("instance.drop_point")
            arguments: dict[str, Any] = {
                "datastore_version_id": wanted.id,
                "release": datastores.load(wanted.manager).release(wanted.version),
                "image": image,
                "manager": wanted.manager,
                **size_of(services.flavors, instance),
                "overrides": {},
                "point": following.id,
            }
            operation = instances.accept(services, session, caller, "instance.upgrade", instance, arguments)
            operation.note = note
            operations.lock_instance(session, instance.id, operation)
            following.accept(session, services.keyring, operation, {"point": following.id})
    except operations.Busy as error:
        raise Unprocessable(str(error)) from None
    services.post_accepted(operation)
    return operation.id


def _wanted(session: Session, instance: Instance, reference: str) -> DatastoreVersion:
    """BadRequest when there is none, or none that is active; of several with that name, the newest."""
    old = session.get_one(DatastoreVersion, instance.datastore_version_id)
    named = sa.or_(
        DatastoreVersion.id == reference, DatastoreVersion.name == reference, DatastoreVersion.version == reference
    )
    of_datastore = DatastoreVersion.datastore_id == old.datastore_id
    query = sa.select(DatastoreVersion).where(of_datastore, named, DatastoreVersion.deleted.is_(False))
    found = session.scalars(query.order_by(DatastoreVersion.active.desc(), DatastoreVersion.created.desc())).first()
    if found is None:
        name = session.scalar(sa.select(Datastore.name).where(Datastore.id == old.datastore_id))
        raise BadRequest(f"Datastore version '{reference[:255]}' of {name} cannot be found. {_FIELD}")
    if not found.active:
        raise BadRequest(f"Datastore version '{found.name}' is not active. {_FIELD}")
    return found


def _path(old: DatastoreVersion, new: DatastoreVersion) -> str | None:
    """What the user must know of it. BadRequest when there is no way from one to the other."""
    datastore = datastores.load(old.manager)
    if old.manager != new.manager or not datastore.supports(Feature.UPGRADE):
        raise BadRequest(f"Upgrading is not supported for this datastore. {_FIELD}")
    if old.id == new.id:
        raise BadRequest(f"The instance is of version '{new.name}' already. {_FIELD}")
    path = datastore.upgrade_path(old.version, new.version)
    if path is None:
        raise BadRequest(f"There is no upgrade from {old.version} to {new.version}. {_FIELD}")
    return f"A {path} upgrade, from {old.version} to {new.version}. Once it has succeeded there is no way back."


def _must_be_upgradable(services: Services, session: Session, instance: Instance, new: DatastoreVersion) -> None:
    must_be_ready(session, instance)
    must_not_be_stopped(session, instance)
    must_not_lose(services, session, instance)
    _must_not_be_stuck(session, instance)
    if instance.configuration_id is not None:
        raise Unprocessable(
            f"Configuration {instance.configuration_id} of instance {instance.id} is for its present version; detach it"
            " first."
        )
    for replica in replicas_of(session, instance.id, lock=True):
        if replica.datastore_version_id != new.id:
            raise Unprocessable(
                f"Replica {replica.id} must be of version {new.name} before its source {instance.id} is: an older one"
                " can't follow it."
            )


def _must_not_be_stuck(session: Session, instance: Instance) -> None:
    """The backup point of an upgrade that can still be undone is all that there is of the data as it was."""
    query = sa.select(Operation).where(Operation.target_id == instance.id, Operation.kind == "instance.upgrade")
    last = session.scalar(query.order_by(Operation.created.desc()).limit(1))
    if last is not None and last.state == State.FAILED and verbs.newer_data(session, last) is None:
        raise Unprocessable(f"Upgrade {last.id} of instance {instance.id} was not undone: retry that operation first.")


def rebuild(services: Services, caller: Caller, instance_id: str, image_id: str) -> str:
    """Make the machine anew of an image; returns the operation's id."""
    images.must_exist(services, image_id, (), "image_id")
    return operate(services, caller, instance_id, "instance.rebuild", _rebuilt(services, image_id))


def _rebuilt(services: Services, image_id: str) -> Plan:
    def plan(session: Session, instance: Instance) -> dict[str, Any]:
        must_not_be_stopped(session, instance)
        must_not_lose(services, session, instance)
        _must_not_be_stuck(session, instance)
        version = session.get_one(DatastoreVersion, instance.datastore_version_id)
        release = datastores.load(version.manager).release(version.version)
        return {"image": image_id, "manager": version.manager, "release": release}

    return plan
