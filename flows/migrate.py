# SPDX-License-Identifier: Apache-2.0
"""instance.migrate: the same machine on another host.

The database is stopped before, cleanly, and is started when the machine runs there: what the volume holds goes with
it, and so do the address and the place in a set of replicas.
"""

from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow

from dbflow.status import Task
from flows.outcome import settle
from flows.registry import Arguments, Ending, operation
from flows.tasks.compute import ConfirmResize, MigrateServer, NoteHost
from flows.tasks.record import RecordHealth
from guest.tasks.lifecycle import Start, Stop
from guest.tasks.status import Status


def ended(session: Session, ending: Ending) -> None:
    """ACTIVE either way; a failure is told as a fault."""
    settle(session, ending, "Migrating the instance", done={"restart_required": False}, undone={})


@operation(
    "instance.migrate", title="Migrate an instance", task=Task.MIGRATING, ended=ended, example={"host": "compute-2"}
)
def build(arguments: Arguments) -> tf_flow.Flow:
    """Undone in the opposite order: the machine goes back, and the database is started where it was."""
    return linear_flow.Flow("instance.migrate").add(
        NoteHost(),
        Stop("stop-datastore"),
        MigrateServer(),
        Start("start-datastore"),
        Status("check-health", provides="health"),
        ConfirmResize("confirm-migration"),
        RecordHealth(),
    )
