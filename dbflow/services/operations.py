# SPDX-License-Identifier: Apache-2.0
"""Operations as their users see them, and what they may want of them."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow import operations, verbs
from dbflow.crypto import BadSeal
from dbflow.db.models import Operation
from dbflow.operations import ENDED
from dbflow.persistence.steps import Step, steps_of
from dbflow.services.browse import after
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.errors import Conflict, NotFound
from dbflow.services.instances import is_uuid
from dbflow.services.selection import Results, each
from dbflow.services.verbs import refusal

FILTERS = ("kind", "state", "target_id")


@dataclasses.dataclass(slots=True)
class Seen:
    """An operation with its steps (begun ones first, by start)."""

    operation: Operation
    steps: Sequence[Step]


def page(
    services: Services,
    caller: Caller,
    filters: dict[str, str],
    done: bool | None,
    every_project: bool,
    limit: int,
    marker: str | None,
) -> tuple[list[Operation], str | None]:
    """The newest operations, and the marker of the next page."""
    query = sa.select(Operation).order_by(Operation.created.desc(), Operation.id.desc()).limit(limit + 1)
    if not every_project:
        query = query.where(Operation.project_id == caller.project_id)
    for name, value in filters.items():
        query = query.where(getattr(Operation, name) == value)
    if done is not None:
        query = query.where(Operation.state.in_(ENDED) if done else Operation.state.not_in(ENDED))
    with services.database.read() as session:
        if marker is not None:
            query = query.where(after(session, caller, marker))
        found = list(session.scalars(query))
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def _find(session: Session, caller: Caller, operation_id: str, missing: Exception, *, lock: bool = False) -> Operation:
    query = sa.select(Operation).where(Operation.id == operation_id)
    found = session.scalar(query.with_for_update() if lock else query) if is_uuid(operation_id) else None
    if found is None or not (caller.is_admin or found.project_id == caller.project_id):
        raise missing
    return found


def missing(operation_id: str) -> NotFound:
    return NotFound(f"Operation {operation_id[:255]} cannot be found.")


def show(services: Services, caller: Caller, operation_id: str) -> Seen:
    """The operation and its steps; only administrators are told why a step failed."""
    with services.database.read() as session:
        operation = _find(session, caller, operation_id, missing(operation_id))
        keyring = services.keyring if caller.is_admin else None
        return Seen(operation, steps_of(session, operation.flow_uuid, keyring))


def graph(services: Services, caller: Caller, operation_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the flow's graph, the state of each step by name): what the drawings take."""
    seen = show(services, caller, operation_id)
    return graph_of(services, seen.operation), {step.name: step.as_dict() for step in seen.steps}


def graph_of(services: Services, operation: Any) -> dict[str, Any]:
    """The flow's graph; ``operation``: its row, or whatever has the columns. NotFound when it can't be told."""
    try:
        arguments = services.keyring.unseal(operation.arguments)
        return operations.catalog().graph(operation.kind, operation.version, arguments)
    except LookupError:
        raise NotFound(f"The flow of operation {operation.id} is not known to this release.") from None
    except BadSeal:
        raise NotFound(f"Operation {operation.id} is sealed with a key that is not here.") from None


@contended
def act(services: Services, caller: Caller, operation_id: str, verb: str) -> Operation:
    """cancel, suspend, resume, retry or release. Conflict when the operation's state does not allow it."""
    with services.database.write() as session:
        operation = _find(session, caller, operation_id, missing(operation_id), lock=True)
        why_not = refusal(operation, verb)
        if why_not is not None:
            raise Conflict(f"Operation {operation.id} is {operation.state} and can't {verb}: {why_not}.")
        before = operation.state
        try:
            verbs.ask(session, lambda: services.keyring, operation, verb)
        except (operations.Busy, LookupError) as error:
            raise Conflict(f"Operation {operation.id} is {before} and can't {verb}: {error}") from None
    if operation.state != before:  # else its job is on the board, or a conductor has it
        services.post_accepted(operation)
    return operation


def act_on_all(services: Services, caller: Caller, operation_ids: Sequence[str], verb: str) -> Results:
    """The same for each of a selection."""
    return each(operation_ids, lambda operation_id: act(services, caller, operation_id, verb))
