# SPDX-License-Identifier: Apache-2.0
"""From a flow's last state to the operation's, in words for its user."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session
from taskflow import states
from taskflow.persistence import models
from taskflow.types import failure

from dbflow.db.models import Operation, utcnow
from dbflow.notifications import endings
from dbflow.notifications.outbox import Outbox
from dbflow.operations import State
from dbflow.persistence.rows import failure_text
from flows.registry import Arguments, Definition, Ending

# The exceptions whose words are meant for users; of others only the type is told.
_READABLE = (
    "dbflow.cloud.base.CloudError",
    "dbflow.messaging.errors.GuestUnreachable",
    "dbflow.waits.Overdue",
    "guest.datastores.base.DatastoreError",
)
_LONGEST = 2000
"""Characters of one step's words: a guest's may be of any length, and the column is not."""
_OPERATIONS: Any = Operation.__table__
_END = (
    update(_OPERATIONS)
    .where(_OPERATIONS.c.id == bindparam("key"))
    .values({name: bindparam(name) for name in ("state", "error", "requested", "finished")})
)
_UNDONE = frozenset({states.PENDING, states.REVERTED, states.IGNORE})
"""States of steps that have left nothing behind, or never began."""
ENDINGS = {states.SUCCESS: State.SUCCESS, states.REVERTED: State.REVERTED, states.FAILURE: State.FAILED}
"""State of a flow that has ended -> that of its operation."""


def on_end(
    operation: Operation, definition: Definition, arguments: Arguments, outbox: Outbox
) -> Callable[[Session, models.FlowDetail], None]:
    """What the backend calls with the flow that has ended, in the transaction that saves it."""

    def write(session: Session, flow: models.FlowDetail) -> None:
        left = frozenset(atom.name for atom in flow if atom.state not in _UNDONE)
        refused = {atom.name: next(iter(atom.revert_failure)) for atom in flow if atom.revert_failure is not None}
        finish(session, operation, definition, arguments, ENDINGS[flow.state], _error(flow), outbox, left, refused)

    return write


def finish(
    session: Session,
    operation: Operation,
    definition: Definition,
    arguments: Arguments,
    state: State,
    error: str | None,
    outbox: Outbox,
    left: frozenset[str] | None = None,
    refused: Mapping[str, str] | None = None,
) -> None:
    """End the operation, and do to its target what that means; ``left`` and ``refused``: see
    :class:`flows.registry.Ending`."""
    if error is None and state is State.REVERTED:  # nothing failed; perhaps the leader said why it was cancelled
        error = session.scalar(select(Operation.error).where(Operation.id == operation.id))
    session.connection().execute(
        _END, {"key": operation.id, "state": state, "error": error, "requested": None, "finished": utcnow()}
    )
    endings.tell(outbox, session, operation, arguments, state, error)
    told = (operation.id, operation.kind, operation.target_id, state, error, arguments)
    definition.ended(session, Ending(*told, left, refused or {}))


def _error(flow: models.FlowDetail) -> str | None:
    """What failed first, and what could not be undone; None when nothing failed. That a step was waiting when the
    operation was cancelled is no failure."""
    atoms = sorted(flow, key=lambda atom: atom.meta.get("finished", ""))
    failed = [
        _told(atom.name, atom.failure)
        for atom in atoms
        if atom.failure is not None and not atom.failure.check("dbflow.waits.Cancelled")
    ]
    left = [_told(atom.name, atom.revert_failure) for atom in atoms if atom.revert_failure is not None]
    if not failed and not left:
        return None
    words = failed[:1]
    if left:
        words = [word.removesuffix(".") for word in words]
        words.append("Could not be undone: " + "; ".join(left))
    return ". ".join(words)


def _told(step: str, what: failure.Failure) -> str:
    readable = what.check(*_READABLE)
    text = (failure_text(what) or "") if readable else f"internal error ({next(iter(what)).rpartition('.')[2]})"
    told = f"step {step}: {text[:_LONGEST]}"
    return told.encode(errors="replace").decode()  # lone surrogates of a guest, which no database takes
