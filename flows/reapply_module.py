# SPDX-License-Identifier: Apache-2.0
"""module.reapply: what a module has become, for the instances that have it already, batch by batch.

Each instance is given it by an operation of its own: one that fails leaves its own instance as it was, and the others
with theirs.
"""

from sqlalchemy import update
from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow

from dbflow.db.models import Module
from dbflow.status import Task
from flows.registry import Arguments, Ending, operation
from flows.tasks.modules import JudgeReapply, ReapplyModule

EXAMPLE: Arguments = {
    "module_id": "6d6e8a2c-8f0e-4f4b-9c8f-0f5e7a1b2c30",
    "instance_ids": ["2f0a1d63-7b4e-4a1f-8e7b-1b8d2c3e4f50"],
    "batch_size": 50,
    "batch_delay": 2,
}


def ended(session: Session, ending: Ending) -> None:
    """The module may be changed again."""
    session.execute(
        update(Module)
        .where(Module.id == ending.target_id, Module.operation_id == ending.operation_id)
        .values(operation_id=None)
    )


@operation(
    "module.reapply",
    title="Reapply a module",
    task=Task.NONE,
    ended=ended,
    example=EXAMPLE,
    target_type="module",
    priority="LOW",
    deadline=0,
)
def build(arguments: Arguments) -> tf_flow.Flow:
    """The first step waits without holding anything."""
    return linear_flow.Flow("module.reapply").add(ReapplyModule(), JudgeReapply())
