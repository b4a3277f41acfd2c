# SPDX-License-Identifier: Apache-2.0
"""What carries the name of an instance in the cloud or at the broker, though no instance needs it; and what is in the
object store of backups that are deleted.

Every resource is named after its instance, whose row is there before anything is made and says, while an operation
has the instance, that something may be being made. So a resource is needed if its instance is not deleted and an
operation has it, or is parked and can be retried, or its row refers to the resource. All else is an orphan: made by
a conductor that was paused in the middle of a call and woke when others had finished its work, or left by hand.
"""

import dataclasses
import datetime
import functools
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.cloud.base import Cloud
from dbflow.db.models import Instance, Operation, Orphan, utcnow
from dbflow.db.session import Database
from dbflow.operations import State
from dbflow.waits import until_done

LOG = logging.getLogger(__name__)
MESSAGES = "messages"
"""The kind of what the broker has of a guest: its queue, its user."""
OBJECTS = "objects"
"""The kind of what the object store has of a deleted backup."""
_REFERENCES = {
    "server": Instance.server_id,
    "volume": Instance.volume_id,
    "port": Instance.port_id,
    MESSAGES: Instance.guest_key,
}
_BATCH = 500
_GONE_WITHIN = 300.0
"""Seconds that the removal of one may take."""


class Objects(Protocol):
    """What the object store has of deleted backups."""

    def find(self) -> set[str]:
        """Ids of the backups."""

    def remove(self, backup_id: str) -> bool:
        """Delete what is left of one, unless it is not deleted; whether it was done."""


class Broker(Protocol):
    """What the broker has of guests."""

    def guests(self) -> set[str]:
        """Ids of the instances with a queue or a user, as far as the broker can tell."""

    def delete_guest(self, instance_id: str) -> None:
        """Remove both; fine when they are gone."""


@dataclasses.dataclass(frozen=True, order=True)
class Found:
    """An orphan."""

    kind: str
    """server, volume, port, messages or objects"""
    instance_id: str
    """What it is named after; of objects, the backup."""

    def __str__(self) -> str:
        """For people."""
        return f"{self.kind} of {'backup' if self.kind == OBJECTS else 'instance'} {self.instance_id}"


class Orphanage:
    """Finds them and removes them."""

    def __init__(self, database: Database, cloud: Cloud, broker: Broker, objects: Objects) -> None:
        self._database, self._cloud, self._broker, self._objects = database, cloud, broker, objects

    def find(self) -> list[Found]:
        """Sorted. Nothing that is being made or removed meanwhile is among them: an orphan was there before the rows
        were read, was not needed by them, and is there after it. CloudError, BrokerUnavailable."""
        unneeded = self._unneeded(self._there())
        return sorted(unneeded & self._there()) if unneeded else []

    def forgotten(self) -> list[Found]:
        """What the broker has again of instances that have a row here and do not need it, as sure as :meth:`find` is.
        BrokerUnavailable."""
        unneeded = self._unneeded(self._messages())
        if not unneeded:
            return []
        with self._database.read() as session:
            known = {one for batch in _batches(unneeded) for one in _known(session, batch)}
        return sorted(one for one in unneeded & self._messages() if one.instance_id in known)

    def remove(self, orphan: Found) -> bool:
        """Delete it, unless an instance needs it by now; whether it was deleted. CloudError, BrokerUnavailable,
        Overdue."""
        if orphan.kind == OBJECTS:
            return self._objects.remove(orphan.instance_id)
        if not self._unneeded({orphan}):
            return False
        if orphan.kind == MESSAGES:
            self._broker.delete_guest(orphan.instance_id)
        else:
            remove = functools.partial(self._cloud.remove, orphan.kind, orphan.instance_id)
            until_done(remove, _GONE_WITHIN)
        LOG.warning("removed an orphan: %s", orphan)
        return True

    def _there(self) -> set[Found]:
        owned = self._cloud.owned() | {OBJECTS: self._objects.find()}
        found = {Found(kind, instance_id) for kind, instance_ids in owned.items() for instance_id in instance_ids}
        return found | self._messages()

    def _messages(self) -> set[Found]:
        return {Found(MESSAGES, instance_id) for instance_id in self._broker.guests()}

    def _unneeded(self, found: set[Found]) -> set[Found]:
        """Those that no instance needs."""
        with self._database.read() as session:
            needed = {one for batch in _batches(found) for one in _needed(session, batch)}
        return found - needed  # which no objects are: they were looked for by rows


def _batches(found: Iterable[Found]) -> Iterator[list[str]]:
    """Their instances, as many at once as one query may name."""
    instance_ids = sorted({one.instance_id for one in found})
    for start in range(0, len(instance_ids), _BATCH):
        yield instance_ids[start : start + _BATCH]


def _known(session: Session, instance_ids: Sequence[str]) -> Sequence[str]:
    """Those that have a row, deleted ones too."""
    return session.scalars(sa.select(Instance.id).where(Instance.id.in_(instance_ids))).all()


def _needed(session: Session, instance_ids: Sequence[str]) -> set[Found]:
    """Everything that these instances may have."""
    parked = sa.exists().where(Operation.target_id == Instance.id, Operation.state == State.FAILED)
    rows = session.execute(
        sa.select(Instance.id, sa.or_(Instance.operation_id.is_not(None), parked), *_REFERENCES.values()).where(
            Instance.id.in_(instance_ids), Instance.deleted.is_(False)
        )
    )
    return {
        Found(kind, instance_id)
        for instance_id, at_work, *references in rows
        for kind, reference in zip(_REFERENCES, references, strict=True)
        if at_work or reference is not None
    }


class OrphanBook:
    """The leader's reports, in SQL: what was seen twice or more, over more than the grace."""

    def __init__(self, database: Database, grace: float) -> None:
        """``grace`` in seconds."""
        self._database, self._grace = database, datetime.timedelta(seconds=grace)

    def write(self, found: Iterable[Found]) -> int:
        """Note what was found now, forget what is gone; how many are reported. A new one is logged."""
        now, seen = utcnow(), set(found)
        reported = 0
        with self._database.write() as session:
            for row in session.scalars(sa.select(Orphan)):
                known = Found(row.kind, row.instance_id)
                if known not in seen:
                    session.delete(row)
                    continue
                seen.discard(known)
                if self._is_reported(row.first_seen, now):
                    reported += 1
                    if not self._is_reported(row.first_seen, row.last_seen):
                        LOG.warning("an orphan: %s", known)
                row.last_seen = now
            session.add_all(
                Orphan(kind=one.kind, instance_id=one.instance_id, first_seen=now, last_seen=now) for one in seen
            )
        return reported

    def reported(self) -> list[Orphan]:
        """By kind and instance."""
        with self._database.read() as session:
            rows = session.scalars(sa.select(Orphan).order_by(Orphan.kind, Orphan.instance_id)).all()
        return [row for row in rows if self._is_reported(row.first_seen, row.last_seen)]

    def forget(self, orphan: Found) -> None:
        """It was removed."""
        mine = sa.and_(Orphan.kind == orphan.kind, Orphan.instance_id == orphan.instance_id)
        with self._database.write() as session:
            session.execute(sa.delete(Orphan).where(mine))

    def _is_reported(self, first: datetime.datetime, last: datetime.datetime) -> bool:
        return last > first and last - first >= self._grace
