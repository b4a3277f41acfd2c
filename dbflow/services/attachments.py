# SPDX-License-Identifier: Apache-2.0
"""Configuration groups on instances."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from dbflow import datastores, operations
from dbflow.datastores import Feature
from dbflow.db.models import DatastoreVersion, Instance, Operation
from dbflow.services import configurations, instances
from dbflow.services.actions import must_be_detachable, must_be_ready
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest, Unprocessable
from dbflow.services.flavors import size_of


@contended
def attach(services: Services, caller: Caller, instance_id: str, reference: str) -> str:
    """Give an instance the values of a group; returns the operation's id."""
    with services.database.write() as session:
        found = instances.load(session, caller, instance_id)
        # The group before the instance, as everybody locks them.
        group = configurations.usable(session, caller, reference, found.project_id, found.datastore_version_id)
        instance = instances.load(session, caller, instance_id, lock=True)
        if instance.configuration_id is not None:
            raise BadRequest(
                f"Instance {instance.id} has configuration {instance.configuration_id} already. (configuration)"
            )
        instance.configuration_id = group.id
        operation = _operate(
            services, session, caller, instance, "instance.attach_configuration", dict(group.settings), {}
        )
    services.post_accepted(operation)
    return operation.id


@contended
def detach(services: Services, caller: Caller, instance_id: str) -> str | None:
    """Take the values away again; returns the operation's id, or None when the instance has no group."""
    with services.database.write() as session:
        instance = instances.load(session, caller, instance_id, lock=True)
        if instance.configuration_id is None:
            return None
        had = configurations.settings_of(session, instance)
        operation = _operate(
            services, session, caller, instance, "instance.detach_configuration", {}, had, must_be_detachable
        )
    services.post_accepted(operation)
    return operation.id


def _operate(
    services: Services,
    session: Session,
    caller: Caller,
    instance: Instance,
    kind: str,
    overrides: dict[str, Any],
    instead_of: dict[str, Any],
    ready: Callable[[Session, Instance], None] = must_be_ready,
) -> Operation:
    """Record the operation and give it the instance. BadRequest when that is not ready, as Trove has it."""
    arguments = {
        **size_of(services.flavors, instance),
        "overrides": overrides,
        "old_overrides": instead_of,
        "old_restart_required": instance.restart_required,
    }
    try:
        ready(session, instance)
        operation = instances.accept(services, session, caller, kind, instance, arguments)
        operations.lock_instance(session, instance.id, operation)
    except (Unprocessable, operations.Busy) as error:
        raise BadRequest(str(error)) from None
    return operation


def default(services: Services, caller: Caller, instance_id: str) -> dict[str, Any]:
    """What dbflow itself sets on an instance of this size, whatever group it has."""
    with services.database.read() as session:
        instance = instances.load(session, caller, instance_id)
        version = session.get_one(DatastoreVersion, instance.datastore_version_id)
    datastore = datastores.load(version.manager)
    if not datastore.supports(Feature.CONFIGURATIONS):
        raise Unprocessable(f"{datastore.name} has no {Feature.CONFIGURATIONS}.")
    return dict(datastore.default_configuration(**size_of(services.flavors, instance)))
