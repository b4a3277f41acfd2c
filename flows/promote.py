# SPDX-License-Identifier: Apache-2.0
"""instance.promote: a replica and its source change places.

The source is read-only, on its disk, from the second step on, and the candidate writable only in the last one, when
everybody follows it. So no step can leave two that are written to, and whatever was acknowledged is on both. Undone in
the opposite order, that stays true: the candidate is read-only before anything else is undone, and the source has all
of it before it is writable again. The candidate has nearly all before the source is held, so that this is short.
"""

from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow, unordered_flow

from dbflow.db.replicas import make_source
from dbflow.operations import State
from dbflow.status import Task
from flows.outcome import fault, release
from flows.registry import Arguments, Ending, operation
from guest.tasks.replication import Approach, CatchUp, Demote, HoldWrites, OpenWrites, Repoint, StandUp

EXAMPLE: Arguments = {
    "source_id": "2b1f60a5-6c1d-4a5e-9a39-0d2a2f1f6f10",
    "other_ids": ["9f0d6c0e-3a6e-4b60-8f57-7f6f9f0c1a02"],
    "replication": {"password": "secret", "fallback": 0.0},
}
_OF_SOURCE = {"instance_id": "source_id"}


def ended(session: Session, ending: Ending) -> None:
    """New parts; or the old ones, and the candidate with a fault. ERROR on all when it could not be undone."""
    source_id, other_ids = ending.arguments["source_id"], ending.arguments["other_ids"]
    if ending.state == State.SUCCESS:
        make_source(session, ending.target_id, [source_id, *other_ids])
        for instance_id in (ending.target_id, source_id, *other_ids):
            release(session, ending, instance_id, task=Task.NONE, fault=None)
        return
    parked = ending.state == State.FAILED
    told = fault(ending, "Promoting the replica")
    release(session, ending, task=Task.ERROR if parked else Task.NONE, fault=told)
    for instance_id in (source_id, *other_ids):
        columns = {"task": Task.ERROR, "fault": told} if parked else {"task": Task.NONE}
        release(session, ending, instance_id, **columns)


@operation("instance.promote", title="Promote a replica", task=Task.PROMOTING, ended=ended, example=EXAMPLE, version=2)
def build(arguments: Arguments) -> tf_flow.Flow:
    """Come near, hold, wait, repoint, demote, open."""
    flow = linear_flow.Flow("instance.promote").add(Approach("approach"))
    return _change_places(flow, arguments)


@operation("instance.promote", title="Promote a replica", task=Task.PROMOTING, ended=ended, example=EXAMPLE)
def build_without_approach(arguments: Arguments) -> tf_flow.Flow:
    """Version 1 held the source at once, however far behind the candidate was."""
    return _change_places(linear_flow.Flow("instance.promote"), arguments)


def _change_places(flow: linear_flow.Flow, arguments: Arguments) -> tf_flow.Flow:
    """Hold, wait, repoint, demote, open."""
    flow.add(
        HoldWrites("hold-writes", rebind=_OF_SOURCE, provides="source"),
        CatchUp("catch-up", provides="candidate"),
        StandUp("stand-up"),
    )
    others = enumerate(arguments["other_ids"] or (), 1)
    flow.add(
        unordered_flow.Flow("others").add(
            *(Repoint(f"repoint-{number}", inject={"instance_id": other_id}) for number, other_id in others)
        )
    )
    return flow.add(Demote("demote-source", rebind=_OF_SOURCE), OpenWrites("open-writes"))
