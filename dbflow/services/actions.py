# SPDX-License-Identifier: Apache-2.0
"""What can be done to an instance that is there: restart, resize, and the administrator's reset."""

import dataclasses
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow import operations
from dbflow.cloud.base import Wish
from dbflow.db.models import Health, Instance, Operation, utcnow
from dbflow.db.replicas import replicas_of
from dbflow.services import announcing, configurations, instances, wishes
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.create import checked_access, reserve, volume_size
from dbflow.services.errors import BadRequest, Unprocessable
from dbflow.services.flavors import of_reference, size_of
from dbflow.status import Service, Task, public_status

_CAN_ACT = {Service.RUNNING, Service.HEALTHY, Service.SHUTDOWN, Service.CRASHED}
_OF_CONFIGURATIONS = {
    "configuration.apply",
    "instance.attach_configuration",
    "instance.detach_configuration",
    "instance.restart",
}

Plan = Callable[[Session, Instance], dict[str, Any]]
"""Checks the instance and gives the operation's arguments."""


def restart(services: Services, caller: Caller, instance_id: str) -> str:
    """Restart the database server; returns the operation's id."""

    def plan(session: Session, instance: Instance) -> dict[str, Any]:
        must_not_lose(services, session, instance)
        return {}

    return operate(services, caller, instance_id, "instance.restart", plan)


def stop(services: Services, caller: Caller, instance_id: str) -> str:
    """Stop the database server until it is restarted; returns the operation's id."""
    return operate(services, caller, instance_id, "instance.stop", _unless_stopped(services))


def reboot(services: Services, caller: Caller, instance_id: str) -> str:
    """Restart the machine; returns the operation's id."""
    return operate(services, caller, instance_id, "instance.reboot", _unless_stopped(services))


def _unless_stopped(services: Services) -> Plan:
    def plan(session: Session, instance: Instance) -> dict[str, Any]:
        must_not_be_stopped(session, instance)
        must_not_lose(services, session, instance)
        return {}

    return plan


def update_access(services: Services, caller: Caller, instance_id: str, wanted: dict[str, Any]) -> str:
    """Change who may reach the instance; what is not named stays. Returns the operation's id."""
    wanted = checked_access(wanted)
    wishes.must_be_granted(services, Wish(caller.project_id, access=wanted))

    def plan(_session: Session, instance: Instance) -> dict[str, Any]:
        return {"access": {**instance.access, **wanted}, "old_access": instance.access}

    return operate(services, caller, instance_id, "instance.update_access", plan)


@contended
def resize_volume(services: Services, caller: Caller, instance_id: str, wanted: Any) -> str:
    """Extend the volume to ``wanted`` GiB, and those of its replicas that are smaller; returns the id of the instance's
    own operation."""
    size = volume_size(services, wanted)

    def plan(session: Session, instance: Instance) -> dict[str, Any]:
        old = instance.volume_size or 0
        if size <= old:
            raise BadRequest(f"The new volume 'size' must be larger than the current volume size of '{old}'.")
        reserve(services, session, instance.project_id, {"volumes": size - old})
        instance.quota_volume = size
        return {"volume_size": size, "old_volume_size": old}

    try:
        with services.database.write() as session:
            instance = instances.load(session, caller, instance_id, lock=True)
            operation = _accept(services, session, caller, "instance.resize_volume", instance, plan)
            same = dataclasses.replace(caller, once=None)
            accepted = [operation]
            for replica in replicas_of(session, instance.id, lock=True):
                if (replica.volume_size or 0) < size:
                    accepted.append(_accept(services, session, same, "instance.resize_volume", replica, plan))
    except operations.Busy as error:
        raise Unprocessable(str(error)) from None
    for one in accepted:
        services.post_accepted(one)
    return operation.id


def resize_flavor(services: Services, caller: Caller, instance_id: str, reference: str | int) -> str:
    """Move to another flavor; returns the operation's id."""
    flavor = of_reference(services.flavors, reference)

    def plan(session: Session, instance: Instance) -> dict[str, Any]:
        if flavor.id == instance.flavor_id:
            raise BadRequest("No change was requested in the size of the instance. (flavorRef)")
        must_not_be_stopped(session, instance)
        must_not_lose(services, session, instance)
        reserve(services, session, instance.project_id, {"ram": flavor.ram - instance.ram})
        old_ram, instance.ram = instance.ram, max(instance.ram, flavor.ram)
        old = size_of(services.flavors, instance)
        return {
            "flavor_id": flavor.id,
            "ram": flavor.ram,
            "vcpus": flavor.vcpus,
            "old_flavor_id": instance.flavor_id,
            "old_ram": old_ram,
            "old_vcpus": old["vcpus"],
            "overrides": configurations.settings_of(session, instance),
        }

    return operate(services, caller, instance_id, "instance.resize_flavor", plan)


