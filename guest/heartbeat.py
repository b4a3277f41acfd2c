# SPDX-License-Identifier: Apache-2.0
"""Tells the control plane how the guest is: at start, when the server's status changes, and every so often.

A heartbeat is ``{"service_status", "version", "position", "load", "volume_used", "volume_total" (GiB or None),
"in_flight", "agent_version", "restart_required" (or None: not known), "at" (seconds since 1970), "sequence": [boot,
number]}``.
"""

import importlib.metadata
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from dbflow.status import Service
from guest.datastores.base import Health, Lifecycle
from guest.volume import Usage

LOG = logging.getLogger(__name__)
LOOK_INTERVAL = 2.0
"""Seconds between two looks at the server; one costs a query."""
PRUNE_INTERVAL = 3600.0
STILL = 90.0
"""Seconds without a round after which the agent is taken for stuck."""
REVIVE_INTERVAL, LONGEST_REVIVE_INTERVAL = 5.0, 300.0
"""Seconds between two attempts to bring a crashed server up again; doubled each time, so that one that can't start
does not keep its machine busy."""


class Worker(Protocol):
    """What the heart needs of the agent."""

    @property
    def in_flight(self) -> int: ...

    @property
    def busy(self) -> bool: ...

    def beat(self) -> None: ...

    def heartbeat(self, body: dict[str, Any]) -> None: ...

    def revive(self) -> None: ...


class Heart:
    """One thread: signs of life of running requests, heartbeats, and the journal's housekeeping."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        usage: Callable[[], Usage],
        prune: Callable[[], object],
        boot: int,
        heartbeat_interval: float,
        beat_interval: float,
        bound: Callable[[], object] = lambda: None,
    ) -> None:
        self._bound = bound
        self._lifecycle, self._usage, self._prune, self._boot = lifecycle, usage, prune, boot
        self._heartbeat_interval, self._beat_interval = heartbeat_interval, beat_interval
        self._numbers = itertools.count(1)
        self._version = importlib.metadata.version("dbflow")
        self._wake = threading.Event()
        self._told: Health | None = None
        self._round_at = time.monotonic()
        self._due = {"beat": 0.0, "look": 0.0, "heartbeat": 0.0, "prune": 0.0, "revive": 0.0}
        self._revive_interval = REVIVE_INTERVAL
        self._now_please = True
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="heart", daemon=True)

    def start(self, worker: Worker) -> None:
        self._worker = worker
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    def speak(self) -> None:
        """Send a heartbeat now."""
        self._now_please = True
        self._wake.set()

    @property
    def beats(self) -> bool:
        """Whether it has gone round lately. A database server that hangs is asked with a time-out."""
        return time.monotonic() - self._round_at < STILL

    def _work(self) -> None:
        pause = min(self._beat_interval, LOOK_INTERVAL, self._heartbeat_interval)
        while not self._stopping:
            try:
                self._once()
            except Exception:
                LOG.exception("no heartbeat")
            self._round_at = time.monotonic()
            self._wake.wait(pause)
            self._wake.clear()

    def _once(self) -> None:
        if self._is_due("beat", self._beat_interval):
            self._worker.beat()
        asked, self._now_please = self._now_please, False
        if asked or self._is_due("look", min(LOOK_INTERVAL, self._heartbeat_interval)):
            health = self._lifecycle.health()
            changed = self._told is None or self._told.service_status != health.service_status
            if self._is_due("heartbeat", self._heartbeat_interval) or asked or changed:
                self._told = health
                self._worker.heartbeat(self._body(health))
            self._see_that_it_lives(health)
            self._bound()
        if self._is_due("prune", PRUNE_INTERVAL):
            self._prune()

    def _see_that_it_lives(self, health: Health) -> None:
        """A server that died on its own, or does not obey any more, is started again, unless a request is at work on
        it."""
        if health.service_status == Service.HEALTHY:
            self._revive_interval = REVIVE_INTERVAL
        idle = not self._worker.busy
        broken = health.service_status == Service.CRASHED or health.locked_out
        if broken and idle and self._is_due("revive", self._revive_interval):
            LOG.warning("the database server %s; starting it", "locks us out" if health.locked_out else "has died")
            self._worker.revive()
            self._revive_interval = min(2 * self._revive_interval, LONGEST_REVIVE_INTERVAL)

    def _is_due(self, what: str, interval: float) -> bool:
        now = time.monotonic()
        if now + 0.01 < self._due[what]:
            return False
        self._due[what] = now + interval
        return True

    def _body(self, health: Health) -> dict[str, Any]:
        volume = self._volume()
        return {
            "service_status": health.service_status,
            "version": health.version,
            "position": health.position,
            "load": dict(health.load),
            "volume_used": volume.used if volume else None,
            "volume_total": volume.total if volume else None,
            "in_flight": self._worker.in_flight,
            "agent_version": self._version,
            "restart_required": health.restart_required,
            "at": time.time(),
            "sequence": [self._boot, next(self._numbers)],
        }

    def _volume(self) -> Usage | None:
        try:
            return self._usage()
        except OSError:
            return None
