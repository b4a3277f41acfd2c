# SPDX-License-Identifier: Apache-2.0
"""instance.eject: the source is dead, and the replica that has most of it takes its place.

A commit was acknowledged when one replica had it, so the freshest of all has all that was: none of them may be silent.
The dead source is fenced first, by the cloud: it can't come back to be written to beside the new one.
"""

from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow, unordered_flow

from dbflow.operations import State
from dbflow.status import Task
from flows.outcome import fault, release
from flows.registry import Arguments, Ending, operation
from flows.tasks.compute import FenceServer
from flows.tasks.replicas import ElectSource, RecordSource
from guest.tasks.eject import FollowElected, SettleReplica, Succeed, TakeOver

EXAMPLE: Arguments = {
    "replica_ids": ["9f0d6c0e-3a6e-4b60-8f57-7f6f9f0c1a01", "9f0d6c0e-3a6e-4b60-8f57-7f6f9f0c1a02"],
    "replication": {"password": "secret", "fallback": 0.0},
}
_ELECTED = {"instance_id": "elected"}


def ended(session: Session, ending: Ending) -> None:
    """A new source, and the old one in ERROR, fenced; or all as before."""
    done, task = ending.state == State.SUCCESS, Task.ERROR if ending.state == State.FAILED else Task.NONE
    told = fault(ending, "Ejecting the source")
    if done:
        told["message"] = "It was ejected as the source of its replicas, and its server was stopped. Delete it."
    release(session, ending, task=Task.ERROR if done else task, fault=told)
    for instance_id in ending.arguments["replica_ids"]:
        release(session, ending, instance_id, task=task, **({"fault": None} if done else {}))


@operation(
    "instance.eject",
    title="Eject a source of replicas",
    task=Task.EJECTING,
    ended=ended,
    example=EXAMPLE,
    priority="HIGH",
)
def build(arguments: Arguments) -> tf_flow.Flow:
    """Fence, settle, elect, repoint, record, open."""
    replicas = list(enumerate(arguments["replica_ids"] or (), 1))
    told = [f"settled_{number}" for number, _ in replicas]
    flow = linear_flow.Flow("instance.eject").add(FenceServer("fence-source"))
    flow.add(
        unordered_flow.Flow("settling").add(
            *(
                SettleReplica(f"settle-{number}", inject={"instance_id": one}, provides=f"settled_{number}")
                for number, one in replicas
            )
        )
    )
    flow.add(
        ElectSource(requires=told),
        Succeed("succeed", rebind=_ELECTED),
    )
    flow.add(
        unordered_flow.Flow("following").add(
            *(
                FollowElected(
                    f"follow-elected-{number}", inject={"instance_id": one}, rebind={"settled": f"settled_{number}"}
                )
                for number, one in replicas
            )
        )
    )
    return flow.add(RecordSource(), TakeOver("take-over", rebind=_ELECTED))
