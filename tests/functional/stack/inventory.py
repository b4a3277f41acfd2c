# SPDX-License-Identifier: Apache-2.0
"""What there is of instances, in every place that could keep something of them."""

import os
import pathlib
from typing import Any

import sqlalchemy as sa

from dbflow.cloud.local.processes import Processes
from dbflow.db.models import Health, Instance, Operation, Orphan
from dbflow.db.session import Database
from dbflow.operations import ENDED

Inventory = dict[str, list[str]]
"""Place -> sorted names of what is there."""


def of_cloud(cloud: pathlib.Path) -> Inventory:
    """Directories, addresses and processes of the local cloud in ``cloud``."""
    found = {name: _names(cloud / name) for name in ("servers", "volumes", "addresses")}
    return found | {"processes": sorted(f"{one.server} {one.name()}" for one in Processes(str(cloud)).all())}


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
        return {
            "instances": sorted(instances),
            "left of deleted instances": sorted(kept),
            "health": sorted(session.scalars(sa.select(Health.instance_id))),
            "orphans": sorted(f"{row.kind} {row.instance_id}" for row in session.scalars(sa.select(Orphan))),
            "unfinished operations": sorted(" ".join(row) for row in running),
        }


def difference(before: Inventory, after: Inventory) -> dict[str, Any]:
    """Place -> (gone, come), of places that changed."""
    return {
        place: (sorted(set(before[place]) - set(after[place])), sorted(set(after[place]) - set(before[place])))
        for place in before
        if before[place] != after[place]
    }


def _names(path: pathlib.Path) -> list[str]:
    return sorted(os.listdir(path)) if path.is_dir() else []
