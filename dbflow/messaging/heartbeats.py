# SPDX-License-Identifier: Apache-2.0
"""Heartbeats as they arrive: unsealed, checked against replay, handed on; apart from the thread of the answers.

A guest's heartbeats are ordered by boot (seconds since 1970 by its own clock, and more than any boot before: far ahead
for good where that clock once was) and number. The time in them may be off by as much as a clock may be wrong. A guest
that lied about its boot, or lost its journal, is heard again once it has been forgotten.
"""

import collections
import dataclasses
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
"""Seconds by which guests' clocks may differ from ours."""
MAX_NUMBER = 2**40
"""Of the heartbeats of one boot."""
FORGET = 2 * MAX_AGE + 60.0
"""Seconds after which a silent guest is forgotten: by then nothing that it said before is young enough."""
UNKNOWN, MOST_UNKNOWN = 30.0, 10_000
"""For how many seconds an instance without a key is not looked up again, and how many of them are remembered."""
_LONGEST_ID = 64

OnHeartbeat = Callable[[str, dict[str, Any]], None]
"""Called with (instance id, heartbeat); see guest.heartbeat for what is in it."""


@dataclasses.dataclass
class _Guest:
    """What is known of a guest that is heard."""

    key: bytes
    latest: list[int]
    heard: float


class Heartbeats:
    """A queue and the thread that empties it."""

    def __init__(
        self,
        key_of: Callable[[str], bytes],
        on_heartbeat: OnHeartbeat,
        stats: collections.Counter[str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key_of, self._on_heartbeat, self._stats, self._clock = key_of, on_heartbeat, stats, clock
        self._waiting: queue.Queue[tuple[str, Any] | None] = queue.Queue(MAX_WAITING)
        self._guests: dict[str, _Guest] = {}
        self._unknown: dict[str, float] = {}
        self._tidied = clock()
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
        self._guests.pop(instance_id, None)

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            try:
                self._take(*item)
            except (crypto.BadSeal, wire.BadMessage, LookupError):
                self._stats["heartbeats_refused"] += 1
            except Exception as error:  # the database is away, say; another heartbeat follows
                self._stats["heartbeats_dropped"] += 1
                LOG.warning("a heartbeat was dropped: %s", type(error).__name__)

    def _take(self, instance_id: str, message: Any) -> None:
        now = self._clock()
        if now - self._tidied > UNKNOWN:
            self._tidy(now)
        known = self._guests.get(instance_id)
        key = known.key if known else self._look_up(instance_id, now)
        body = wire.unseal_heartbeat(key, message, instance_id)
        _boot, number = body["sequence"]
        timely = abs(now - body["at"]) <= MAX_AGE and 0 <= number <= MAX_NUMBER
        if not timely or (known and body["sequence"] <= known.latest):
            raise wire.BadMessage("a heartbeat out of its time")
        self._guests[instance_id] = _Guest(key, body["sequence"], now)
        self._stats["heartbeats"] += 1
        self._on_heartbeat(instance_id, body)

    def _look_up(self, instance_id: str, now: float) -> bytes:
        """The key; a name without one costs a query now and then only."""
        if len(instance_id) > _LONGEST_ID or instance_id in self._unknown:
            raise LookupError(instance_id)
        try:
            return self._key_of(instance_id)
        except LookupError:
            if len(self._unknown) < MOST_UNKNOWN:
                self._unknown[instance_id] = now
            raise

    def _tidy(self, now: float) -> None:
        self._tidied = now
        self._guests = {name: guest for name, guest in self._guests.items() if now - guest.heard <= FORGET}
        self._unknown = {name: since for name, since in self._unknown.items() if now - since <= UNKNOWN}
