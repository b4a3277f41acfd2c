# SPDX-License-Identifier: Apache-2.0
"""backup.delete: the objects, then the rows, of a backup and of those that are differences to it. There is no way back,
so nothing reverts: what could not be removed is tried again."""

from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow

from dbflow.db.models import Backup, utcnow
from dbflow.operations import State
from dbflow.status import BackupState, Task
from flows.registry import Arguments, Ending, operation
from flows.tasks.objects import DeleteManifests, DeleteSegments


def ended(session: Session, ending: Ending) -> None:
    """Gone for their owner; the rows stay for the audit. On failure DELETE_FAILED, and deleting again goes on."""
    values: dict[str, Any] = {"deleted": True, "deleted_at": utcnow()}
    if ending.state != State.SUCCESS:
        values = {"state": BackupState.DELETE_FAILED, "error": ending.error}
    session.execute(
        update(Backup)
        .where(Backup.id.in_(ending.arguments["backup_ids"]), Backup.operation_id == ending.operation_id)
        .values(**values, operation_id=None, updated=utcnow())
    )


@operation(
    "backup.delete",
    title="Delete a backup",
    task=Task.NONE,
    ended=ended,
    example={"backup_ids": []},
    target_type="backup",
    cancellable=False,
)
def build(arguments: Arguments) -> tf_flow.Flow:
    """Whatever is there."""
    return linear_flow.Flow("backup.delete").add(DeleteSegments(), DeleteManifests())
