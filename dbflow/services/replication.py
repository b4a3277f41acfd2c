# SPDX-License-Identifier: Apache-2.0
"""What can be done to a set of replicas: promote one, detach one, eject the source."""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from taskflow import states

from dbflow import operations
from dbflow.db.models import Instance, Operation
from dbflow.db.replicas import replicas_of
from dbflow.messaging.errors import BrokerUnavailable, GuestRefused, GuestUnreachable
from dbflow.persistence.tables import ATOMS
from dbflow.services import instances
from dbflow.services.actions import heard, must_be_ready, must_not_be_stopped
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest, Unavailable, Unprocessable
from dbflow.services.replicas import login
from dbflow.status import Task

_PING_TIMEOUT = 5.0
"""Seconds for a guest to say that it is there."""
_LATER = {"Retry-After": "5"}
_COPYING = ("backup.create", "instance.replicate")
"""Kinds that make a copy of a source, which comes to nothing when that is dead."""

Members = Sequence[Instance]
Plan = Callable[[Session, Instance, Instance, Members], dict[str, Any]]
"""Checks (the instance, its source, the source's other replicas) and gives the operation's arguments."""


def promote(services: Services, caller: Caller, instance_id: str) -> str:
    """Let a replica and its source change places; returns the operation's id."""

    def plan(session: Session, replica: Instance, source: Instance, others: Members) -> dict[str, Any]:
        for one in (replica, source, *others):
            must_be_ready(session, one)
            must_not_be_stopped(session, one)
            if one.datastore_version_id != replica.datastore_version_id:
                raise Unprocessable(
                    f"Instance {replica.id} can't be promoted: instance {one.id} is of another datastore version."
                    " Upgrade all replicas, then their source."
                )
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
        for one in (replica, source):
            must_not_be_stopped(session, one)
        return {"source_id": source.id, "last": not others, "replication": login(services, source)}

    return _operate(services, caller, instance_id, "instance.detach", plan, with_others=False)


def eject(services: Services, caller: Caller, instance_id: str) -> str:
    """Let the freshest replica take the place of its dead source; returns the operation's id. BadRequest while the
    source is heard; Unavailable while nobody is, since then it is not the source that is dead. A copy of the source
    that is being made is told to cancel, and the eject comes after it."""
    _must_be_dead(services, caller, instance_id)
    return _eject(services, caller, instance_id)


def _must_be_dead(services: Services, caller: Caller, instance_id: str) -> None:
    """Its last heartbeat is too old, it does not answer now, and a replica of it does."""
    with services.database.read() as session:
        source = instances.load(session, caller, instance_id)
        replicas = replicas_of(session, source.id)
        if not replicas:
            raise BadRequest(f"Instance {instance_id} is not a replica source.")
        if heard(services, session, source):
            raise _alive(instance_id)
    if _answers(services, instance_id):
        raise _alive(instance_id)
    if not any(_answers(services, replica.id) for replica in replicas):
        raise Unavailable(
            f"No replica of instance {instance_id} answers, so it can't be told whether the source is dead.", _LATER
        )


def _alive(instance_id: str) -> BadRequest:
    return BadRequest(f"Instance {instance_id} can't be ejected: its guest is heard. Promote a replica of it instead.")


def _may_have_most(instance_id: str, replica_id: str) -> Unprocessable:
    """A commit was acknowledged when one replica had it: the one that is silent may be that one."""
    return Unprocessable(
        f"Instance {instance_id} can't be ejected: its replica {replica_id} is not heard, and may have what no other"
        " has. Delete that replica to go on without it."
    )


def _answers(services: Services, instance_id: str) -> bool:
    """Whether its guest is there now. Unavailable when the broker is not: then all guests are silent."""
    try:
        services.guests.call(instance_id, "guest.tasks.status.Ping", {}, _PING_TIMEOUT)
    except BrokerUnavailable:
        raise Unavailable("Guests can't be asked now: the message broker does not answer.", _LATER) from None
    except (GuestUnreachable, KeyError):  # KeyError: it has no key, so it can't answer
        return False
    except GuestRefused:
        return True
    return True


@contended
def _eject(services: Services, caller: Caller, instance_id: str) -> str:
    try:
        with services.database.write() as session:
            source, running = instances.load_with_operation(session, caller, instance_id)
            copying = _copying(session, source, running)
            replicas = [
                one
                for one in replicas_of(session, source.id, lock=True)
                if one.task != Task.DELETING and (copying is None or one.operation_id != copying.id)
            ]
            if not replicas:
                raise Unprocessable(f"Instance {instance_id} can't be ejected: no replica can take its place.")
            for replica in replicas:
                must_not_be_stopped(session, replica)
                if not heard(services, session, replica):
                    raise _may_have_most(instance_id, replica.id)
            members = [one.id for one in replicas]
            arguments = {"replica_ids": members, "replication": login(services, source)}
            before, to_post = instances.cancel_running(session, copying)
            if copying is not None:
                source.operation_id = None
            operation = instances.accept(
                services, session, caller, "instance.eject", source, arguments, after_id=before, members=members
            )
            for one in (source.id, *members):
                operations.lock_instance(session, one, operation)
    except operations.Busy as error:
        raise Unprocessable(f"{error} Cancel that first, or wait for its end.") from None
    to_post = operation if before is None else to_post
    if to_post is not None:
        services.post_accepted(to_post)
    return operation.id


def _copying(session: Session, source: Instance, running: Operation | None) -> Operation | None:
    """The operation that has the source, if it is in nobody's way. Busy if it is anything else, or a new replica has
    begun to follow, since that may be the one that has what was acknowledged."""
    if running is None:
        return None
    begun = sa.exists().where(
        ATOMS.c.parent_uuid == running.flow_uuid,
        ATOMS.c.name.startswith("begin-replica-", autoescape=True),
        ATOMS.c.state != states.PENDING,
    )
    if running.kind not in _COPYING or session.scalar(sa.select(begun)):
        raise operations.Busy(source.id, running.id)
    return running


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
    services.post_accepted(operation)
    return operation.id
