# SPDX-License-Identifier: Apache-2.0
"""Instances of every project, deleted ones too, as administrators see them."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.db.models import Instance, RootHistory
from dbflow.services import rows
from dbflow.services.accounts import Agent
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest
from dbflow.services.instances import Page, is_uuid, missing

_INSTANCE, _ROOT = Instance.__table__.c, RootHistory.__table__.c
_EVERY = (
    rows.EVERY.outerjoin(RootHistory.__table__, _ROOT.instance_id == _INSTANCE.id)
    .add_columns(
        _INSTANCE.deleted,
        _INSTANCE.deleted_at,
        _INSTANCE.availability_zone,
        _INSTANCE.volume_type,
        _ROOT.created.label("root_enabled"),
        _ROOT.user_id.label("root_enabled_by"),
    )
    .order_by(_INSTANCE.created.desc(), _INSTANCE.id.desc())
)


def page(
    services: Services, limit: int, marker: str | None, *, deleted: bool | None = None, project_id: str | None = None
) -> Page:
    """The newest first; ``deleted`` only those that are, or are not."""
    query = _EVERY.limit(limit + 1)
    if deleted is not None:
        query = query.where(_INSTANCE.deleted == (sa.true() if deleted else sa.false()))
    if project_id is not None:
        query = query.where(_INSTANCE.project_id == project_id)
    with services.database.read() as session:
        if marker is not None:
            query = query.where(_after(session, marker))
        found = list(session.execute(query))
        more, items = len(found) > limit, found[:limit]
        replicas = rows.replicas(session, items)
    return Page(items, replicas, items[-1].id if more else None)


def _after(session: Session, marker: str) -> sa.ColumnElement[bool]:
    created = session.scalar(sa.select(_INSTANCE.created).where(_INSTANCE.id == marker))
    if created is None:
        raise BadRequest("marker: no such instance.")
    return sa.or_(_INSTANCE.created < created, sa.and_(_INSTANCE.created == created, _INSTANCE.id < marker))


def show(services: Services, instance_id: str, *, deleted: bool | None = None) -> tuple[Any, list[str]]:
    """An instance (with what ``page`` has of it) and the ids of its replicas; NotFound, also for one that is not
    ``deleted`` as asked."""
    with services.database.read() as session:
        query = _EVERY.where(_INSTANCE.id == instance_id)
        row = session.execute(query).one_or_none() if is_uuid(instance_id) else None
        if row is None or (deleted is not None and row.deleted is not deleted):
            raise missing(instance_id)
        return row, rows.replicas(session, [row]).get(row.id, [])


class Machine(Agent):
    """The agent of an instance, asked about the machine that it is on; its database may be down."""

    tasks = "guest.tasks.machine"


def diagnostics(services: Services, caller: Caller, instance_id: str) -> dict[str, Any]:
    """Of the agent's process: {"version", "threads", "fdSize", "vmSize", "vmPeak", "vmRss", "vmHwm"}, sizes in KiB."""
    found: dict[str, Any] = Machine(services, caller, instance_id).ask("Diagnostics")
    return found


def hardware(services: Services, caller: Caller, instance_id: str) -> dict[str, Any]:
    """{"mem_total": KiB, "num_cpus": count}"""
    found: dict[str, Any] = Machine(services, caller, instance_id).ask("Hardware")
    return found


class Status(Agent):
    """The agent of an instance, asked how it is."""

    tasks = "guest.tasks.status"


def ping(services: Services, caller: Caller, instance_id: str) -> None:
    """Unavailable when the agent does not answer."""
    Status(services, caller, instance_id).ask("Ping")
