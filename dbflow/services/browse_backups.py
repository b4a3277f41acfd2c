# SPDX-License-Identifier: Apache-2.0
"""Backups as people look for them: filters, counts, newest first, page by page; with who made them and how far."""

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from dbflow.db.backups import descendants
from dbflow.db.models import Backup, DatastoreVersion, Health, Instance, Operation, utcnow
from dbflow.persistence.tables import ATOMS
from dbflow.services.backup_rows import families, refusals
from dbflow.services.browse import contains, of_project
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest
from dbflow.services.instances import is_uuid

STREAM = "stream-backup"
"""The step of backup.create in which the data goes to the store."""
_Maker, _Changer = aliased(Operation), aliased(Operation)


@dataclasses.dataclass(frozen=True)
class BackupFilter:
    """What is looked for; "" and None mean everything."""

    state: str = ""
    project: str = ""
    instance: str = ""
    """An id, or a part of the name."""
    chain: str = ""
    """The id of a backup: it, what it is a difference to, and what is a difference to it."""
    text: str = ""
    """A part of an id, a name, the description, the error or the instance's name."""
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True)
class Stream:
    """How far a backup that is being made has come."""

    progress: float
    """0 to 1"""
    seconds: float
    """Since the step began."""


@dataclasses.dataclass(frozen=True)
class BackupPage:
    """A page of backups; ``marker`` is where the next one begins, None on the last."""

    rows: Sequence[Any]
    counts: dict[str, int]
    """State -> how many there are of it, whatever state is filtered for."""
    streams: dict[str, Stream]
    """Backup id -> its stream, of those on the page that have one now."""
    refusals: dict[str, str]
    """Backup id -> why it can't be deleted now."""
    parents: dict[str, list[str]]
    """Backup id -> the ids of what it is a difference to, the nearest first."""
    marker: str | None


_COLUMNS = (
    Backup.id,
    Backup.name,
    Backup.description,
    Backup.project_id,
    Backup.instance_id,
    Backup.parent_id,
    Backup.state,
    Backup.strategy,
    Backup.size,
    Backup.stored,
    Backup.error,
    Backup.created,
    Backup.made_by,
    Backup.operation_id,
    DatastoreVersion.name.label("version"),
    Instance.name.label("instance"),
    Instance.deleted.label("instance_deleted"),
    Health.volume_used,
    _Maker.started,
    _Maker.finished,
    _Changer.kind.label("changing"),
)
_ROWS = (
    sa.select(*_COLUMNS)
    .select_from(Backup)
    .join(DatastoreVersion, DatastoreVersion.id == Backup.datastore_version_id)
    .outerjoin(Instance, Instance.id == Backup.instance_id)
    .outerjoin(Health, Health.instance_id == Backup.instance_id)
    .outerjoin(_Maker, _Maker.id == Backup.made_by)
    .outerjoin(_Changer, _Changer.id == Backup.operation_id)
)


def backups(
    services: Services, caller: Caller, wanted: BackupFilter, limit: int, marker: str | None = None
) -> BackupPage:
    """Those of the caller's project; an administrator sees every project's. BadRequest for a marker that is none."""
    with services.database.read() as session:
        conditions = _conditions(session, caller, wanted)
        query = _ROWS.where(*conditions, *([Backup.state == wanted.state] if wanted.state else []))
        if marker is not None:
            query = query.where(_after(session, caller, marker))
        rows = session.execute(query.order_by(Backup.created.desc(), Backup.id.desc()).limit(limit + 1)).all()
        more, rows = len(rows) > limit, rows[:limit]
        whole = list(session.scalars(sa.select(Backup).where(Backup.id.in_([row.id for row in rows]))))
        return BackupPage(
            rows,
            _counts(session, conditions),
            _streams(session, rows),
            refusals(session, families(session, whole)),
            _parents(session, rows),
            rows[-1].id if more else None,
        )


