# SPDX-License-Identifier: Apache-2.0
"""The broker has a user and a queue for every guest, and for no other, whatever it has forgotten: a RabbitMQ that was
killed may lose the last that was made or deleted, and one that was restored from a copy loses more."""

import logging

import sqlalchemy as sa

from dbflow.crypto import BadSeal
from dbflow.db.models import Instance
from dbflow.db.session import Database
from dbflow.messaging.census import Census
from dbflow.status import Task
from flows.tasks.base import GuestChannels

LOG = logging.getLogger(__name__)
_SERVED = sa.and_(
    Instance.deleted.is_(False),
    Instance.task != Task.DELETING,
    Instance.server_id.is_not(None),
    Instance.guest_key.is_not(None),
)
"""Has a guest, and is to keep it, whatever operation works on it."""


class ChannelKeeper:
    """Of instances that have a server, and of those that are deleted."""

    def __init__(self, database: Database, census: Census, channels: GuestChannels) -> None:
        self._database, self._census, self._channels = database, census, channels

    def keep(self) -> None:
        """One round. BrokerUnavailable."""
        if not self._census.lists:
            return
        self._close_deleted()
        self._open_served()

    def _close_deleted(self) -> None:
        """An instance that is deleted stays so: whatever the broker has of it is nobody's, and its user's password
        may be known to who had the server. What it has of those that were never known here is not touched."""
        there = self._census.guests()
        with self._database.read() as session:
            strange = there - set(session.scalars(sa.select(Instance.id).where(Instance.deleted.is_(False))))
            if not strange:
                return
            deleted = session.scalars(sa.select(Instance.id).where(Instance.id.in_(strange), Instance.deleted)).all()
        for instance_id in sorted(deleted):
            self._channels.delete_guest(instance_id)
            LOG.warning("instance %s is deleted, but the broker had its guest's user or queue; removed", instance_id)

    def _open_served(self) -> None:
        with self._database.read() as session:
            served = set(session.scalars(sa.select(Instance.id).where(_SERVED)))
        for instance_id in sorted(served - self._census.complete()):
            try:
                self._open(instance_id)
            except (BadSeal, LookupError) as error:
                LOG.warning("instance %s: no way to its guest: %s", instance_id, type(error).__name__)

    def _open(self, instance_id: str) -> None:
        if not self._is_served(instance_id):
            return
        self._channels.declare_guest(instance_id)
        LOG.warning("instance %s: its guest's user or queue was gone from the broker; made again", instance_id)
        if not self._is_served(instance_id):  # who takes the guest away may have done so before we made it again
            self._channels.delete_guest(instance_id)

    def _is_served(self, instance_id: str) -> bool:
        with self._database.read() as session:
            return session.scalar(sa.select(Instance.id).where(Instance.id == instance_id, _SERVED)) is not None
