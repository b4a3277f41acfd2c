# SPDX-License-Identifier: Apache-2.0
"""What can be done to a set of replicas: promote one, detach one."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from dbflow import operations
from dbflow.db.models import Health, Instance, utcnow
from dbflow.db.replicas import replicas_of
from dbflow.services import instances
from dbflow.services.actions import must_be_ready
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest, Unprocessable
from dbflow.services.replicas import login
from dbflow.status import Task

Members = Sequence[Instance]
Plan = Callable[[Session, Instance, Instance, Members], dict[str, Any]]
"""Checks (the instance, its source, the source's other replicas) and gives the operation's arguments."""


def promote(services: Services, caller: Caller, instance_id: str) -> str:
    """Let a replica and its source change places; returns the operation's id."""

    def plan(session: Session, replica: Instance, source: Instance, others: Members) -> dict[str, Any]:
        for one in (replica, source, *others):
            must_be_ready(session, one)
        if not heard(services, session, source):
            raise Unprocessable(
                f"Instance {replica.id} can't be promoted: its source {source.id} is not heard. Eject the source."
            )
        return {
            "source_id": source.id,
            "other_ids": [other.id for other in others],
            "replication": login(services, source),
        }

    return _operate(services, caller, instance_id, "instance.promote", plan, with_others=True)


def detach(services: Services, caller: Caller, instance_id: str) -> str:
    """Make a replica an instance like any other; returns the operation's id."""

    def plan(session: Session, replica: Instance, source: Instance, others: Members) -> dict[str, Any]:
        must_be_ready(session, replica)
        return {"source_id": source.id, "last": not others, "replication": login(services, source)}

    return _operate(services, caller, instance_id, "instance.detach", plan, with_others=False)


def change(services: Services, caller: Caller, instance_id: str, wanted: dict[str, Any]) -> str | None:
    """PUT and PATCH of an instance: an empty ``replica_of`` detaches it. Returns the operation's id if there is one."""
    leaving = wanted.keys() & {"replica_of", "slave_of"}
    if len(wanted.keys() - {"name"}) != 1 or not leaving or any(wanted[field] for field in leaving):
        instances.change(services, caller, instance_id, wanted)
        return None
    operation = detach(services, caller, instance_id)
    if "name" in wanted:
        instances.change(services, caller, instance_id, {"name": wanted["name"]})
    return operation


@contended
def _operate(services: Services, caller: Caller, instance_id: str, kind: str, plan: Plan, *, with_others: bool) -> str:
    """Accept an operation on a replica that has its source, and perhaps the other replicas too, to itself."""
    try:
        with services.database.write() as session:
            source_id = instances.load(session, caller, instance_id).replica_of_id
            if source_id is None:
                raise BadRequest(f"Instance {instance_id} is not a replica.")
            # The source first, as everybody locks them.
            source = session.get_one(Instance, source_id, with_for_update=True, populate_existing=True)
            replicas = replicas_of(session, source_id, lock=True)
            replica = next((one for one in replicas if one.id == instance_id), None)
            if replica is None:
                raise BadRequest(f"Instance {instance_id} is not a replica.")
            others = [one for one in replicas if one.id != instance_id and one.task != Task.DELETING]
            arguments = plan(session, replica, source, others)
            members = [source.id, *(other.id for other in others if with_others)]
            operation = instances.accept(services, session, caller, kind, replica, arguments, members=members)
            for one in (replica.id, *members):
                operations.lock_instance(session, one, operation)
    except operations.Busy as error:
        raise Unprocessable(str(error)) from None
    services.post_accepted(operation.id)
    return operation.id


def heard(services: Services, session: Session, instance: Instance) -> bool:
    """Whether its guest's last heartbeat is not too old."""
    health = session.get(Health, instance.id)
    expiry = services.conf.messaging.heartbeat_expiry
    return health is not None and (utcnow() - health.seen).total_seconds() <= expiry
