# SPDX-License-Identifier: Apache-2.0
"""Operations: what a user asked for. Accepting one is a row in the same transaction as the change it stands for."""

import dataclasses
import enum
import functools
import importlib.metadata
from typing import Any, Protocol, cast

from sqlalchemy import case, literal, select, update
from sqlalchemy.orm import Session
from taskflow import states

from dbflow.crypto import Keyring
from dbflow.db.models import Instance, Operation, new_id, utcnow
from dbflow.persistence.tables import ATOMS, FLOWS


class State(enum.StrEnum):
    """Where an operation stands."""

    ACCEPTED = "ACCEPTED"
    """Recorded; a conductor will take it."""
    RUNNING = "RUNNING"
    REVERTING = "REVERTING"
    SUSPENDED = "SUSPENDED"
    """Stopped between two steps on request; ``resume`` goes on."""
    SUCCESS = "SUCCESS"
    REVERTED = "REVERTED"
    """Failed or was cancelled, and every step was undone."""
    FAILED = "FAILED"
    """Parked: undoing failed too. ``error`` names what is left; ``retry`` goes on."""


ENDED = frozenset({State.SUCCESS, State.REVERTED, State.FAILED})
CANCEL, SUSPEND = "cancel", "suspend"


class Busy(Exception):
    """The instance has a running operation; ``operation_id`` names it."""

    def __init__(self, instance_id: str, operation_id: str) -> None:
        super().__init__(f"Instance {instance_id} is busy with operation {operation_id}.")
        self.operation_id = operation_id


@dataclasses.dataclass(frozen=True)
class Kind:
    """What the control plane knows of a kind of operation without importing its flow."""

    name: str
    """Such as instance.create."""
    title: str
    """In words, for people."""
    version: int
    """Of the flow's definition; new operations get this one."""
    priority: str
    """VERY_HIGH, HIGH, NORMAL, LOW or VERY_LOW: order among jobs that wait."""
    target_type: str


class Catalog(Protocol):
    """The registry of flows, as the API and the tools see it (entry point group ``dbflow.operations``)."""

    def kinds(self) -> list[Kind]:
        """Every kind, by name."""

    def kind(self, name: str) -> Kind:
        """KeyError when there is none."""

    def graph(self, name: str, version: int, arguments: dict[str, Any] | None) -> dict[str, Any]:
        """The flow as plain data: see :mod:`flows.graph`. Without arguments: with every step it can have."""


@functools.cache
def catalog() -> Catalog:
    """The one registry of operations; loaded by entry point, since the rooms above flows never import them."""
    (entry,) = importlib.metadata.entry_points(group="dbflow.operations", name="flows")
    return cast(Catalog, entry.load())


def accept(
    session: Session,
    keyring: Keyring,
    kind: str,
    *,
    target_id: str,
    project_id: str,
    user_id: str,
    request_id: str | None,
    arguments: dict[str, Any],
    after_id: str | None = None,
) -> Operation:
    """Record an operation (the caller's transaction decides whether it ever was). The job is posted after the
    commit; should that fail, the leader posts it."""
    known = catalog().kind(kind)
    operation = Operation(
        id=new_id(),
        kind=kind,
        version=known.version,
        target_type=known.target_type,
        target_id=target_id,
        project_id=project_id,
        user_id=user_id,
        request_id=request_id,
        priority=known.priority,
        arguments=keyring.seal(arguments),
        after_id=after_id,
    )
    session.add(operation)
    return operation


def lock_instance(session: Session, instance_id: str, operation: Operation, task: str) -> None:
    """Give the instance to this operation and set its task, if no other operation has it (compare and swap).

    Raises Busy. The lock is given back by the operation's own final write.
    """
    taken = session.execute(
        update(Instance)
        .where(Instance.id == instance_id, Instance.deleted.is_(False), Instance.operation_id.is_(None))
        .values(operation_id=operation.id, task=task, updated=utcnow())
    )
    if cast(Any, taken).rowcount != 1:
        holder = session.scalar(select(Instance.operation_id).where(Instance.id == instance_id))
        raise Busy(instance_id, holder or "")


def request(session: Session, operation_id: str, what: str) -> bool:
    """Ask a not yet ended operation to cancel or suspend; False when it has ended.

    A suspended one that is to be cancelled runs again, to be undone; post its job after the commit.
    """
    undo = (Operation.state == State.SUSPENDED) & (literal(what) == CANCEL)
    asked = session.execute(
        update(Operation)
        .where(Operation.id == operation_id, Operation.state.not_in(ENDED))
        .values(requested=what, state=case((undo, State.ACCEPTED), else_=Operation.state))
    )
    return bool(cast(Any, asked).rowcount == 1)


def resume(session: Session, operation_id: str) -> bool:
    """Let a suspended operation go on; False when it is not suspended. Post its job after the commit."""
    resumed = session.execute(
        update(Operation)
        .where(Operation.id == operation_id, Operation.state == State.SUSPENDED)
        .values(state=State.ACCEPTED, requested=None)
    )
    return bool(cast(Any, resumed).rowcount == 1)


def retry(session: Session, operation_id: str) -> bool:
    """Let a parked (FAILED) operation go on where it stopped: what could not be undone is tried again.

    False when it is not parked. Raises Busy when another operation has its instance, LookupError when the
    instance is gone. Post its job after the commit.
    """
    operation = session.get(Operation, operation_id, with_for_update=True)
    if operation is None or operation.state != State.FAILED:
        return False
    instance = session.get(Instance, operation.target_id, with_for_update=True)
    if instance is None or instance.deleted:
        raise LookupError(f"{operation.target_type} {operation.target_id} is gone")
    if instance.operation_id not in (None, operation.id):
        raise Busy(instance.id, instance.operation_id)
    instance.operation_id = operation.id
    operation.state, operation.finished, operation.attempts, operation.requested = State.ACCEPTED, None, 0, None
    flow = FLOWS.c.uuid == operation.flow_uuid
    stuck = (ATOMS.c.parent_uuid == operation.flow_uuid) & (ATOMS.c.state == states.REVERT_FAILURE)
    session.execute(update(FLOWS).where(flow).values(state=states.SUSPENDED))
    session.execute(update(ATOMS).where(stuck).values(state=states.REVERTING, revert_failure=None))
    return True
