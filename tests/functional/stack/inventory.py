# SPDX-License-Identifier: Apache-2.0
"""What there is of instances, in every place that could keep something of them."""

import collections
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.cloud.local.processes import Processes
from dbflow.db.models import Backup, Health, Instance, Operation, Orphan
from dbflow.db.session import Database
from dbflow.messaging.connection import opened
from dbflow.messaging.layout import Layout
from dbflow.operations import ENDED
from dbflow.persistence.tables import ATOMS, FLOWS, LOGBOOKS

Inventory = dict[str, list[str]]
"""Place -> sorted names of what is there."""


def of_cloud(cloud: pathlib.Path) -> Inventory:
    """Directories, addresses and processes of the local cloud in ``cloud``."""
    found = {name: _names(cloud / name) for name in ("servers", "volumes", "addresses")}
    found["disks of servers"] = sorted(path.name for path in cloud.glob("hosts/*/*"))
    return found | {"processes": sorted(f"{one.server} {one.name()}" for one in Processes(str(cloud)).all())}


def of_objects(directory: pathlib.Path) -> Inventory:
    """Directories of the file store that hold a backup's objects: container, project and backup."""
    found = {path.relative_to(directory).parts for path in files(directory)}
    return {"objects": sorted({"/".join(parts[:3]) for parts in found if len(parts) > 3})}


def files(directory: pathlib.Path) -> Iterator[pathlib.Path]:
    """All below it; pathlib's own globs fail where a directory goes meanwhile."""
    for above, _, names in os.walk(directory):
        yield from (pathlib.Path(above, name) for name in names)


def of_database(database: Database) -> Inventory:
    """Rows that stand for something that exists or is going on."""
    with database.read() as session:
        instances = session.scalars(sa.select(Instance.id).where(Instance.deleted.is_(False)))
        kept = session.scalars(
            sa.select(Instance.id).where(
                Instance.deleted,
                sa.or_(
                    Instance.guest_key.is_not(None),
                    Instance.server_id.is_not(None),
                    Instance.volume_id.is_not(None),
                    Instance.port_id.is_not(None),
                    Instance.operation_id.is_not(None),
                ),
            )
        )
        running = session.execute(sa.select(Operation.kind, Operation.id).where(Operation.state.not_in(ENDED)))
        locked = session.execute(
            sa.select(Instance.id, Instance.operation_id).where(Instance.operation_id.is_not(None))
        )
        return {
            "instances": sorted(instances),
            "left of deleted instances": sorted(kept),
            "backups": sorted(session.scalars(sa.select(Backup.id).where(Backup.deleted.is_(False)))),
            "backup locks": sorted(session.scalars(sa.select(Backup.id).where(Backup.operation_id.is_not(None)))),
            "health": sorted(session.scalars(sa.select(Health.instance_id))),
            "orphans": sorted(f"{row.kind} {row.instance_id}" for row in session.scalars(sa.select(Orphan))),
            "unfinished operations": sorted(" ".join(row) for row in running),
            "locks": sorted(" ".join(row) for row in locked),
            "wrong flows": sorted(_wrong_flows(session)),
        }


_LIVE = ("RUNNING", "REVERTING", "RETRYING")


def _wrong_flows(session: Session) -> Iterator[str]:
    """Rows of flows and steps that belong to nothing, or do not say what their operation says."""
    for table, parent, of in (
        (LOGBOOKS, LOGBOOKS.c.uuid, Operation.id),
        (FLOWS, FLOWS.c.parent_uuid, LOGBOOKS.c.uuid),
        (ATOMS, ATOMS.c.parent_uuid, FLOWS.c.uuid),
    ):
        orphans = sa.select(table.c.uuid).where(parent.not_in(sa.select(of)))
        yield from (f"{table.name} {one} of nothing" for one in session.scalars(orphans))
    ended = sa.select(Operation.id, Operation.state, FLOWS.c.state).where(
        Operation.flow_uuid == FLOWS.c.uuid, Operation.state.in_(["SUCCESS", "REVERTED"])
    )
    for operation_id, state, of_flow in session.execute(ended):
        if of_flow != state:
            yield f"flow of {operation_id}: {of_flow} but {state}"
    going_on = sa.select(ATOMS.c.name, Operation.id, ATOMS.c.state).where(
        Operation.flow_uuid == ATOMS.c.parent_uuid, Operation.state.in_(ENDED), ATOMS.c.state.in_(_LIVE)
    )
    yield from (f"step {name} of {one}: {state}" for name, one, state in session.execute(going_on))


def of_broker(database: Database, url: str, exchange: str) -> Inventory:
    """Queues of guests, also of those whose instance is gone: each instance that ever was is asked for."""
    with database.read() as session:
        known = list(session.scalars(sa.select(Instance.id)))
    with opened(url) as connection:
        there = [one for one in known if _declared(connection, Layout(exchange).guest(one).name)]
    return {"queues": sorted(there)}


def _declared(connection: Any, queue: str) -> bool:
    with connection.channel() as channel:
        try:
            channel.queue_declare(queue=queue, passive=True)
        except connection.channel_errors:
            return False
    return True


def difference(before: Inventory, after: Inventory) -> dict[str, Any]:
    """Place -> (gone, come), of places that changed. What is there twice has come once."""
    return {
        place: (_less(before[place], after[place]), _less(after[place], before[place]))
        for place in before
        if before[place] != after[place]
    }


def _less(names: list[str], others: list[str]) -> list[str]:
    return sorted((collections.Counter(names) - collections.Counter(others)).elements())


def _names(path: pathlib.Path) -> list[str]:
    return sorted(os.listdir(path)) if path.is_dir() else []
