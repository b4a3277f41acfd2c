# SPDX-License-Identifier: Apache-2.0
"""Cuts off the guest that floods: a queue it fills drops the answers of others.

A guest that is cut off can't connect for a while. What says so is kept by the broker alone; whichever conductor looks
next lets it back, so no cut outlives the process that made it.
"""

import collections
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable

from dbflow.messaging.errors import BrokerUnavailable
from dbflow.messaging.logins import Logins

LOG = logging.getLogger(__name__)
FLOOD = 2000
"""Messages of one guest, dropped within a WINDOW for being too many, that are a flood."""
WINDOW = 2.0
"""Seconds."""
LET_BACK = 60.0
"""Seconds between two looks for guests that are cut off."""


class Warden:
    """A thread that talks to the broker's management, so that nothing else waits for it."""

    def __init__(
        self,
        logins: Logins,
        stats: collections.Counter[str],
        *,
        lets_back: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``stats`` counts ``cut_off``. ``lets_back``: whether this process does; one of them is enough."""
        self._logins, self._stats, self._lets_back, self._clock = logins, stats, lets_back, clock
        self._dropped: collections.Counter[str] = collections.Counter()
        self._window = clock()
        self._to_cut: queue.Queue[str | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name="warden", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.ident is not None:
            self._to_cut.put(None)
            self._thread.join(2)

    def dropped(self, instance_id: str) -> None:
        """One more message of this guest was too many. Never waits; for one thread."""
        if self._clock() - self._window > WINDOW:
            self._dropped.clear()
            self._window = self._clock()
        self._dropped[instance_id] += 1
        if self._dropped[instance_id] == FLOOD:
            self._to_cut.put(instance_id)

    def _work(self) -> None:
        look_at = self._clock()
        while True:
            if self._lets_back and self._clock() >= look_at:
                look_at = self._clock() + LET_BACK
                self._let_back()
            timeout = max(0.0, look_at - self._clock()) if self._lets_back else None
            with contextlib.suppress(queue.Empty):
                instance_id = self._to_cut.get(timeout=timeout)
                if instance_id is None:
                    return
                self._cut(instance_id)

    def _cut(self, instance_id: str) -> None:
        try:
            self._logins.cut_off(instance_id)
        except BrokerUnavailable as error:  # it is cut at the next window of its flood
            LOG.warning("guest %s floods and was not cut off: %s", instance_id, error)
        else:
            self._stats["cut_off"] += 1
            LOG.warning("guest %s floods: cut off for %.0f s at most", instance_id, LET_BACK)

    def _let_back(self) -> None:
        try:
            for instance_id in self._logins.let_back():
                LOG.info("guest %s may connect again", instance_id)
        except BrokerUnavailable as error:
            LOG.warning("guests that were cut off are not let back yet: %s", error)
