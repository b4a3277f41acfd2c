# SPDX-License-Identifier: Apache-2.0
"""Operations: what a user asked for. Accepting one is a row in the same transaction as the change it stands for."""

import dataclasses
import enum
import functools
from collections.abc import Sequence
from typing import Any, Protocol, cast

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from dbflow import plugins
from dbflow.crypto import Keyring
from dbflow.db.models import Instance, Operation, new_id, utcnow


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
    """The target has a running operation; ``operation_id`` names it."""

    def __init__(self, target_id: str, operation_id: str, what: str = "Instance") -> None:
        super().__init__(f"{what} {target_id} is busy with operation {operation_id}.")
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
    task: str
    """What its target's ``task`` is while it runs (a name of dbflow.status.Task)."""
    cancellable: bool = True
    """Whether there is a way back."""
    deadline: float | None = None
    """Seconds it may take before the leader cancels it; None: [conductor] operation_deadline. 0: any."""


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
    (entry,) = plugins.of("dbflow.operations").select(name="flows")
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
    members: Sequence[str] = (),
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
        members=list(members) or None,
    )
    session.add(operation)
    return operation


class Following:
    """An operation that comes after another one on the same target, whose id that one must know."""

    def __init__(self, kind: str) -> None:
        self.id = new_id()
        self._kind = kind

    def accept(self, session: Session, keyring: Keyring, before: Operation, arguments: dict[str, Any]) -> None:
        """Record it: asked for by whoever asked for ``before``, and posted when that has ended."""
        session.flush()
        accepted = accept(
            session,
            keyring,
            self._kind,
            target_id=before.target_id,
            project_id=before.project_id,
            user_id=before.user_id,
            request_id=before.request_id,
            arguments=arguments,
            after_id=before.id,
        )
        accepted.id = self.id


def lock_instance(session: Session, instance_id: str, operation: Operation) -> None:
    """Give the instance to this operation and say so in its task, if no other operation has it (compare and swap).

    Raises Busy. The lock is given back by the operation's own final write.
    """
    taken = session.execute(
        update(Instance)
        .where(Instance.id == instance_id, Instance.deleted.is_(False), Instance.operation_id.is_(None))
        .values(operation_id=operation.id, task=catalog().kind(operation.kind).task, updated=utcnow())
    )
    if cast(Any, taken).rowcount != 1:
        holder = session.scalar(select(Instance.operation_id).where(Instance.id == instance_id))
        raise Busy(instance_id, holder or "")


def under_way(session: Session, kind: str, target_id: str) -> bool:
    """Whether one of that kind has been accepted for that target and has not ended."""
    query = exists().where(Operation.target_id == target_id, Operation.kind == kind, Operation.state.not_in(ENDED))
    return bool(session.scalar(select(query)))