def count_backups(services: Services, caller: Caller) -> dict[str, int]:
    """State -> how many backups the caller sees that are in it."""
    with services.database.read() as session:
        return _counts(session, _conditions(session, caller, BackupFilter()))


def _conditions(session: Session, caller: Caller, wanted: BackupFilter) -> list[sa.ColumnElement[bool]]:
    conditions = [Backup.deleted == sa.false(), *of_project(Backup.project_id, caller, wanted.project)]
    if wanted.instance:
        named = contains(Instance.name, wanted.instance)
        conditions.append(Backup.instance_id == wanted.instance if is_uuid(wanted.instance) else named)
    if wanted.chain:
        conditions.append(Backup.id.in_(_chain(session, wanted.chain)))
    if wanted.text:
        columns = (Backup.id, Backup.name, Backup.description, Backup.instance_id, Backup.error, Instance.name)
        conditions.append(sa.or_(*(contains(column, wanted.text) for column in columns)))
    if wanted.since is not None:
        conditions.append(Backup.created >= wanted.since)
    if wanted.until is not None:
        conditions.append(Backup.created <= wanted.until)
    return conditions


def _counts(session: Session, conditions: Sequence[sa.ColumnElement[bool]]) -> dict[str, int]:
    query = sa.select(Backup.state, sa.func.count()).outerjoin(Instance, Instance.id == Backup.instance_id)
    return {row[0]: row[1] for row in session.execute(query.where(*conditions).group_by(Backup.state))}


def _chain(session: Session, backup_id: str) -> list[str]:
    """Whose they are is asked for beside it."""
    backup = session.get(Backup, backup_id) if is_uuid(backup_id) else None
    if backup is None:
        return []
    above = _ancestors(session, {backup.id: backup.parent_id})
    return [*above[backup.id], backup.id, *(one.id for one in descendants(session, backup))]


def _parents(session: Session, rows: Sequence[Any]) -> dict[str, list[str]]:
    return _ancestors(session, {row.id: row.parent_id for row in rows})


def _ancestors(session: Session, parent_of: dict[str, str | None]) -> dict[str, list[str]]:
    """Id -> those that it is a difference to, the nearest first; a generation with each look."""
    known = dict(parent_of)
    while missing := {parent for parent in known.values() if parent is not None} - set(known):
        query = sa.select(Backup.id, Backup.parent_id).where(Backup.id.in_(missing))
        known |= dict.fromkeys(missing) | {row[0]: row[1] for row in session.execute(query)}
    return {backup_id: _line(backup_id, known) for backup_id in parent_of}


def _line(backup_id: str, parent_of: dict[str, str | None]) -> list[str]:
    found: list[str] = []
    while (parent := parent_of[found[-1] if found else backup_id]) is not None:
        found.append(parent)
    return found


def _streams(session: Session, rows: Sequence[Any]) -> dict[str, Stream]:
    running = {row.operation_id: row.id for row in rows if row.operation_id is not None}
    if not running:
        return {}
    query = (
        sa.select(Operation.id, ATOMS.c.meta)
        .join(ATOMS, ATOMS.c.parent_uuid == Operation.flow_uuid)
        .where(Operation.id.in_(running), ATOMS.c.name == STREAM, ATOMS.c.state == "RUNNING")
    )
    now = utcnow()
    return {running[row[0]]: _stream(row[1] or {}, now) for row in session.execute(query)}


def _stream(meta: dict[str, Any], now: datetime.datetime) -> Stream:
    started = datetime.datetime.fromisoformat(meta["started"]) if meta.get("started") else now
    return Stream(float(meta.get("progress", 0.0)), max(0.0, (now - started).total_seconds()))


def _after(session: Session, caller: Caller, marker: str) -> sa.ColumnElement[bool]:
    last = session.get(Backup, marker) if is_uuid(marker) else None
    if last is None or not (caller.is_admin or last.project_id == caller.project_id):
        raise BadRequest("marker: no such backup.")
    return sa.and_(Backup.created <= last.created, sa.or_(Backup.created < last.created, Backup.id < last.id))
