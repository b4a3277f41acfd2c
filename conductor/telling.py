# SPDX-License-Identifier: Apache-2.0
"""The leader's part in notifications: to tell which instances exist and what projects have, to send what is in the
outbox, and to drop what could not be sent for too long."""

import time
from collections.abc import Callable

from oslo_config import cfg

from dbflow.cloud.base import Cloud
from dbflow.db.session import Database
from dbflow.notifications.exists import Exists
from dbflow.notifications.outbox import Outbox
from dbflow.notifications.quotas import Quotas
from dbflow.notifications.relay import Relay
from dbflow.notifications.sending import Sender
from dbflow.services.flavors import FlavorCache

_DROP_EVERY = 300.0


class Telling:
    """Of one database."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, cloud: Cloud, outbox: Outbox) -> None:
        self._relay = Relay(conf, database, Sender(conf))
        flavors = FlavorCache(cloud.flavors)
        self._exists = Exists(conf.notifications.exists_interval, database, outbox, flavors.list)
        self._quotas = Quotas(conf, database, outbox)
        self._drop_at = 0.0

    def round(self, wanted: Callable[[], bool]) -> None:
        """One round; long ones go on for as long as they are ``wanted``."""
        try:
            self._exists.tell()
        finally:  # what is in the outbox is sent though the cloud may be away
            self._relay.send(wanted)
        if time.monotonic() >= self._drop_at:
            self._drop_at = time.monotonic() + _DROP_EVERY
            self._relay.drop()
        self._quotas.tell()
