# SPDX-License-Identifier: Apache-2.0
"""A broker that has lost what it knew gets its guests' users and queues again."""

import logging
from typing import Protocol

import sqlalchemy as sa

from dbflow.db.models import Instance
from dbflow.db.session import Database
from dbflow.messaging.census import Census

LOG = logging.getLogger(__name__)


class Channels(Protocol):
    """Who makes and removes a guest's user and queue."""

    def declare_guest(self, instance_id: str) -> None: ...

    def delete_guest(self, instance_id: str) -> None: ...


class Reopening:
    """Of every instance that has a server. Those that an operation works on are the operation's care."""

    def __init__(self, database: Database, census: Census, channels: Channels) -> None:
        self._database, self._census, self._channels = database, census, channels

    def keep(self) -> None:
        """One round. BrokerUnavailable."""
        if not self._census.lists:
            return
        for instance_id in sorted(self._served() - self._census.complete()):
            self._channels.declare_guest(instance_id)
            LOG.warning("instance %s: its guest's user or queue was gone from the broker; made again", instance_id)
            if instance_id not in self._served():  # a delete was faster; it has removed them already
                self._channels.delete_guest(instance_id)

    def _served(self) -> set[str]:
        query = sa.select(Instance.id).where(
            Instance.deleted.is_(False),
            Instance.operation_id.is_(None),
            Instance.server_id.is_not(None),
            Instance.guest_key.is_not(None),
        )
        with self._database.read() as session:
            return set(session.scalars(query))
