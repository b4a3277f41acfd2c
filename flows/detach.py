# SPDX-License-Identifier: Apache-2.0
"""instance.detach: a replica becomes an instance like any other, with the data it has."""

from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow

from dbflow.operations import State
from dbflow.status import Task
from flows.outcome import fault, release
from flows.registry import Arguments, Ending, operation
from guest.tasks.replication import DismissReplica, ExpectLess, LeaveSource, OpenWrites

EXAMPLE: Arguments = {
    "source_id": "2b1f60a5-6c1d-4a5e-9a39-0d2a2f1f6f10",
    "last": True,
    "replication": {"password": "secret", "fallback": 0.0},
}
_OF_SOURCE = {"instance_id": "source_id"}


def ended(session: Session, ending: Ending) -> None:
    """On its own; or a replica still, with a fault. ERROR when it could not be undone, as when it was written to."""
    done = ending.state == State.SUCCESS
    if done:
        release(session, ending, task=Task.NONE, fault=None, replica_of_id=None)
    else:
        task = Task.NONE if ending.state == State.REVERTED else Task.ERROR
        release(session, ending, task=task, fault=fault(ending, "Detaching the replica"))
    columns = {"replication": None} if done and ending.arguments["last"] else {}
    release(session, ending, ending.arguments["source_id"], task=Task.NONE, **columns)


@operation("instance.detach", title="Detach a replica", task=Task.DETACHING, ended=ended, example=EXAMPLE)
def build(arguments: Arguments) -> tf_flow.Flow:
    """The source stops to wait for its last replica before that one leaves."""
    return linear_flow.Flow("instance.detach").add(
        ExpectLess("expect-less", rebind=_OF_SOURCE, provides="source"),
        LeaveSource("leave-source"),
        DismissReplica("dismiss-replica", rebind=_OF_SOURCE),
        OpenWrites("open-writes"),
    )
