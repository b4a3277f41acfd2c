# SPDX-License-Identifier: Apache-2.0
"""Heartbeats of guests, gathered and written to SQL in batches."""

import threading
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, sqlite

from dbflow.db.models import Health, Instance, utcnow
from dbflow.db.session import Database
from dbflow.messaging.wire import BadMessage
from dbflow.status import Service

_LONGEST = 255
_LARGEST = 2**31 - 1
_MOST_LOADS = 32
_TABLE = cast(sa.Table, Health.__table__)


class HealthBook:
    """The newest heartbeat of each guest since the last write."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._fresh: dict[str, dict[str, Any]] = {}

    def note(self, instance_id: str, beat: dict[str, Any]) -> None:
        """Called by the dispatcher with each heartbeat (see guest.heartbeat for its keys). What does not fit its column
        is left out, so that one guest's nonsense can't fail the batch that all guests share. BadMessage without a
        status."""
        status, load = beat.get("service_status"), beat.get("load")
        if status not in list(Service):
            raise BadMessage("a heartbeat without a status")
        row = {
            "instance_id": instance_id,
            "seen": utcnow(),
            "service_status": str(status),
            "datastore_version": _text(beat.get("version")),
            "agent_version": _text(beat.get("agent_version")),
            "volume_used": _number(beat.get("volume_used")),
            "volume_total": _number(beat.get("volume_total")),
            "position": _text(beat.get("position")),
            "load": _numbers(load) if isinstance(load, dict) else {},
            "in_flight": int(_number(beat.get("in_flight")) or 0),
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


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) <= _LONGEST and value.isprintable() else None


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and 0 <= value <= _LARGEST else None


def _numbers(load: dict[str, Any]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in list(load.items())[:_MOST_LOADS] if _text(name)}


def _upsert(dialect: str) -> Any:
    """Insert, or replace what was seen earlier: a flow may have recorded newer health than this batch holds."""
    columns = [column.name for column in _TABLE.columns if column.name != "instance_id"]
    if dialect == "sqlite":
        lite = sqlite.insert(_TABLE)
        return lite.on_conflict_do_update(
            index_elements=["instance_id"],
            set_={name: lite.excluded[name] for name in columns},
            where=_TABLE.c.seen <= lite.excluded.seen,
        )
    my = mysql.insert(_TABLE)
    newer = _TABLE.c.seen <= my.inserted.seen
    # Assigned from left to right: the time that is compared comes last.
    columns.sort(key=lambda name: name == "seen")
    return my.on_duplicate_key_update(
        [(name, sa.func.if_(newer, my.inserted[name], _TABLE.c[name])) for name in columns]
    )
