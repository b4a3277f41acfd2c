# SPDX-License-Identifier: Apache-2.0
"""backup.create: from the guest to the object store, beside the work of the database.

Its target is the instance, which it keeps to itself; the backup is an argument. Nothing about the instance changes, so
a backup that failed is no fault of it.
"""

from sqlalchemy import update
from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow

from dbflow.db.models import Backup, utcnow
from dbflow.operations import State
from dbflow.status import BackupState, Task
from flows.outcome import release
from flows.registry import Arguments, Ending, operation
from flows.tasks.objects import KeepBackup, OpenUpload
from guest.tasks.backup import MakeBackup

EXAMPLE: Arguments = {"backup_id": "5f1c4c54-5a3f-4b53-9f0e-6f4e4b0d7a11", "strategy": "physical", "parent": None}


def ended(session: Session, ending: Ending) -> None:
    """COMPLETED, or FAILED with its reason: the row stays until it is deleted, or for as long as failed ones are
    kept."""
    done = ending.state == State.SUCCESS
    state = BackupState.COMPLETED if done else BackupState.FAILED
    session.execute(
        update(Backup)
        .where(Backup.id == ending.arguments["backup_id"], Backup.operation_id == ending.operation_id)
        .values(state=state, error=None if done else ending.error, operation_id=None, updated=utcnow())
    )
    release(session, ending, task=Task.NONE)


@operation("backup.create", title="Back an instance up", task=Task.BACKING_UP, ended=ended, example=EXAMPLE)
def build(arguments: Arguments) -> tf_flow.Flow:
    """Room and rights in the store, then the stream, then a look at what arrived."""
    flow = linear_flow.Flow("backup.create")
    return flow.add(OpenUpload(), MakeBackup("stream-backup", provides="made"), KeepBackup())
