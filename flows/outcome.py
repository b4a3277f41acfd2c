# SPDX-License-Identifier: Apache-2.0
"""What the end of an operation means for its instance."""

from typing import Any

from sqlalchemy import case, exists, update
from sqlalchemy.orm import Session

from dbflow.db.models import Instance, Operation, utcnow
from dbflow.operations import State
from dbflow.status import Task
from flows.registry import Ending


def release(session: Session, ending: Ending, instance_id: str | None = None, **columns: Any) -> bool:
    """Set columns of the operation's instance (its target, unless it has several) and give its lock back.

    False, with nothing written, when another operation has taken the instance over (a delete that interrupted).
    """
    if columns.get("task") == Task.NONE:
        columns["task"] = _at_rest(columns.get("restart_required"))
    released = session.execute(
        update(Instance)
        .where(Instance.id == (instance_id or ending.target_id), Instance.operation_id == ending.operation_id)
        .values(**columns, operation_id=None, updated=utcnow())
    )
    return bool(getattr(released, "rowcount", 0))


def hand_over(session: Session, ending: Ending, next_id: str, **columns: Any) -> bool:
    """Set columns of the operation's instance, and give its lock to the operation that comes next. False, with nothing
    written: as of ``release``, or that one has ended already and would never give it back."""
    waits = exists().where(Operation.id == next_id, Operation.state == State.ACCEPTED)
    taken = session.execute(
        update(Instance)
        .where(Instance.id == ending.target_id, Instance.operation_id == ending.operation_id, waits)
        .values(**columns, operation_id=next_id, updated=utcnow())
    )
    return bool(getattr(taken, "rowcount", 0))


def _at_rest(restart_required: bool | None) -> Any:
    """The task of an instance with which nothing goes on; None: its row says whether it must be restarted."""
    if restart_required is None:
        return case((Instance.restart_required.is_(True), Task.RESTART_REQUIRED), else_=Task.NONE)
    return Task.RESTART_REQUIRED if restart_required else Task.NONE


def fault(ending: Ending, doing: str) -> dict[str, Any]:
    """The instance's ``fault``: what failed, in words, and when."""
    return {
        "message": f"{doing} failed: {ending.error}" if ending.error else f"{doing} was cancelled.",
        "details": f"operation {ending.operation_id} ({ending.kind})",
        "created": utcnow().isoformat(timespec="seconds"),
    }


def settle(
    session: Session,
    ending: Ending,
    doing: str,
    *,
    done: dict[str, Any],
    undone: dict[str, Any],
    instance_id: str | None = None,
) -> None:
    """The usual end of a change: the columns of ``done``; or those of ``undone`` and back to work with a fault; or
    ERROR with a fault when undoing it failed too."""
    if ending.state == State.SUCCESS:
        release(session, ending, instance_id, task=Task.NONE, fault=None, **done)
    else:
        task = Task.NONE if ending.state == State.REVERTED else Task.ERROR
        release(session, ending, instance_id, task=task, fault=fault(ending, doing), **undone)
