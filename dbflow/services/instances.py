# SPDX-License-Identifier: Apache-2.0
"""Instances: list, show, rename, delete."""

import dataclasses
import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow import operations, verbs
from dbflow.db.models import Configuration, Instance, Operation, utcnow
from dbflow.services import announcing, rows, sources
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest, NotFound
from dbflow.status import Task


@dataclasses.dataclass(slots=True)
class Page:
    """A page of instances; ``marker`` is where the next one begins, None on the last."""

    items: Sequence[rows.InstanceRow]
    replicas: dict[str, list[str]]
    marker: str | None


def is_uuid(text: str) -> bool:
    """Whether it can be the id of anything."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def missing(instance_id: str) -> NotFound:
    """The error for an instance that is not there or not this caller's."""
    return NotFound(f"Instance {instance_id[:255]} cannot be found.")


def page(services: Services, caller: Caller, limit: int, marker: str | None) -> Page:
    """The project's instances, newest first. Three statements at most, whatever there is."""
    with services.database.read() as session:
        items = rows.page(session, caller.project_id, limit + 1, marker)
        more, items = len(items) > limit, items[:limit]
        found = rows.replicas(session, items)
    return Page(items, found, items[-1].id if more else None)


def show(services: Services, caller: Caller, instance_id: str) -> tuple[rows.InstanceRow, list[str]]:
    """The instance and the ids of its replicas. An administrator sees every project's."""
    with services.database.read() as session:
        row = rows.one(session, instance_id) if is_uuid(instance_id) else None
        if row is None or not (caller.is_admin or row.project_id == caller.project_id):
            raise missing(instance_id)
        return row, rows.replicas(session, [row]).get(row.id, [])


def load(session: Session, caller: Caller, instance_id: str, *, lock: bool = False) -> Instance:
    """The instance itself, in a transaction that may change it; ``lock`` keeps others from doing so."""
    if not is_uuid(instance_id):
        raise missing(instance_id)
    query = sa.select(Instance).where(Instance.id == instance_id, Instance.deleted.is_(False))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    instance = session.scalar(query)
    if instance is None or not (caller.is_admin or instance.project_id == caller.project_id):
        raise missing(instance_id)
    return instance


def load_with_operation(session: Session, caller: Caller, instance_id: str) -> tuple[Instance, Operation | None]:
    """The instance and the operation that has it, both locked; the operation first, as conductors lock them, since
    whoever begins at the other end meets them in a deadlock."""
    holder = load(session, caller, instance_id).operation_id
    while True:
        running = session.get(Operation, holder, with_for_update=True) if holder is not None else None
        instance = load(session, caller, instance_id, lock=True)
        if instance.operation_id == holder:
            return instance, running
        holder = instance.operation_id


@contended
def change(services: Services, caller: Caller, instance_id: str, wanted: dict[str, Any]) -> None:
    """A new name, or a change that can't be made."""
    with services.database.write() as session:
        instance = load(session, caller, instance_id, lock=True)
        for attribute in wanted.keys() - {"name"}:
            _CHANGES[attribute](instance)
        if "name" in wanted:
            instance.name = wanted["name"]
            instance.updated = utcnow()


def _replica_of(instance: Instance) -> None:
    raise BadRequest("replica_of: an instance cannot be made a replica after it was created.")


_CHANGES = {
    "replica_of": _replica_of,
    "slave_of": _replica_of,
}


@contended
def delete(services: Services, caller: Caller, instance_id: str) -> str:
    """Delete in whatever state: a running operation is told to cancel, and the delete comes after it. Forbidden for a
    source of replicas; Unprocessable while it is being promoted or ejected.

    Returns the id of the operation; deleting twice is the same delete, which goes on if it was suspended.
    """
    with services.database.write() as session:
        instance, running = load_with_operation(session, caller, instance_id)
        if instance.task == Task.DELETING and running is not None:
            to_post = running if running.state == operations.State.SUSPENDED else None
            verbs.resume(session, running)
            operation = running
        else:
            sources.must_be_deletable(session, instance)
            before, to_post = cancel_running(session, running)
            instance.task = Task.DELETING
            instance.configuration_id = None
            instance.updated = utcnow()
            session.flush()
            settling = sources.settle(services, session, caller, instance, before)
            after = settling.id if settling is not None else before
            operation = accept(services, session, caller, "instance.delete", instance, {}, after_id=after)
            instance.operation_id = operation.id
            if before is None:
                to_post = settling or operation
    if to_post is not None:
        services.post_accepted(to_post)
    return operation.id


def cancel_running(session: Session, running: Operation | None) -> tuple[str | None, Operation | None]:
    """Ask an operation to cancel. Returns its id unless it has ended, and itself if it must be posted."""
    if running is None or running.state in operations.ENDED:
        return None, None
    suspended = running.state == operations.State.SUSPENDED
    verbs.cancel(session, running)
    return running.id, running if suspended else None


def accept(
    services: Services,
    session: Session,
    caller: Caller,
    kind: str,
    target: Instance | Configuration,
    arguments: dict[str, Any],
    after_id: str | None = None,
    members: Sequence[str] = (),
) -> Operation:
    """Record an operation on this target, and what the caller's Idempotency-Key stands for from now on."""
    operation = operations.accept(
        session,
        services.keyring,
        kind,
        target_id=target.id,
        project_id=target.project_id,
        user_id=caller.user_id,
        request_id=caller.request_id,
        arguments=arguments,
        after_id=after_id,
        members=members,
    )
    announcing.of_instance(services, session, caller, operation, target, arguments)
    session.flush()
    if caller.once is not None:
        caller.once.accepted(session, operation.id, target.id)
    return operation
