# SPDX-License-Identifier: Apache-2.0
"""The message keys of instances: kept sealed in their rows, and in memory while they are used."""

import base64
import threading
import time

from sqlalchemy import select

from dbflow.crypto import Keyring
from dbflow.db.models import Instance
from dbflow.db.session import Database

_KEEP = 300.0
"""Seconds: a heartbeat must not cost a query, and a removed key must not live for ever."""


class GuestKeys:
    """Looks keys up for everything that talks to guests; one a process."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database, self._keyring = database, keyring
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, bytes]] = {}

    def __call__(self, instance_id: str) -> bytes:
        """The 32 bytes that seal this instance's messages; KeyError when there is no such guest."""
        now = time.monotonic()
        with self._lock:
            until, key = self._known.get(instance_id, (0.0, b""))
        if now < until:
            return key
        key = self.load(instance_id)
        with self._lock:
            self._known = {known: entry for known, entry in self._known.items() if entry[0] > now}
            self._known[instance_id] = (now + _KEEP, key)
        return key

    def load(self, instance_id: str) -> bytes:
        """As it stands in its row now."""
        with self._database.read() as session:
            sealed = session.scalar(select(Instance.guest_key).where(Instance.id == instance_id))
        if sealed is None:
            raise KeyError(instance_id)
        return base64.b64decode(self._keyring.unseal(sealed))
