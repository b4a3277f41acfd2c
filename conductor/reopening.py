# SPDX-License-Identifier: Apache-2.0
"""A broker that has lost what it knew gets its guests' users and queues again."""

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


class Reopening:
    """Of every instance that has a server."""

    def __init__(self, database: Database, census: Census, channels: GuestChannels) -> None:
        self._database, self._census, self._channels = database, census, channels

    def keep(self) -> None:
        """One round. BrokerUnavailable."""
        if not self._census.lists:
            return
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
