# SPDX-License-Identifier: Apache-2.0
"""instance.update_access: who may reach the instance."""

from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow

from dbflow.status import Task
from flows.outcome import settle
from flows.registry import Arguments, Ending, operation
from flows.tasks.network import UpdateAccess
from flows.tasks.record import RecordAccess

EXAMPLE: Arguments = {
    "access": {"is_public": True, "allowed_cidrs": ["10.0.0.0/24"]},
    "old_access": {"is_public": False},
}


def ended(session: Session, ending: Ending) -> None:
    """The new access, or the old one with a fault."""
    settle(session, ending, "Changing the access", done={}, undone={})


@operation("instance.update_access", title="Change the access", task=Task.UPDATING, ended=ended, example=EXAMPLE)
def build(arguments: Arguments) -> tf_flow.Flow:
    """In the cloud, then in the record."""
    return linear_flow.Flow("instance.update_access").add(UpdateAccess(), RecordAccess())
