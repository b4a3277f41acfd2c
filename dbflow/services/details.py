# SPDX-License-Identifier: Apache-2.0
"""One operation with everything that is kept of it, secrets masked."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from taskflow.types.failure import Failure

from dbflow.crypto import BadSeal
from dbflow.db.models import Health, Instance, Operation
from dbflow.operations import ENDED
from dbflow.persistence.rows import failure_text
from dbflow.persistence.steps import Step, steps_of
from dbflow.persistence.tables import ATOMS
from dbflow.services.context import Caller, Services
from dbflow.services.instances import is_uuid
from dbflow.services.masking import Mask
from dbflow.services.operations import missing

_OP = Operation.__table__.c
_COLUMNS = (
    *Operation.__table__.c,
    Instance.__table__.c.name.label("instance"),
    Instance.__table__.c.deleted.label("instance_deleted"),
    Health.__table__.c.service_status,
    Health.__table__.c.seen,
    Health.__table__.c.in_flight,
)
_FROM = Operation.__table__.outerjoin(Instance.__table__, Instance.__table__.c.id == _OP.target_id).outerjoin(
    Health.__table__, Health.__table__.c.instance_id == _OP.target_id
)


@dataclasses.dataclass(frozen=True)
class Detail:
    """An operation at one moment."""

    row: Any
    """The operation's columns, its ``instance`` (name) and what that one's guest said last."""
    steps: Sequence[Step]
    """Begun ones first, by start; failures in words for administrators only."""
    before: Any
    """(id, kind, state) of the operation that must end before this one begins, if it has not."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a step."""

    result: Any
    """Masked; None when there is none."""
    failures: Sequence["Trouble"]
    """Of the step itself, then of its undoing."""


@dataclasses.dataclass(frozen=True)
class Trouble:
    """Why a step failed."""

    words: str
    types: Sequence[str]
    """Class paths of the exception and its bases, the closest first."""
    trace: str
    undoing: bool


def detail(services: Services, caller: Caller, operation_id: str) -> Detail:
    """NotFound for what is another project's, too."""
    with services.database.read() as session:
        row = _row(session, operation_id)
        if row is None or not (caller.is_admin or row.project_id == caller.project_id):
            raise missing(operation_id)
        steps = steps_of(session, row.flow_uuid, services.keyring if caller.is_admin else None)
        return Detail(row, _masked(services, row, steps), _before(session, row))


def _masked(services: Services, row: Any, steps: Sequence[Step]) -> Sequence[Step]:
    """Exceptions that nobody expected may say anything."""
    if all(step.failure is None for step in steps):
        return steps
    mask = Mask(_arguments(services, row))
    return [dataclasses.replace(step, failure=mask(step.failure)) for step in steps]


def _row(session: Session, operation_id: str) -> Any:
    if not is_uuid(operation_id):
        return None
    return session.execute(sa.select(*_COLUMNS).select_from(_FROM).where(_OP.id == operation_id)).one_or_none()


def _before(session: Session, row: Any) -> Any:
    if row.after_id is None:
        return None
    query = sa.select(_OP.id, _OP.kind, _OP.state).where(_OP.id == row.after_id, _OP.state.not_in(ENDED))
    return session.execute(query).one_or_none()


def arguments(services: Services, found: Detail) -> dict[str, Any] | None:
    """What the operation was asked to do, masked; None when it is sealed with a key that is not here."""
    raw = _arguments(services, found.row)
    return None if raw is None else Mask(raw)(raw)


def _arguments(services: Services, row: Any) -> dict[str, Any] | None:
    try:
        unsealed: dict[str, Any] = services.keyring.unseal(row.arguments)
    except BadSeal:
        return None
    return unsealed


def outcome(services: Services, found: Detail, step: str, provides: Sequence[str]) -> Outcome:
    """What is kept of a step: its result (a secret when the name that it ``provides`` says so), and its failures."""
    query = sa.select(ATOMS.c.results, ATOMS.c.failure, ATOMS.c.revert_failure).where(
        ATOMS.c.parent_uuid == found.row.flow_uuid, ATOMS.c.name == step
    )
    with services.database.read() as session:
        row = session.execute(query).one_or_none()
    if row is None:
        return Outcome(None, ())
    mask = Mask(_arguments(services, found.row))
    troubles = [
        _trouble(services, mask, sealed, undoing)
        for sealed, undoing in ((row.failure, False), (row.revert_failure, True))
        if sealed
    ]
    try:
        result = None if row.results is None else mask(services.keyring.unseal(row.results), " ".join(provides))
    except BadSeal:
        result = "sealed with a key that is not here"
    return Outcome(result, tuple(troubles))


def _trouble(services: Services, mask: Mask, sealed: str, undoing: bool) -> Trouble:
    try:
        failure = Failure.from_dict(services.keyring.unseal(sealed))
    except BadSeal:
        return Trouble("sealed with a key that is not here", (), "", undoing)
    return Trouble(mask(failure_text(failure)), tuple(failure), mask(failure.traceback_str or ""), undoing)
