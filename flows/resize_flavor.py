# SPDX-License-Identifier: Apache-2.0
"""instance.resize_flavor: another size of machine, and the database tuned for it."""

from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow

from dbflow.status import Task
from flows.outcome import settle
from flows.registry import Arguments, Ending, operation
from flows.tasks.compute import ConfirmResize, ResizeServer
from flows.tasks.record import RecordHealth
from guest.tasks.lifecycle import ApplyFlavor, Start, Stop
from guest.tasks.status import Status

EXAMPLE: Arguments = {
    "flavor_id": "2",
    "ram": 512,
    "vcpus": 1,
    "old_flavor_id": "1",
    "old_ram": 256,
    "old_vcpus": 1,
    "overrides": {},
}


def ended(session: Session, ending: Ending) -> None:
    """The new flavor, or the old one with a fault."""
    new, old = ending.arguments, ending.arguments["old_ram"]
    done = {"flavor_id": new["flavor_id"], "ram": new["ram"], "restart_required": False}
    settle(session, ending, "Resizing the instance", done=done, undone={"ram": old})


@operation("instance.resize_flavor", title="Resize an instance", task=Task.RESIZING, ended=ended, example=EXAMPLE)
def build(arguments: Arguments) -> tf_flow.Flow:
    """Undone in the opposite order: the server goes back, the configuration too, and the database starts again."""
    flow = linear_flow.Flow("instance.resize_flavor")
    return flow.add(
        Stop("stop-datastore"),
        ResizeServer(),
        ApplyFlavor("apply-flavor"),
        Start("start-datastore"),
        Status("check-health", provides="health"),
        ConfirmResize(),
        RecordHealth(),
    )
