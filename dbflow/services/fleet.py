# SPDX-License-Identifier: Apache-2.0
"""What runs the operations: the jobs on the board, the conductors, the guests. For administrators."""

import dataclasses
import datetime
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, load_only

from dbflow.db.models import Conductor, Health, Instance, Operation, utcnow
from dbflow.db.session import Database
from dbflow.jobboard import BoardUnavailable, JobView
from dbflow.operations import ENDED, State
from dbflow.services.contention import contended
from dbflow.services.context import Services
from dbflow.services.errors import Conflict, NotFound, Unavailable

POSTED_WITHIN = 10.0
"""Seconds after which an operation that is not on the board was forgotten: the leader looks every few."""


_LOOKED_AT = (
    Operation.id,
    Operation.kind,
    Operation.priority,
    Operation.state,
    Operation.created,
    Operation.after_id,
    Operation.conductor,
)
"""Not what an operation was asked to do, which is sealed and may be long."""

SILENT = 20.0
"""Seconds after which a conductor, which reports every few, is taken for gone."""


@dataclasses.dataclass(slots=True)
class Job:
    """A job on the board, or an operation that should have one and has none (``posted`` and ``owner`` are None)."""

    operation_id: str
    kind: str
    priority: str
    posted: datetime.datetime | None
    owner: str | None
    state: str | None
    """Of the operation; None when it has ended or is suspended, so that the job is about to go."""
    created: datetime.datetime | None = None
    """When the operation was accepted."""
    waits_for: str | None = None
    """The operation that must end before this one is posted."""

    def forgotten(self, now: datetime.datetime) -> bool:
        """Whether it should have been on the board for a while, and is not."""
        return (
            self.posted is None
            and self.waits_for is None
            and self.created is not None
            and (now - self.created).total_seconds() > POSTED_WITHIN
        )


def jobs(services: Services) -> list[Job]:
    """In the order of the board; then the operations that are not on it. Unavailable while the board is away."""
    try:
        posted = services.board()
    except BoardUnavailable:
        raise Unavailable("The jobboard does not answer.", {"Retry-After": "5"}) from None
    with services.database.read() as session:
        return compare(session, posted)


def running(session: Session) -> list[Operation]:
    """Those that are to be on the board, oldest first; of each what :data:`_LOOKED_AT` names."""
    query = sa.select(Operation).where(Operation.state.not_in([*ENDED, State.SUSPENDED]))
    return list(session.scalars(query.options(load_only(*_LOOKED_AT, raiseload=True)).order_by(Operation.created)))


def compare(session: Session, posted: Sequence[JobView]) -> list[Job]:
    """The board beside what SQL says should be on it."""
    wanted = {operation.id: operation for operation in running(session)}
    on_board = [
        Job(
            job.operation_id,
            job.kind,
            job.priority,
            job.posted,
            job.owner,
            wanted[job.operation_id].state if job.operation_id in wanted else None,
            wanted[job.operation_id].created if job.operation_id in wanted else None,
        )
        for job in posted
    ]
    known = {job.operation_id for job in posted}
    waiting = _waiting(session, [operation for operation in wanted.values() if operation.id not in known])
    missing = [
        Job(
            operation.id,
            operation.kind,
            operation.priority,
            None,
            None,
            operation.state,
            operation.created,
            operation.after_id if operation.after_id in waiting else None,
        )
        for operation in wanted.values()
        if operation.id not in known
    ]
    return on_board + missing


def _waiting(session: Session, successors: Sequence[Operation]) -> set[str]:
    """Those of their predecessors that have not ended."""
    before = [operation.after_id for operation in successors if operation.after_id is not None]
    if not before:
        return set()
    return set(session.scalars(sa.select(Operation.id).where(Operation.id.in_(before), Operation.state.not_in(ENDED))))


def conductors(session: Session) -> list[tuple[Conductor, list[str]]]:
    """Each with the operations that it claimed last and that have not ended."""
    found = list(session.scalars(sa.select(Conductor).order_by(Conductor.name)))
    at_work: dict[str | None, list[str]] = {}
    claimed = sa.select(Operation.conductor, Operation.id).where(
        Operation.state.not_in([*ENDED, State.SUSPENDED, State.ACCEPTED])
    )
    for name, operation_id in session.execute(claimed.order_by(Operation.created)):
        at_work.setdefault(name, []).append(operation_id)
    return [(conductor, at_work.get(conductor.name, [])) for conductor in found]


def drain_refusal(conductor: Conductor, now: datetime.datetime) -> str | None:
    """Why it can't be told to drain, or to claim again; None when it can."""
    return None if alive(conductor, now) else "it is silent"


def alive(conductor: Conductor, now: datetime.datetime) -> bool:
    """Whether it has reported lately."""
    return (now - conductor.seen).total_seconds() <= SILENT


def leads(conductor: Conductor, now: datetime.datetime) -> bool:
    """Whether it is the leader. One that was killed could not say that it is no more."""
    return conductor.leader and alive(conductor, now)


@contended
def drain(database: Database, name: str, draining: bool) -> None:
    """Let a conductor finish what it runs and claim nothing more, or claim again. NotFound when there is none, Conflict
    when it would not hear of it."""
    with database.write() as session:
        found = session.get(Conductor, name)
        if found is None:
            raise NotFound(f"Conductor {name[:255]} cannot be found.")
        why_not = drain_refusal(found, utcnow())
        if why_not is not None:
            raise Conflict(f"Conductor {name} can't be told: {why_not}.")
        found.draining = draining


def guests(
    session: Session, limit: int | None = None, marker: str | None = None
) -> tuple[Iterable[tuple[Instance, Health | None]], str | None]:
    """Every instance that is not deleted, by id, also one whose guest was never heard; the next page's marker."""
    query = (
        sa.select(Instance, Health)
        .outerjoin(Health, Health.instance_id == Instance.id)
        .where(Instance.deleted.is_(False))
        .order_by(Instance.id)
    )
    if marker is not None:
        query = query.where(Instance.id > marker)
    if limit is not None:
        query = query.limit(limit + 1)
    found = [(instance, health) for instance, health in session.execute(query)]
    more = limit is not None and len(found) > limit
    return found[:limit], found[limit - 1][0].id if more and limit else None
