# SPDX-License-Identifier: Apache-2.0
"""instance.restart: the database server, not the machine."""

from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow

from dbflow.status import Task
from flows.outcome import settle
from flows.registry import Arguments, Ending, operation
from flows.tasks.record import RecordHealth
from guest.tasks.lifecycle import Restart
from guest.tasks.status import Status


def ended(session: Session, ending: Ending) -> None:
    """ACTIVE either way; a failure is told as a fault."""
    settle(session, ending, "Restarting the database", done={"restart_required": False}, undone={})


@operation("instance.restart", title="Restart an instance", task=Task.REBOOTING, ended=ended, example={})
def build(arguments: Arguments) -> tf_flow.Flow:
    """Stop and start on the guest."""
    flow = linear_flow.Flow("instance.restart")
    return flow.add(Restart("restart-datastore"), Status("check-health", provides="health"), RecordHealth())
