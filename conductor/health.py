# SPDX-License-Identifier: Apache-2.0
"""Heartbeats of guests, gathered and written to SQL in batches."""

import datetime
import threading
from typing import Any

import sqlalchemy as sa

from dbflow.db.health import save_health
from dbflow.db.models import Instance, utcnow
from dbflow.db.samples import save_samples, turn_of
from dbflow.db.session import Database
from dbflow.messaging.wire import BadMessage
from dbflow.status import Service, Task

_STATUSES = frozenset(str(status) for status in Service)
_LONGEST = 255
_LARGEST = 2**32 - 1
_MOST_LOADS = 32
_MOST_IN_FLIGHT = 10_000
_SETTLED = datetime.timedelta(seconds=60)
"""How long a row was left alone before a guest is believed that its server needs no restart: a heartbeat may come late,
and be of the time before the change that needs one."""


class HealthBook:
    """The newest heartbeat of each guest since the last write."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._fresh: dict[str, dict[str, Any]] = {}
        self._as_configured: set[str] = set()
        """Of these, the instances whose server has all the values of its configuration."""
        self._turn, self._sampled = 0, frozenset[str]()
        """The five minutes of the newest sample, and the instances of which they have one."""

    def note(self, instance_id: str, beat: dict[str, Any]) -> None:
        """Called by the dispatcher with each heartbeat (see guest.heartbeat for its keys). What does not fit its column
        is left out, so that one guest's nonsense can't fail the batch that all guests share. BadMessage without a
        status."""
        status, load = beat.get("service_status"), beat.get("load")
        if not isinstance(status, str) or status not in _STATUSES:
            raise BadMessage("a heartbeat without a status")
        row = {
            "instance_id": instance_id,
            "seen": utcnow(),
            "at": _number(beat.get("at")) or 0.0,
            "service_status": status,
            "datastore_version": _text(beat.get("version")),
            "agent_version": _text(beat.get("agent_version")),
            "volume_used": _number(beat.get("volume_used")),
            "volume_total": _number(beat.get("volume_total")),
            "position": _text(beat.get("position")),
            "load": _numbers(load) if isinstance(load, dict) else {},
            "in_flight": min(int(_number(beat.get("in_flight")) or 0), _MOST_IN_FLIGHT),
        }
        with self._lock:
            self._fresh[instance_id] = row
            self._as_configured.discard(instance_id)
            if beat.get("restart_required") is False:
                self._as_configured.add(instance_id)

    def write(self) -> int:
        """Save what came since the last call, of instances that have a server; returns how many. What can't be saved
        waits for the next call."""
        with self._lock:
            fresh, self._fresh = self._fresh, {}
            current, self._as_configured = self._as_configured, set()
        try:
            return self._save(fresh, current) if fresh else 0
        except sa.exc.SQLAlchemyError:
            with self._lock:
                self._as_configured |= current - self._fresh.keys()
                self._fresh = fresh | self._fresh
            raise

    def _save(self, fresh: dict[str, dict[str, Any]], current: set[str]) -> int:
        with self._database.write() as session:
            # Locked, so that a delete that commits meanwhile does not leave the health of nothing behind.
            alive = session.execute(
                sa.select(Instance.id, Instance.restart_required)
                .where(Instance.id.in_(fresh), Instance.deleted.is_(False), Instance.server_id.is_not(None))
                .with_for_update(read=True)
            ).all()
            rows = [fresh[instance_id] for instance_id, _ in alive]
            save_health(session, rows)
            turn = max((turn_of(row["seen"]) for row in rows), default=self._turn)
            sampled = self._sampled if turn == self._turn else frozenset()
            due = [row for row in rows if row["instance_id"] not in sampled]
            save_samples(session, due)
        self._turn, self._sampled = turn, sampled | {row["instance_id"] for row in due}
        started = [instance_id for instance_id, awaited in alive if awaited and instance_id in current]
        if started:
            self._restarted(started)
        return len(rows)

    def _restarted(self, instances: list[str]) -> None:
        """Whoever started their servers since: the agent after a crash, a restart that failed after all."""
        at_rest = sa.case((Instance.task == Task.RESTART_REQUIRED, Task.NONE), else_=Instance.task)
        with self._database.write() as session:
            session.execute(
                sa.update(Instance)
                .where(Instance.id.in_(instances), Instance.restart_required.is_(True))
                .where(Instance.operation_id.is_(None), Instance.updated < utcnow() - _SETTLED)
                .values(task=at_rest, restart_required=False, updated=utcnow())
            )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) <= _LONGEST and value.isprintable() else None


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and 0 <= value <= _LARGEST else None


def _numbers(load: dict[str, Any]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in list(load.items())[:_MOST_LOADS] if _text(name)}
