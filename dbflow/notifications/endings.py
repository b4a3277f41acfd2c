# SPDX-License-Identifier: Apache-2.0
"""What is told of an operation that has ended, in the transaction that ends it."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from dbflow.db.models import DatastoreVersion, Instance, Operation
from dbflow.notifications import usage
from dbflow.notifications.outbox import TASKMANAGER, Outbox
from dbflow.operations import State


def tell(
    outbox: Outbox, session: Session, operation: Operation, arguments: dict[str, Any], state: State, error: str | None
) -> None:
    """Before its target is changed; of an operation that was announced when it was accepted."""
    notice = operation.notice
    if not outbox.on or notice is None:
        return
    event = usage.event_of(operation.kind, state)
    if event is not None:
        _tell_usage(outbox, session, operation, event, arguments)
    payload = notice["start"] | {"server_type": TASKMANAGER}
    if state is State.SUCCESS:
        payload |= notice["end"]
    else:
        message = error or f"{operation.kind} was cancelled."
        payload |= {"message": message, "exception": [message]}
        if operation.target_type == "instance":
            payload["instance_id"] = operation.target_id
    qualifier = "end" if state is State.SUCCESS else "error"
    outbox.put(session, TASKMANAGER, f"dbaas.{notice['action']}.{qualifier}", payload, notice["context"])


def _tell_usage(outbox: Outbox, session: Session, operation: Operation, event: str, arguments: dict[str, Any]) -> None:
    if operation.notice is None:
        return
    query = (
        select(Instance, DatastoreVersion.manager)
        .outerjoin(DatastoreVersion, DatastoreVersion.id == Instance.datastore_version_id)
        .where(Instance.id.in_(arguments.get("replica_ids") or [operation.target_id]))
        .order_by(Instance.name)
    )
    for instance, manager in session.execute(query).all():
        common = usage.traits(outbox, instance, manager, type_name=operation.notice["type_name"])
        payload = usage.of_success(event, common, arguments)
        outbox.put(session, TASKMANAGER, f"trove.instance.{event}", payload, operation.notice["context"])
