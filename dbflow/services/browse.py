# SPDX-License-Identifier: Apache-2.0
"""Operations and instances as people look for them: many filters, counts, newest first, page by page."""

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.db.models import Health, Instance, Operation, utcnow
from dbflow.db.samples import samples_of
from dbflow.operations import ENDED, State
from dbflow.persistence.busy import BUSY
from dbflow.persistence.tables import ATOMS
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest
from dbflow.services.instances import is_uuid
from dbflow.status import Service, Task

OPEN = "OPEN"
"""Beside the states: whatever has not ended."""
OVER = "OVER"
"""And whatever has."""
_STATES_OPEN, _STATES_OVER = ([state for state in State if (state in ENDED) is over] for over in (False, True))

_OP, _IN, _HE = Operation.__table__.c, Instance.__table__.c, Health.__table__.c
_OPERATION_COLUMNS = (
    _OP.id,
    _OP.kind,
    _OP.state,
    _OP.requested,
    _OP.target_type,
    _OP.target_id,
    _OP.project_id,
    _OP.user_id,
    _OP.attempts,
    _OP.conductor,
    _OP.error,
    _OP.created,
    _OP.started,
    _OP.finished,
    _OP.flow_uuid,
    _OP.epoch,
    _OP.released_epoch,
    _IN.name.label("instance"),
)
_OPERATIONS = Operation.__table__.outerjoin(Instance.__table__, _IN.id == _OP.target_id)
_INSTANCE_COLUMNS = (
    _IN.id,
    _IN.name,
    _IN.project_id,
    _IN.task,
    _IN.created,
    _IN.operation_id,
    _IN.volume_size,
    _IN.addresses,
    _IN.replica_of_id,
    _IN.fault,
    _HE.service_status,
    _HE.seen,
    _HE.datastore_version,
    _HE.agent_version,
    _HE.in_flight,
    _HE.volume_used,
    _HE.volume_total,
    _HE.load,
    _HE.position,
)
_INSTANCES = Instance.__table__.outerjoin(Health.__table__, _HE.instance_id == _IN.id)


@dataclasses.dataclass(frozen=True)
class OperationFilter:
    """What is looked for; "" and None mean everything."""

    kind: str = ""
    state: str = ""
    """A state, OPEN or OVER."""
    project: str = ""
    instance: str = ""
    """An id, or a part of the name."""
    text: str = ""
    """A part of an id, the kind, the user, the error or the instance's name."""
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True)
class InstanceFilter:
    """What is looked for; "" means everything."""

    health: str = ""
    """error, silent, crashed or busy"""
    project: str = ""
    text: str = ""
    """A part of the id or the name."""


@dataclasses.dataclass(frozen=True)
class OperationPage:
    """A page of operations; ``marker`` is where the next one begins, None on the last."""

    rows: Sequence[Any]
    counts: dict[str, int]
    """State -> how many there are of it, whatever state is filtered for; empty when they were not to be counted."""
    at_work: dict[str, Sequence[str]]
    """Operation id -> the steps that it is at, of those on the page that have not ended."""
    marker: str | None


def operations(
    services: Services,
    caller: Caller,
    wanted: OperationFilter,
    limit: int,
    marker: str | None = None,
    *,
    count: bool = True,
) -> OperationPage:
    """Those of the caller's project; an administrator sees every project's. BadRequest for a marker that is none."""
    conditions = _operation_conditions(caller, wanted)
    by_state = [*conditions, *_of_state(wanted.state)]
    query = sa.select(*_OPERATION_COLUMNS).select_from(_OPERATIONS).where(*by_state)
    with services.database.read() as session:
        if marker is not None:
            query = query.where(after(session, caller, marker))
        rows = session.execute(query.order_by(_OP.created.desc(), _OP.id.desc()).limit(limit + 1)).all()
        more, rows = len(rows) > limit, rows[:limit]
        return OperationPage(
            rows,
            _counts(session, wanted, conditions) if count else {},
            _steps_at_work(session, rows),
            rows[-1].id if more else None,
        )


def _counts(session: Session, wanted: OperationFilter, conditions: Sequence[sa.ColumnElement[bool]]) -> dict[str, int]:
    query = sa.select(_OP.state, sa.func.count()).select_from(_counted(wanted)).where(*conditions)
    return {row[0]: row[1] for row in session.execute(query.group_by(_OP.state))}


def _counted(wanted: OperationFilter) -> Any:
    """Instances' names only where the filter asks for them: to join is most of the work."""
    by_name = wanted.text or (wanted.instance and not is_uuid(wanted.instance))
    return _OPERATIONS if by_name else Operation.__table__


def _operation_conditions(caller: Caller, wanted: OperationFilter) -> list[sa.ColumnElement[bool]]:
    conditions = of_project(_OP.project_id, caller, wanted.project)
    if wanted.kind:
        conditions.append(_OP.kind == wanted.kind)
    if wanted.instance:
        named = contains(_IN.name, wanted.instance)
        conditions.append(_OP.target_id == wanted.instance if is_uuid(wanted.instance) else named)
    if wanted.text:
        columns = [_OP.id, _OP.kind, _OP.user_id, _OP.target_id, _OP.request_id, _OP.error, _IN.name]
        if caller.is_admin:  # others are not told what the conductors are called
            columns.append(_OP.conductor)
        conditions.append(sa.or_(*(contains(column, wanted.text) for column in columns)))
    if wanted.since is not None:
        conditions.append(_OP.created >= wanted.since)
    if wanted.until is not None:
        conditions.append(_OP.created <= wanted.until)
    return conditions


def _of_state(state: str) -> list[sa.ColumnElement[bool]]:
    if state == OPEN:
        return [_OP.state.in_(_STATES_OPEN)]  # what an index can look for
    if state == OVER:
        return [_OP.state.in_(_STATES_OVER)]
    return [_OP.state == state] if state else []


