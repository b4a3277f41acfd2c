# SPDX-License-Identifier: Apache-2.0
"""Heartbeats as they arrive: unsealed, checked against replay, handed on; apart from the thread of the answers."""

import collections
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from dbflow import crypto
from dbflow.messaging import wire

LOG = logging.getLogger(__name__)
MAX_WAITING = 10_000
MAX_AGE = 900.0
"""Seconds a heartbeat of a guest not heard before may be old; guests' clocks may differ by that much."""

OnHeartbeat = Callable[[str, dict[str, Any]], None]
"""Called with (instance id, heartbeat); see guest.heartbeat for what is in it."""


class Heartbeats:
    """A queue and the thread that empties it."""

    def __init__(
        self, key_of: Callable[[str], bytes], on_heartbeat: OnHeartbeat, stats: collections.Counter[str]
    ) -> None:
        self._key_of, self._on_heartbeat, self._stats = key_of, on_heartbeat, stats
        self._waiting: queue.Queue[tuple[str, Any] | None] = queue.Queue(MAX_WAITING)
        self._keys: dict[str, bytes] = {}
        self._latest: dict[str, list[int]] = {}
        self._thread = threading.Thread(target=self._work, name="heartbeats", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.ident is not None:
            self._waiting.put(None)
            self._thread.join(2)

    def put(self, instance_id: str, message: Any) -> None:
        """Never waits: a heartbeat too many is dropped, since another one follows."""
        try:
            self._waiting.put_nowait((instance_id, message))
        except queue.Full:
            self._stats["heartbeats_dropped"] += 1

    def forget(self, instance_id: str) -> None:
        """The instance is deleted."""
        self._keys.pop(instance_id, None)
        self._latest.pop(instance_id, None)

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            try:
                self._take(*item)
            except (crypto.BadSeal, wire.BadMessage, LookupError):
                self._stats["heartbeats_refused"] += 1
            except Exception:
                LOG.exception("a heartbeat was dropped")

    def _take(self, instance_id: str, message: Any) -> None:
        key = self._keys.get(instance_id) or self._key_of(instance_id)
        body = wire.unseal_heartbeat(key, message, instance_id)
        latest = self._latest.get(instance_id)
        if body["sequence"] <= latest if latest else abs(time.time() - body["at"]) > MAX_AGE:
            self._stats["heartbeats_refused"] += 1
            return
        self._keys[instance_id], self._latest[instance_id] = key, body["sequence"]
        self._stats["heartbeats"] += 1
        self._on_heartbeat(instance_id, body)
