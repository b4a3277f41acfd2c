# SPDX-License-Identifier: Apache-2.0
"""Heartbeats of guests, gathered and written to SQL in batches."""

import threading
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, sqlite

from dbflow.db.models import Health, Instance, utcnow
from dbflow.db.session import Database

_TABLE = cast(sa.Table, Health.__table__)


class HealthBook:
    """The newest heartbeat of each guest since the last write."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._fresh: dict[str, dict[str, Any]] = {}

    def note(self, instance_id: str, beat: dict[str, Any]) -> None:
        """Called by the dispatcher with each heartbeat (see guest.heartbeat for its keys)."""
        row = {
            "instance_id": instance_id,
            "seen": utcnow(),
            "service_status": str(beat["service_status"]),
            "datastore_version": beat.get("version"),
            "agent_version": beat.get("agent_version"),
            "volume_used": beat.get("volume_used"),
            "volume_total": beat.get("volume_total"),
            "position": beat.get("position"),
            "load": dict(beat.get("load") or {}),
            "in_flight": int(beat.get("in_flight") or 0),
        }
        with self._lock:
            self._fresh[instance_id] = row

    def write(self) -> int:
        """Save what came since the last call, of instances that have a server; returns how many."""
        with self._lock:
            fresh, self._fresh = self._fresh, {}
        if not fresh:
            return 0
        with self._database.write() as session:
            # Locked, so that a delete that commits meanwhile does not leave the health of nothing behind.
            alive = session.scalars(
                sa.select(Instance.id)
                .where(Instance.id.in_(fresh), Instance.deleted.is_(False), Instance.server_id.is_not(None))
                .with_for_update(read=True)
            )
            rows = [fresh[instance_id] for instance_id in alive]
            if rows:
                session.execute(_upsert(self._database.engine.dialect.name), rows)
        return len(rows)


def _upsert(dialect: str) -> Any:
    columns = [column.name for column in _TABLE.columns if column.name != "instance_id"]
    if dialect == "sqlite":
        lite = sqlite.insert(_TABLE)
        return lite.on_conflict_do_update(
            index_elements=["instance_id"], set_={name: lite.excluded[name] for name in columns}
        )
    my = mysql.insert(_TABLE)
    return my.on_duplicate_key_update({name: my.inserted[name] for name in columns})
