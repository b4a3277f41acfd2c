# SPDX-License-Identifier: Apache-2.0
"""instance.settle_replicas: before a replica is deleted, its source is told that nobody is left to wait for.

It has no way back: it says what is so when it runs, and may say it twice. Before a delete it holds no lock, since the
source may be busy, and can't be deleted before its replica is.
"""

from sqlalchemy import update
from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow

from dbflow.db.models import Instance
from dbflow.db.replicas import remaining
from dbflow.operations import State
from dbflow.status import Task
from flows.outcome import release
from flows.registry import Arguments, Ending, operation
from flows.tasks.replicas import CountReplicas
from guest.tasks.replication import KeepReplicas


def ended(session: Session, ending: Ending) -> None:
    """Of a source without replicas, their login is forgotten. It has the source to itself where the
    leader asked for it, or when it is retried."""
    if ending.state == State.SUCCESS and not remaining(session, ending.target_id):
        session.execute(update(Instance).where(Instance.id == ending.target_id).values(replication=None))
    release(session, ending)


@operation(
    "instance.settle_replicas",
    title="Settle a source of replicas",
    task=Task.NONE,
    ended=ended,
    example={},
    priority="HIGH",
    cancellable=False,
)
def build(arguments: Arguments) -> tf_flow.Flow:
    """Count, then tell."""
    return linear_flow.Flow("instance.settle_replicas").add(CountReplicas(), KeepReplicas("keep-replicas"))
