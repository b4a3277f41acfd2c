# SPDX-License-Identifier: Apache-2.0
"""instance.delete: the server first, then what it used. There is no way back, so nothing reverts: what could not be
removed is tried again."""

from sqlalchemy import delete
from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow, unordered_flow

from dbflow.db.models import Health, Sample, utcnow
from dbflow.db.modules import taken
from dbflow.operations import State
from dbflow.status import Task
from flows.outcome import fault, release
from flows.registry import Arguments, Ending, operation
from flows.tasks.channel import CloseChannel
from flows.tasks.compute import DeleteServer
from flows.tasks.network import DeletePort
from flows.tasks.volume import DeleteVolume


def ended(session: Session, ending: Ending) -> None:
    """Gone for its owner; the row stays for the audit. On failure ERROR, and deleting again goes on."""
    if ending.state == State.SUCCESS:
        release(
            session,
            ending,
            task=Task.NONE,
            deleted=True,
            deleted_at=utcnow(),
            server_id=None,
            volume_id=None,
            port_id=None,
            restoring_id=None,
            addresses=[],
            hostname=None,
        )
        for table in (Health, Sample):
            session.execute(delete(table).where(table.instance_id == ending.target_id))
        taken(session, ending.target_id)
    else:
        release(session, ending, task=Task.ERROR, fault=fault(ending, "Deleting the instance"))


@operation(
    "instance.delete",
    title="Delete an instance",
    task=Task.DELETING,
    ended=ended,
    example={},
    priority="HIGH",
    cancellable=False,
)
def build(arguments: Arguments) -> tf_flow.Flow:
    """Independent of what exists: every step is fine with what is gone already."""
    flow = linear_flow.Flow("instance.delete").add(DeleteServer())
    return flow.add(unordered_flow.Flow("resources").add(DeleteVolume(), DeletePort(), CloseChannel()))
