# SPDX-License-Identifier: Apache-2.0
"""instance.rebuild: the machine anew of another image, with the same data.

The database is stopped before, cleanly, and stays so until the new machine is told to start it: nothing must write to
the volume while the machine goes.
"""

from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow

from dbflow.status import Task
from flows.outcome import settle
from flows.registry import Arguments, Ending, operation
from flows.tasks.compute import NoteImage, RebuildServer
from flows.tasks.record import RecordHealth
from guest.tasks.lifecycle import Start, Stop
from guest.tasks.status import Status
from guest.tasks.upgrade import CheckPrograms

EXAMPLE: Arguments = {"image": "mariadb-10.11", "manager": "mariadb", "release": "10.11"}


def ended(session: Session, ending: Ending) -> None:
    """ACTIVE either way; a failure is told as a fault."""
    settle(session, ending, "Rebuilding the instance", done={"restart_required": False}, undone={})


@operation("instance.rebuild", title="Rebuild an instance", task=Task.UPGRADING, ended=ended, example=EXAMPLE)
def build(arguments: Arguments) -> tf_flow.Flow:
    """Undone in the opposite order: the old image, and the database started again."""
    return linear_flow.Flow("instance.rebuild").add(
        NoteImage(),
        Stop("stop-datastore"),
        RebuildServer(),
        CheckPrograms("check-programs"),
        Start("start-datastore"),
        Status("check-health", provides="health"),
        RecordHealth(),
    )
