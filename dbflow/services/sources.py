# SPDX-License-Identifier: Apache-2.0
"""What deleting means for a set of replicas."""

from sqlalchemy.orm import Session

from dbflow import operations
from dbflow.db.models import Instance, Operation
from dbflow.db.replicas import following, replicas_of
from dbflow.services.context import Caller, Services
from dbflow.services.errors import Forbidden, Unprocessable
from dbflow.status import Task


def must_be_deletable(session: Session, instance: Instance) -> None:
    """Forbidden for a source of replicas, Unprocessable while parts are being changed."""
    if instance.task in (Task.PROMOTING, Task.EJECTING):
        raise Unprocessable(
            f"Instance {instance.id} can't be deleted while its replication changes; cancel operation"
            f" {instance.operation_id} first."
        )
    if replicas_of(session, instance.id):
        raise Forbidden(f"Instance {instance.id} can't be deleted: it is the source of replicas.")


def settle(
    services: Services, session: Session, caller: Caller, replica: Instance, after_id: str | None
) -> Operation | None:
    """Before a replica is deleted: tell its source when no other follows it. The delete waits for it, however it ends;
    it waits for ``after_id``."""
    # Locked: two that go at once must not take each other for the one that stays, nor a new one be missed.
    reference = replica.replica_of_id
    source = session.get(Instance, reference, with_for_update=True) if reference is not None else None
    if source is None or source.deleted or following(session, source.id):
        return None
    return operations.accept(
        session,
        services.keyring,
        "instance.settle_replicas",
        target_id=source.id,
        project_id=source.project_id,
        user_id=caller.user_id,
        request_id=caller.request_id,
        arguments={},
        after_id=after_id,
    )