@contended
def reset_status(services: Services, caller: Caller, instance_id: str) -> None:
    """Cancel what runs on the instance, unless that has no way back; where nothing runs, forget its error."""
    with services.database.write() as session:
        instance, running = instances.load_with_operation(session, caller, instance_id)
        announcing.at_once(services, session, caller, "instance_reset_status", {"instance_id": instance.id})
        woken = None
        if instance.operation_id is not None and instance.task != Task.DELETING and _may_be_cancelled(running):
            _, woken = instances.cancel_running(session, running)
        elif instance.operation_id is None:
            instance.task = Task.RESTART_REQUIRED if instance.restart_required else Task.NONE
            instance.fault, instance.updated = None, utcnow()
    if woken is not None:
        services.post_accepted(woken)


def _may_be_cancelled(running: Operation | None) -> bool:
    """Whether it has a way back, or has not begun."""
    return running is None or running.started is None or operations.catalog().kind(running.kind).cancellable


@contended
def operate(services: Services, caller: Caller, instance_id: str, kind: str, plan: Plan) -> str:
    """Accept an operation on an instance that may be changed now; returns its id."""
    try:
        with services.database.write() as session:
            instance = instances.load(session, caller, instance_id, lock=True)
            operation = _accept(services, session, caller, kind, instance, plan)
    except operations.Busy as error:
        raise Unprocessable(str(error)) from None
    services.post_accepted(operation)
    return operation.id


def _accept(
    services: Services, session: Session, caller: Caller, kind: str, instance: Instance, plan: Plan
) -> Operation:
    must_be_ready(session, instance)
    operation = instances.accept(services, session, caller, kind, instance, plan(session, instance))
    operations.lock_instance(session, instance.id, operation)
    return operation


def must_be_detachable(session: Session, instance: Instance) -> None:
    """Unprocessable unless the instance may be changed now, or is in ERROR for values of its configuration group that
    could not be taken back, or with which its server did not start again: to be rid of them is the way out of that."""
    if instance.task == Task.ERROR and instance.operation_id is None and _service(session, instance) in _CAN_ACT:
        targets = [instance.id, *filter(None, [instance.configuration_id])]
        newest = (
            sa.select(Operation).where(Operation.target_id.in_(targets)).order_by(Operation.created.desc()).limit(1)
        )
        last = session.scalar(newest)
        if last is not None and last.state == operations.State.FAILED and last.kind in _OF_CONFIGURATIONS:
            return
    must_be_ready(session, instance)


def must_not_be_stopped(session: Session, instance: Instance) -> None:
    """What ends with a start, or is undone by one, is not for a server that was stopped on purpose."""
    if _service(session, instance) == Service.SHUTDOWN:
        raise Unprocessable(f"The database server of instance {instance.id} is stopped; restart it first.")


def must_not_lose(services: Services, session: Session, instance: Instance) -> None:
    """A replica whose server stops loses what it has received and not applied, unless its source is there to send it
    again."""
    source = session.get(Instance, instance.replica_of_id) if instance.replica_of_id is not None else None
    if source is not None and not heard(services, session, source):
        raise Unprocessable(
            f"The database server of instance {instance.id} can't be stopped: its source {source.id} is not heard, so"
            " it may have what no other has. Eject the source first."
        )


def heard(services: Services, session: Session, instance: Instance) -> bool:
    """Whether its guest's last heartbeat is not too old."""
    health = session.get(Health, instance.id)
    expiry = services.conf.messaging.heartbeat_expiry
    return health is not None and (utcnow() - health.seen).total_seconds() <= expiry


def _service(session: Session, instance: Instance) -> str | None:
    return session.scalar(sa.select(Health.service_status).where(Health.instance_id == instance.id))


def must_be_ready(session: Session, instance: Instance) -> None:
    """Unprocessable unless the instance may be changed now."""
    free = instance.task in (Task.NONE, Task.RESTART_REQUIRED) and instance.operation_id is None
    if free and _service(session, instance) in _CAN_ACT:
        return
    raise Unprocessable(
        f"Instance {instance.id} is not currently available for an action to be performed "
        f"(instance status was {public_status(instance.task)})."
    )
