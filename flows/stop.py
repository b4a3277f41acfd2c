# SPDX-License-Identifier: Apache-2.0
"""instance.stop: the database server, not the machine. A restart starts it again."""

from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow

from dbflow.status import Task
from flows.outcome import settle
from flows.registry import Arguments, Ending, operation
from flows.tasks.record import RecordHealth
from guest.tasks.lifecycle import Stop
from guest.tasks.status import Status


def ended(session: Session, ending: Ending) -> None:
    """Down on purpose, and so with nothing to be restarted for; or up again with a fault."""
    settle(session, ending, "Stopping the database", done={"restart_required": False}, undone={})


@operation("instance.stop", title="Stop an instance", task=Task.STOPPING, ended=ended, example={})
def build(arguments: Arguments) -> tf_flow.Flow:
    """On the guest, which keeps it down."""
    flow = linear_flow.Flow("instance.stop")
    return flow.add(Stop("stop-datastore"), Status("check-health", provides="health"), RecordHealth())