def of_project(column: Any, caller: Caller, wanted: str) -> list[sa.ColumnElement[bool]]:
    if not caller.is_admin:
        return [column == caller.project_id]
    return [column == wanted] if wanted else []


def contains(column: Any, text: str) -> sa.ColumnElement[bool]:
    found: sa.ColumnElement[bool] = column.icontains(text, autoescape=True)
    return found


def after(session: Session, caller: Caller, marker: str) -> sa.ColumnElement[bool]:
    """For the page after the one that ends with operation ``marker``. BadRequest when the caller sees no such."""
    last = session.execute(sa.select(_OP.created, _OP.id, _OP.project_id).where(_OP.id == marker)).one_or_none()
    if last is None or not (caller.is_admin or last.project_id == caller.project_id):
        raise BadRequest("marker: no such operation.")
    return sa.and_(_OP.created <= last.created, sa.or_(_OP.created < last.created, _OP.id < last.id))


def _steps_at_work(session: Session, rows: Sequence[Any]) -> dict[str, Sequence[str]]:
    running = {row.flow_uuid: row.id for row in rows if row.state not in ENDED}
    found: dict[str, list[str]] = {}
    if running:
        query = sa.select(ATOMS.c.parent_uuid, ATOMS.c.name).where(
            ATOMS.c.parent_uuid.in_(running), ATOMS.c.state.in_(BUSY)
        )
        for flow, name in session.execute(query.order_by(ATOMS.c.name)):
            found.setdefault(running[flow], []).append(name)
    return dict(found)


def instances(
    services: Services, caller: Caller, wanted: InstanceFilter, limit: int, marker: str | None
) -> tuple[Sequence[Any], str | None]:
    """Those that are not deleted, newest first, with what their guests said last; the next page's marker."""
    query = sa.select(*_INSTANCE_COLUMNS).select_from(_INSTANCES).where(_IN.deleted == sa.false())
    query = query.where(*of_project(_IN.project_id, caller, wanted.project))
    if wanted.text:
        query = query.where(sa.or_(contains(_IN.name, wanted.text), contains(_IN.id, wanted.text)))
    if wanted.health:
        query = query.where(_unwell(services, wanted.health))
    with services.database.read() as session:
        if marker is not None:
            last = session.execute(sa.select(_IN.created, _IN.project_id).where(_IN.id == marker)).one_or_none()
            if last is None or not (caller.is_admin or last.project_id == caller.project_id):
                raise BadRequest("marker: no such instance.")
            earlier = sa.or_(_IN.created < last.created, _IN.id < marker)
            query = query.where(_IN.created <= last.created, earlier)
        rows = session.execute(query.order_by(_IN.created.desc(), _IN.id.desc()).limit(limit + 1)).all()
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def relatives(services: Services, row: Any) -> Sequence[Any]:
    """The instances that replicate with this one: its source, the source's replicas, and its own."""
    ids = [row.id, *([row.replica_of_id] if row.replica_of_id else [])]
    query = (
        sa.select(*_INSTANCE_COLUMNS)
        .select_from(_INSTANCES)
        .where(
            _IN.deleted == sa.false(),
            _IN.project_id == row.project_id,
            sa.or_(_IN.id.in_(ids), _IN.replica_of_id.in_(ids)),
        )
    )
    with services.database.read() as session:
        return session.execute(query.order_by(_IN.created, _IN.id)).all()


def samples(services: Services, row: Any) -> Sequence[Any]:
    """(at, volume_used, load) of an instance's last day, oldest first."""
    with services.database.read() as session:
        return samples_of(session, row.id, utcnow())


def instance(services: Services, caller: Caller, instance_id: str) -> Any | None:
    """One of them, or None."""
    query = sa.select(*_INSTANCE_COLUMNS).select_from(_INSTANCES).where(_IN.deleted == sa.false())
    query = query.where(_IN.id == instance_id, *of_project(_IN.project_id, caller, ""))
    with services.database.read() as session:
        return session.execute(query).one_or_none()


def unheard(services: Services) -> sa.ColumnElement[bool]:
    """Of guests that should be heard, and were not for ``[messaging] heartbeat_expiry`` seconds."""
    since = utcnow() - datetime.timedelta(seconds=services.conf.messaging.heartbeat_expiry)
    return sa.and_(_IN.task.in_([Task.NONE, Task.RESTART_REQUIRED]), sa.or_(_HE.seen.is_(None), _HE.seen < since))


def crashed(services: Services) -> sa.ColumnElement[bool]:
    """Whose database server is down, as its guest says."""
    return sa.and_(_IN.task.in_([Task.NONE, Task.RESTART_REQUIRED]), _HE.service_status == Service.CRASHED)


def _unwell(services: Services, health: str) -> sa.ColumnElement[bool]:
    if health == "error":
        return _IN.task == Task.ERROR
    if health == "silent":
        return unheard(services)
    if health == "crashed":
        return crashed(services)
    if health == "busy":
        return _IN.operation_id.is_not(None)
    raise BadRequest("health: must be error, silent, crashed or busy.")


def count_instances(services: Services, caller: Caller) -> dict[str, int]:
    """health -> how many instances the caller sees of which it is true; and "" for all of them."""
    sums = [sa.func.count(sa.case((_unwell(services, name), 1))) for name in ("error", "silent", "crashed", "busy")]
    query = sa.select(sa.func.count(), *sums).select_from(_INSTANCES).where(_IN.deleted == sa.false())
    with services.database.read() as session:
        row = session.execute(query.where(*of_project(_IN.project_id, caller, ""))).one()
    return dict(zip(("", "error", "silent", "crashed", "busy"), row, strict=True))
