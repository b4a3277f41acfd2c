# SPDX-License-Identifier: Apache-2.0
"""One request on its way: what is known of it, and how its progress and outcome reach whoever asked."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any

from taskflow.types import failure

from dbflow.messaging.wire import GuestRequest

LOG = logging.getLogger(__name__)
OnEvent = Callable[[str, dict[str, Any]], None]
"""Called with (event type, details), as TaskFlow's task notifiers are."""


class Pending:
    """Progress is handed on by a pool, newest first, one call at a time, and never after the outcome."""

    def __init__(self, request: GuestRequest, key: bytes, on_event: OnEvent | None, pool: futures.Executor) -> None:
        now = time.monotonic()
        self.request = request
        self.key = key
        self.future: futures.Future[Any] = futures.Future()
        self.future.set_running_or_notify_cancel()  # nobody can cancel a guest's work by cancelling this
        self.accepted = False
        self.due = False
        """To be sent as soon as the broker takes it."""
        self.sent = now
        self.heard = now
        self.made = now
        self._on_event = on_event
        self._pool = pool
        self._lock = threading.Lock()
        self._busy = False
        self._news: tuple[str, dict[str, Any]] | None = None
        self._outcome: tuple[Any] | None = None

    def pause(self, seconds: float) -> None:
        """No clock of the request ran for so long: the broker was away."""
        self.heard += seconds
        self.made += seconds

    def event(self, event_type: str, details: dict[str, Any]) -> None:
        """Tell of progress, soon; only the newest counts when the callback is slow."""
        if self._on_event is None:
            return
        with self._lock:
            if self._outcome is not None:
                return
            self._news = (event_type, details)
            if self._busy:
                return
            self._busy = True
        self._pool.submit(self._tell)

    def finish(self, outcome: Any) -> None:
        """Set the future's result, once a callback that runs has returned."""
        with self._lock:
            if self._outcome is not None:
                return
            self._outcome = (outcome,)
            if self._busy:
                return
        self.future.set_result(outcome)

    def fail(self, error: Exception) -> None:
        """Finish with a Failure."""
        self.finish(failure.Failure.from_exception(error))

    def _tell(self) -> None:
        while True:
            with self._lock:
                news, self._news = self._news, None
                if self._outcome is not None or news is None:
                    self._busy = False
                    outcome = self._outcome
                    break
            try:
                if self._on_event is not None:
                    self._on_event(*news)
            except Exception:
                LOG.exception("progress of %s was not recorded", self.request.id)
        if outcome is not None:  # it came while this was busy; whatever comes from now on sets the result itself
            self.future.set_result(outcome[0])
