# SPDX-License-Identifier: Apache-2.0
"""instance.reboot: the machine, also when its agent does not answer any more."""

from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow

from dbflow.status import Task
from flows.outcome import settle
from flows.registry import Arguments, Ending, operation
from flows.tasks.compute import RebootServer
from flows.tasks.record import RecordHealth
from guest.tasks.lifecycle import ComeUp
from guest.tasks.status import Status


def ended(session: Session, ending: Ending) -> None:
    """ACTIVE either way; a failure is told as a fault."""
    settle(session, ending, "Rebooting the instance", done={"restart_required": False}, undone={})


@operation("instance.reboot", title="Reboot an instance", task=Task.REBOOTING, ended=ended, example={})
def build(arguments: Arguments) -> tf_flow.Flow:
    """The cloud's part, then wait for the database, which comes up with the machine."""
    flow = linear_flow.Flow("instance.reboot")
    return flow.add(RebootServer(), ComeUp("come-up"), Status("check-health", provides="health"), RecordHealth())
