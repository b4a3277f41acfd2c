# SPDX-License-Identifier: Apache-2.0
"""instance.drop_point: the backup point of an upgrade that has succeeded. Its user sees it as the upgrade's end."""

from typing import Any

from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow

from dbflow.operations import State
from dbflow.status import Task
from flows.outcome import fault, release
from flows.registry import Arguments, Ending, operation
from flows.tasks.record import RecordHealth
from guest.tasks.status import LastLook
from guest.tasks.upgrade import DropPoint


def ended(session: Session, ending: Ending) -> None:
    """ACTIVE, whatever became of it: a point that is left takes room, and is told of."""
    told: dict[str, Any] = (
        {} if ending.state == State.SUCCESS else {"fault": fault(ending, "Dropping the backup point of the upgrade")}
    )
    release(session, ending, task=Task.NONE, **told)


@operation(
    "instance.drop_point",
    title="Drop a backup point",
    task=Task.UPGRADING,
    ended=ended,
    example={"point": "9f0d6c0e-3a6e-4b60-8f57-7f6f9f0c1a03"},
    priority="HIGH",
    cancellable=False,
)
def build(arguments: Arguments) -> tf_flow.Flow:
    """And a look at what there is then: one that was not answered changes nothing."""
    return linear_flow.Flow("instance.drop_point").add(
        DropPoint("drop-point"),
        LastLook("check-upgraded", provides="health"),
        RecordHealth("record-upgraded"),
    )
