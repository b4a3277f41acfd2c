# SPDX-License-Identifier: Apache-2.0
"""The broker has a user and a queue for every guest, and for no other, whatever it has forgotten: a RabbitMQ that was
killed may lose the last that was made or deleted, and one that was restored from a copy loses more."""

import logging
import random
from collections.abc import Callable, Iterable

import sqlalchemy as sa

from dbflow.crypto import BadSeal
from dbflow.db.models import Instance
from dbflow.db.session import Database
from dbflow.messaging.census import Census
from dbflow.messaging.errors import BrokerUnavailable
from dbflow.orphans import MESSAGES, Found, Orphanage
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
_CLOSED_AT_ONCE = 200
"""Of a broker that was restored from a copy there may be thousands, and the leader has other duties."""
_REFUSALS = 3
"""One after the other, after which it is the broker that does not answer, and not one queue of it."""


class ChannelKeeper:
    """Of all instances that are known here."""

    def __init__(self, database: Database, census: Census, orphanage: Orphanage, channels: GuestChannels) -> None:
        self._database, self._census, self._orphanage, self._channels = database, census, orphanage, channels

    def keep(self) -> None:
        """One round: first those who wait for it. BrokerUnavailable."""
        if not self._census.lists:
            return
        with self._database.read() as session:
            served = set(session.scalars(sa.select(Instance.id).where(_SERVED)))
        closed = served - self._census.complete()
        _each(sorted(Found(MESSAGES, instance_id) for instance_id in closed), self._open)
        # In any order, so that no few whose queues can't be deleted are in the way of all others.
        forgotten = self._orphanage.forgotten()
        _each(random.sample(forgotten, min(_CLOSED_AT_ONCE, len(forgotten))), self._orphanage.remove)

    def _open(self, missing: Found) -> None:
        instance_id = missing.instance_id
        if not self._is_served(instance_id):
            return
        self._channels.declare_guest(instance_id)
        LOG.warning("instance %s: its guest's user or queue was gone from the broker; made again", instance_id)
        if not self._is_served(instance_id):  # who takes the guest away may have done so before we made it again
            self._channels.delete_guest(instance_id)

    def _is_served(self, instance_id: str) -> bool:
        with self._database.read() as session:
            return session.scalar(sa.select(Instance.id).where(Instance.id == instance_id, _SERVED)) is not None


def _each(several: Iterable[Found], do: Callable[[Found], object]) -> None:
    """One that can't be done is no trouble for others. BrokerUnavailable after some of these in a row."""
    refusals = 0
    for one in several:
        try:
            do(one)
            refusals = 0
        except BrokerUnavailable as error:
            LOG.warning("%s: %s", one, error)
            refusals += 1
            if refusals >= _REFUSALS:
                raise
        except (BadSeal, LookupError) as error:
            LOG.warning("%s: no way to its guest: %s", one, type(error).__name__)
